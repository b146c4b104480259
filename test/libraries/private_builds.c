/* SPDX-License-Identifier: Apache-2.0 */

/* Workers can load private builds of every library that Cordon itself uses, and each meets only itself. */
#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fd.h"
#include "harness/harness.h"

static void test_build_with_our_names_calls_itself(const struct harness *harness)
{
    struct cordon_cell *cell = harness_open(harness, getenv("CORDON_TEST_PRIVATE_BUILD"), NULL);
    struct cordon_function *sum = harness_bind(cell, "int private_sum(void)");
    assert_int_equal(harness_value(cordon_session_current(cell), sum, NULL, 0).i, 654321);
    cordon_cell_close(cell);
}

/* A copy of a library of the system under @folder; false: it is not there. */
static bool copy_library(const char *name, const char *folder, char *ret_path)
{
    static const char *const places[] = {"/usr/lib/x86_64-linux-gnu",
                                         "/lib/x86_64-linux-gnu",
                                         "/usr/lib/aarch64-linux-gnu",
                                         "/lib/aarch64-linux-gnu",
                                         "/usr/lib64",
                                         "/usr/lib"};
    OWN_FD from = -1;
    for (size_t i = 0; i < sizeof places / sizeof places[0] && from < 0; i++) {
        char path[PATH_MAX];
        (void)snprintf(path, sizeof path, "%s/%s", places[i], name);
        from = open(path, O_RDONLY | O_CLOEXEC);
    }
    (void)snprintf(ret_path, PATH_MAX, "%s/%s", folder, name);
    OWN_FD to = from < 0 ? -1 : open(ret_path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0755);
    struct stat status;
    if (to < 0 || fstat(from, &status) != 0) {
        return false;
    }
    return sendfile(to, from, NULL, (size_t)status.st_size) == status.st_size;
}

static void test_private_copies_load(const struct harness *harness)
{
    static const struct {
        const char *library;
        const char *prototype;
    } copies[] = {
        {"libffi.so.8", "size_t ffi_raw_size(void *cif)"},
        {"libz.so.1", "const char *zlibVersion(void)"},
        {"libjansson.so.4", "const char *jansson_version_str(void)"},
        {"libseccomp.so.2", "unsigned seccomp_api_get(void)"},
    };
    char folder[] = "/tmp/cordon-private-XXXXXX";
    assert_non_null(mkdtemp(folder));
    assert_int_equal(chmod(folder, 0755), 0);
    size_t loaded = 0;
    for (size_t i = 0; i < sizeof copies / sizeof copies[0]; i++) {
        char path[PATH_MAX];
        if (!copy_library(copies[i].library, folder, path)) {
            continue;
        }
        struct cordon_cell *cell = harness_open(harness, path, NULL);
        (void)harness_bind(cell, copies[i].prototype);
        cordon_cell_close(cell);
        (void)unlink(path);
        loaded++;
    }
    (void)rmdir(folder);
    assert_true(loaded > 0);
}

int main(int argc, char **argv)
{
    static const struct harness_case cases[] = {
        {"build_with_our_names_calls_itself", test_build_with_our_names_calls_itself,
         HARNESS_PROCESS, 0, 0},
        {"private_copies_load", test_private_copies_load, HARNESS_PROCESS, 0, 0},
    };
    return harness_main(argc, argv, cases, sizeof cases / sizeof cases[0]);
}
