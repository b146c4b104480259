/* SPDX-License-Identifier: Apache-2.0 */

/* What cases do all the time: open, bind, call, wait; a failure ends the case with Cordon's sentence. */
#include "harness/harness.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>

#include <cmocka.h>

#include "base/clock.h"

struct cordon_cell_options harness_options(const struct harness *harness)
{
    struct cordon_cell_options options = CORDON_CELL_OPTIONS;
    options.level = harness->level;
    options.without = harness->without;
    return options;
}

struct cordon_cell *harness_open_with(const struct cordon_cell_options *options)
{
    struct cordon_cell *cell = NULL;
    struct cordon_error error = {{0}};
    int r = cordon_cell_open(options, &cell, &error);
    if (r != 0) {
        fail_msg("opening '%s': %d: %s", options->library ? options->library : "(interface)", r,
                 error.text);
    }
    return cell;
}

struct cordon_cell *harness_open(const struct harness *harness, const char *library,
                                 const char *interface_text)
{
    struct cordon_cell_options options = harness_options(harness);
    options.library = library;
    options.interface_text = interface_text;
    return harness_open_with(&options);
}

struct cordon_function *harness_bind(struct cordon_cell *cell, const char *prototype)
{
    struct cordon_function *function = NULL;
    struct cordon_error error = {{0}};
    int r = cordon_bind(cell, prototype, 0, &function, &error);
    if (r != 0) {
        fail_msg("binding '%s': %d: %s", prototype, r, error.text);
    }
    return function;
}

struct cordon_session *harness_session(struct cordon_cell *cell)
{
    struct cordon_session *session = NULL;
    struct cordon_error error = {{0}};
    int r = cordon_session_open(cell, &session, &error);
    if (r != 0) {
        fail_msg("opening a session: %d: %s", r, error.text);
    }
    return session;
}

void harness_expect(int outcome, int expected, const struct cordon_result *result)
{
    if (outcome != expected) {
        fail_msg("outcome %d (%s) where %d (%s) was expected: %s", outcome,
                 outcome < 0 ? strerror(-outcome) : cordon_outcome_name(outcome), expected,
                 expected < 0 ? strerror(-expected) : cordon_outcome_name(expected),
                 outcome == 0 ? "" : result->error.text);
    }
}

struct cordon_result harness_call(struct cordon_session *session, struct cordon_function *function,
                                  const struct cordon_value *args, size_t count)
{
    struct cordon_result result;
    int r = session ? cordon_session_call(session, function, args, count, CORDON_DEFAULT, &result)
                    : cordon_call(function, args, count, CORDON_DEFAULT, &result);
    harness_expect(r, CORDON_DONE, &result);
    return result;
}

struct cordon_value harness_value(struct cordon_session *session, struct cordon_function *function,
                                  const struct cordon_value *args, size_t count)
{
    struct cordon_result result = harness_call(session, function, args, count);
    struct cordon_value value = result.value;
    assert_int_not_equal(value.kind, CORDON_VALUE_MEMORY);
    cordon_result_release(&result);
    return value;
}

bool harness_wait(bool (*condition)(void *context), void *context, uint32_t ms)
{
    uint64_t until_ns = clock_after_ns(ms * CLOCK_MS_NS);
    for (;;) {
        if (condition(context)) {
            return true;
        }
        if (clock_now_ns() > until_ns) {
            return false;
        }
        (void)nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
}

bool harness_thread_waits(int thread)
{
    char path[64];
    long number = -1;
    (void)snprintf(path, sizeof path, "/proc/self/task/%d/syscall", thread);
    FILE *file = fopen(path, "re");
    /* "running" while it does. */
    bool waits = file && fscanf(file, "%ld", &number) == 1 &&
                 (number == SYS_futex || number == SYS_futex_waitv);
    if (file) {
        (void)fclose(file);
    }
    return waits;
}

/* Name, state and parent of a process, from its stat line; false if there is none. */
static bool read_stat(int pid, char name[64], char *ret_state, int *ret_parent)
{
    char path[64];
    char line[512];
    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    FILE *file = fopen(path, "re");
    if (!file) {
        return false;
    }
    bool read = fgets(line, sizeof line, file) != NULL;
    fclose(file);
    char *begin = read ? strchr(line, '(') : NULL;
    char *end = read ? strrchr(line, ')') : NULL;
    if (!begin || !end || sscanf(end + 1, " %c %d", ret_state, ret_parent) != 2) {
        return false;
    }
    *end = '\0';
    snprintf(name, 64, "%.63s", begin + 1);
    return true;
}

bool harness_process_gone(int pid)
{
    char name[64];
    char state = 'Z';
    int parent;
    return !read_stat(pid, name, &state, &parent) || state == 'Z' || state == 'X';
}

static bool descends(int pid, int ancestor)
{
    char name[64];
    char state;
    int parent = 0;
    for (int depth = 0; depth < 64 && pid > 1; depth++) {
        if (!read_stat(pid, name, &state, &parent)) {
            return false;
        }
        if (parent == ancestor) {
            return true;
        }
        pid = parent;
    }
    return false;
}

/* Programs that run from a memory file are named after it: 15 characters of "memfd:NAME". */
static bool is_called(const char *its_name, const char *name)
{
    char of_memory[64];
    (void)snprintf(of_memory, sizeof of_memory, "memfd:%s", name);
    return strcmp(its_name, name) == 0 || strncmp(its_name, of_memory, 15) == 0;
}

size_t harness_descendants(int ancestor, const char *name, int *ret_pids, size_t room)
{
    DIR *processes = opendir("/proc");
    size_t found = 0;
    for (struct dirent *entry; processes && (entry = readdir(processes));) {
        int pid = atoi(entry->d_name);
        char its_name[64];
        char state;
        int parent;
        if (pid > 0 && read_stat(pid, its_name, &state, &parent) && state != 'Z' &&
            is_called(its_name, name) && descends(pid, ancestor)) {
            if (found < room) {
                ret_pids[found] = pid;
            }
            found++;
        }
    }
    if (processes) {
        closedir(processes);
    }
    return found;
}

const char *harness_faults(void)
{
    const char *path = getenv("CORDON_TEST_FAULTS");
    if (!path || !path[0]) {
        harness_skip("this build has no library of faults (CORDON_TEST_FAULTS)");
    }
    return path;
}
