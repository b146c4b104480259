/* SPDX-License-Identifier: Apache-2.0 */
#include "recovery/subject.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static const char interface_text[] =
    "struct thing;\n"
    "int remember(int value);\n"
    "int recall(void);\n"
    "int recalls(void);\n"
    "int remember_text(const char *text);\n"
    "int served(int value);\n"
    "int served_text(const char *text);\n"
    "int crash(int number);\n"
    "int other_crash(int number);\n"
    "int crash_if(int value);\n"
    "int wait_ms(int ms);\n"
    "int grow(int mib);\n"
    "int put_in_flight(int most);\n"
    "struct thing *thing_new(int value);\n"
    "int thing_value(struct thing *thing);\n"
    "void thing_free(release struct thing *thing);\n"
    "void keep(kept(until next) nullable int (*function)(int value) fails(0));\n";

static void copy_file(const char *from, const char *to)
{
    char bytes[65536];
    FILE *in = fopen(from, "re");
    FILE *out = fopen(to, "we");
    assert_non_null(in);
    assert_non_null(out);
    for (size_t n; (n = fread(bytes, 1, sizeof bytes, in)) > 0;) {
        assert_int_equal(fwrite(bytes, 1, n, out), n);
    }
    (void)fclose(in);
    assert_int_equal(fclose(out), 0);
    assert_int_equal(chmod(to, 0755), 0);
}

struct cordon_cell_options subject_options(const struct harness *harness, struct subject *subject)
{
    static char path[128];
    const char *library = getenv("CORDON_TEST_RECOVERY");
    if (!library) {
        harness_skip("CORDON_TEST_RECOVERY names no library");
    }
    (void)snprintf(subject->folder, sizeof subject->folder, "/tmp/cordon-recovery-XXXXXX");
    assert_non_null(mkdtemp(subject->folder));
    assert_int_equal(chmod(subject->folder, 0755), 0);
    (void)snprintf(path, sizeof path, "%s/library.so", subject->folder);
    copy_file(library, path);
    struct cordon_cell_options options = harness_options(harness);
    options.library = path;
    options.interface_text = interface_text;
    return options;
}

void subject_open(struct subject *subject, const struct cordon_cell_options *options)
{
    subject->cell = harness_open_with(options);
    subject->session = cordon_session_current(subject->cell);
    assert_non_null(subject->session);
}

void subject_close(struct subject *subject)
{
    char path[128];
    cordon_cell_close(subject->cell);
    subject_fail(subject, false);
    (void)snprintf(path, sizeof path, "%s/library.so", subject->folder);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rmdir(subject->folder), 0);
}

void subject_fail(const struct subject *subject, bool fail)
{
    char path[128];
    (void)snprintf(path, sizeof path, "%s/fail", subject->folder);
    if (!fail) {
        (void)unlink(path);
        return;
    }
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    (void)fclose(file);
}

int subject_try(const struct subject *subject, const char *name, int value,
                struct cordon_result *ret_result)
{
    struct cordon_value arg = cordon_int(value);
    bool none = strncmp(name, "recall", 6) == 0;
    return cordon_call(harness_bind(subject->cell, name), &arg, none ? 0 : 1, CORDON_DEFAULT,
                       ret_result);
}

int64_t subject_call(const struct subject *subject, const char *name, int value)
{
    struct cordon_result result;
    harness_expect(subject_try(subject, name, value, &result), CORDON_DONE, &result);
    return result.value.i;
}

static int nothing(void *context, struct cordon_session *session, const struct cordon_value *args,
                   size_t count, struct cordon_value *ret_value)
{
    (void)context;
    (void)session;
    (void)args;
    (void)count;
    *ret_value = cordon_int(0);
    return 0;
}

struct cordon_callback *subject_callback(void)
{
    struct cordon_callback *callback = NULL;
    assert_int_equal(cordon_callback_new(nothing, NULL, &callback), 0);
    return callback;
}

struct cordon_cell_stats subject_stats(const struct subject *subject)
{
    struct cordon_cell_stats stats;
    cordon_cell_stats(subject->cell, &stats);
    return stats;
}

struct awaited {
    const struct subject *subject;
    uint32_t count;
};

static bool sleeps(int pid)
{
    char path[64];
    char state = '?';
    (void)snprintf(path, sizeof path, "/proc/%d/stat", pid);
    FILE *file = fopen(path, "re");
    bool read = file && fscanf(file, "%*d (%*[^)]) %c", &state) == 1;
    if (file) {
        (void)fclose(file);
    }
    return read && state == 'S';
}

static bool spares_are_ready(void *context)
{
    const struct awaited *awaited = context;
    int pids[64];
    struct cordon_cell_stats stats = subject_stats(awaited->subject);
    if (stats.spares != awaited->count) {
        (void)subject_call(awaited->subject, "recall", 0); /* callers order them, nobody else */
        return false;
    }
    size_t found = harness_descendants(getppid(), "cordon-worker", pids, HARNESS_COUNT(pids));
    uint32_t asleep = 0;
    for (size_t i = 0; i < found; i++) {
        asleep += sleeps(pids[i]);
    }
    return found == stats.workers + awaited->count && asleep == found;
}

void subject_await_spares(const struct subject *subject, uint32_t count)
{
    struct awaited awaited = {.subject = subject, .count = count};
    if (!harness_wait(spares_are_ready, &awaited, 5000)) {
        fail_msg("no %u spares within 5 s, but %u", count, subject_stats(subject).spares);
    }
}
