/* SPDX-License-Identifier: Apache-2.0 */
#include "attach/rig.h"

#include <setjmp.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/fd.h"

#define ARGUMENTS_MAX 16

static bool is_over(void *context)
{
    siginfo_t info = {0};
    const struct rig *rig = *(struct rig **)context;
    return waitid(P_PID, (id_t)rig->daemon, &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
           info.si_pid == rig->daemon;
}

/* Why it says nothing more: what it wrote to standard error stands above. */
static void fail_for_its_end(struct rig *rig)
{
    int status = 0;
    if (!harness_wait(is_over, &rig, 5000)) {
        fail_msg("the daemon lives, and its standard output is closed");
    }
    (void)waitpid(rig->daemon, &status, 0);
    fail_msg("the daemon has ended: %s %d", WIFSIGNALED(status) ? "signal" : "status",
             WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
}

static struct rig_stats read_stats(struct rig *rig)
{
    char line[256];
    size_t length = 0;
    struct rig_stats stats = {0};
    while (length + 1 < sizeof line) {
        if (read(rig->answers, line + length, 1) != 1) {
            fail_for_its_end(rig);
        }
        if (line[length++] == '\n') {
            break;
        }
    }
    line[length] = '\0';
    assert_int_equal(sscanf(line, "%u %u %llu %llu %llu %llu %llu %llu %d", &stats.seats,
                            &stats.leases, &stats.lent, &stats.refused, &stats.crashes,
                            &stats.timeouts, &stats.recalled, &stats.lost, &stats.draining),
                     9);
    return stats;
}

static void be_daemon(const struct rig *rig, char *arguments, int orders, int answers)
{
    const char *program = getenv("CORDON_TEST_LENDER");
    char *argv[ARGUMENTS_MAX + 3] = {(char *)(uintptr_t)program, (char *)(uintptr_t)rig->path};
    int count = 2;
    for (char *word = strtok(arguments, " "); word && count < ARGUMENTS_MAX;
         word = strtok(NULL, " ")) {
        argv[count++] = word;
    }
    if (program && dup2(orders, STDIN_FILENO) >= 0 && dup2(answers, STDOUT_FILENO) >= 0) {
        (void)execv(program, argv);
    }
    _exit(127);
}

void rig_open(struct rig *rig, const char *arguments)
{
    int orders[2];
    int answers[2];
    char copy[256];
    static unsigned number;
    (void)snprintf(copy, sizeof copy, "%s", arguments ? arguments : "");
    (void)snprintf(rig->path, sizeof rig->path, "/tmp/cordon-test-%d-%u.sock", (int)getpid(),
                   number++);
    assert_int_equal(pipe2(orders, O_CLOEXEC), 0);
    assert_int_equal(pipe2(answers, O_CLOEXEC), 0);
    rig->daemon = fork();
    assert_true(rig->daemon >= 0);
    if (rig->daemon == 0) {
        be_daemon(rig, copy, orders[0], answers[1]);
    }
    (void)close(orders[0]);
    (void)close(answers[1]);
    rig->orders = orders[1];
    rig->answers = answers[0];
    (void)read_stats(rig);
}

static int forget(struct rig *rig)
{
    int status = -1;
    fd_release(&rig->orders);
    assert_int_equal(waitpid(rig->daemon, &status, 0), rig->daemon);
    fd_release(&rig->answers);
    return status;
}

void rig_close(struct rig *rig)
{
    int status = forget(rig);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

void rig_kill(struct rig *rig)
{
    assert_int_equal(kill(rig->daemon, SIGKILL), 0);
    (void)forget(rig);
    (void)unlink(rig->path);
}

struct rig_stats rig_order(struct rig *rig, const char *order)
{
    char line[64];
    int length = snprintf(line, sizeof line, "%s\n", order);
    assert_int_equal(write(rig->orders, line, (size_t)length), length);
    return read_stats(rig);
}

bool rig_await_leases(struct rig *rig, unsigned leases)
{
    uint64_t until_ns = clock_after_ns(10 * CLOCK_SECOND_NS);
    while (rig_order(rig, "").leases != leases) {
        if (clock_now_ns() > until_ns) {
            return false;
        }
        (void)usleep(2000);
    }
    return true;
}

struct cordon_cell *rig_attach_with(const struct rig *rig, struct cordon_attach_options options)
{
    struct cordon_error error = {.text = ""};
    struct cordon_cell *cell = NULL;
    options.size = sizeof options;
    options.gateway = rig->path;
    options.cell = "libc";
    int r = cordon_attach(&options, &cell, &error);
    if (r != 0) {
        fail_msg("attach: %d: %s", r, error.text);
    }
    return cell;
}

struct cordon_cell *rig_attach(const struct rig *rig)
{
    return rig_attach_with(rig, (struct cordon_attach_options){.workers = 1});
}

void rig_expect_abs(struct cordon_session *session, struct cordon_function *function, int n)
{
    struct cordon_value arg = cordon_int(-n);
    assert_int_equal(harness_value(session, function, &arg, 1).i, n);
}
