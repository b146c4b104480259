/* SPDX-License-Identifier: Apache-2.0 */
#include "keeper/named.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/reach.h"
#include "keeper/process.h"

static void expect_tidy(const char *name, const char *base, const char *expected)
{
    char path[PATH_MAX];
    (void)snprintf(path, sizeof path, "%s", name);
    assert_true(named_tidy(path, base));
    assert_string_equal(path, expected);
}

static void test_names_are_made_absolute_and_tidy(void **state)
{
    (void)state;
    expect_tidy("/a/./b/../c", "/x", "/a/c");
    expect_tidy("a", "/x", "/x/a");
    expect_tidy("../a//b/", "/x/y", "/x/a/b");
    expect_tidy("../../../..", "/x/y", "/");
    expect_tidy("..", "/", "/");
    expect_tidy("...", "/", "/...");
    expect_tidy("/", "/x", "/");
}

static void test_name_that_becomes_too_long_is_refused(void **state)
{
    (void)state;
    char path[PATH_MAX];
    char base[PATH_MAX];
    memset(path, 'a', sizeof path);
    path[PATH_MAX / 2 + 10] = '\0';
    memset(base, 'b', sizeof base);
    base[0] = '/';
    base[PATH_MAX / 2] = '\0';
    assert_false(named_tidy(path, base));
}

/* This process is its own worker. */
static enum named_state find(const char *path, uint64_t flags, struct named *named)
{
    OWN_FD process = process_open_number(getpid());
    struct notice notice = {.thread = getpid(),
                            .system_call = SYS_openat,
                            .arguments = {(uint64_t)AT_FDCWD, (uintptr_t)path, flags}};
    named_find(process, &notice, named);
    return named->state;
}

static void test_what_opening_is_for_is_told_by_its_flags(void **state)
{
    (void)state;
    struct named named;
    assert_int_equal(find("/dev/null", O_RDONLY, &named), NAMED_THERE);
    assert_true(named.opens && !named.writing && !named.creates);
    assert_int_equal(find("/dev/null", O_WRONLY, &named), NAMED_THERE);
    assert_true(named.writing);
    assert_int_equal(find("/dev/null", O_RDONLY | O_TRUNC, &named), NAMED_THERE);
    assert_true(named.writing);
    assert_int_equal(find("/tmp", O_RDONLY | O_TMPFILE, &named), NAMED_THERE);
    assert_true(named.writing);
    assert_int_equal(find("/tmp", O_PATH | O_RDWR, &named), NAMED_THERE);
    assert_false(named.writing);
    assert_int_equal(find("/tmp/cordon-is-not-there", O_CREAT, &named), NAMED_NEW);
    assert_true(named.creates);
    assert_string_equal(named.path, "/tmp/cordon-is-not-there");
    assert_int_equal(find("/cordon-is/not-there", O_CREAT, &named), NAMED_MISSING);
}

static void test_other_processes_folders_are_not_ours(void **state)
{
    (void)state;
    struct named named;
    assert_int_equal(find("/proc/self/maps", O_RDONLY, &named), NAMED_UNSEEN);
    assert_string_equal(named.path, "/proc/self/maps");
    assert_int_equal(find((const char *)8, O_RDONLY, &named), NAMED_UNKNOWN);
    assert_int_equal(find("", O_RDONLY, &named), NAMED_UNKNOWN);
}

static void test_reach_stops_where_nothing_is(void **state)
{
    (void)state;
    char copy[8192];
    char *pages = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(pages != MAP_FAILED);
    assert_int_equal(munmap(pages + 4096, 4096), 0);
    memset(pages, 'x', 4096);
    uint64_t address = (uintptr_t)pages;
    assert_int_equal(reach_bytes(getpid(), address + 4000, copy, 200), 96);
    assert_int_equal(reach_bytes(getpid(), address + 4096, copy, 1), 0);
    assert_int_equal(reach_bytes(getpid(), UINT64_MAX - 10, copy, 100), 0);
    assert_int_equal(reach_text(getpid(), address + 4090, copy, sizeof copy), -EFAULT);
    assert_int_equal(reach_text(getpid(), address, copy, 100), -ENAMETOOLONG);
    pages[4095] = '\0';
    assert_int_equal(reach_text(getpid(), address + 4090, copy, sizeof copy), 5);
    assert_int_equal(munmap(pages, 4096), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names_are_made_absolute_and_tidy),
        cmocka_unit_test(test_name_that_becomes_too_long_is_refused),
        cmocka_unit_test(test_what_opening_is_for_is_told_by_its_flags),
        cmocka_unit_test(test_other_processes_folders_are_not_ours),
        cmocka_unit_test(test_reach_stops_where_nothing_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
