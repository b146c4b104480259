/* SPDX-License-Identifier: Apache-2.0 */

/*
 * How it works: three processes for each case. One enters a new PID namespace and waits; one is that namespace's
 * first process and waits, with a limit, for the third, the host, and then for whatever the host left behind.
 * When the first process of a namespace ends, the kernel ends everything else in it.
 */
#include "table.h"
#include "unharmed.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "harness/harness.h"

#define HOST_SECONDS  20u
#define HUNG_SECONDS  2u /* where nothing else is to be expected */
#define AFTERLIFE_NS  (2 * CLOCK_SECOND_NS)
#define EXIT_NOT_HERE 3

static void pause_ms(long ms)
{
    (void)nanosleep(&(struct timespec){.tv_nsec = ms * 1000000}, NULL);
}

static void add_harm(struct table_report *report, const char *what)
{
    size_t used = strlen(report->harm);
    (void)snprintf(report->harm + used, sizeof report->harm - used, "%s%s", used ? ", " : "", what);
}

/* ---- A namespace ------------------------------------------------------------------------------- */

static bool write_file(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    bool written = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
    if (fd >= 0) {
        (void)close(fd);
    }
    return written;
}

/* Who is not root needs a user namespace for it, in which it stays who it is. */
static bool enter_namespace(void)
{
    char map[64];
    uid_t uid = geteuid();
    gid_t gid = getegid();
    if (unshare(CLONE_NEWPID) == 0) {
        return true;
    }
    if (unshare(CLONE_NEWUSER | CLONE_NEWPID) != 0) {
        return false;
    }
    (void)write_file("/proc/self/setgroups", "deny");
    (void)snprintf(map, sizeof map, "%u %u 1", uid, uid);
    bool mapped = write_file("/proc/self/uid_map", map);
    (void)snprintf(map, sizeof map, "%u %u 1", gid, gid);
    return write_file("/proc/self/gid_map", map) && mapped;
}

/* ---- The namespace's first process ------------------------------------------------------------- */

static unsigned time_scale(void)
{
    const char *scale = getenv("CORDON_TEST_TIME_SCALE");
    unsigned long times = scale ? strtoul(scale, NULL, 10) : 1;
    return times > 1 && times < 1000 ? (unsigned)times : 1;
}

static void judge_end(int status, struct table_report *report)
{
    char text[64] = "the host ended";
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0 && report->finished) {
        return;
    }
    if (WIFEXITED(status) && report->harm[0]) {
        return; /* it gave up, and says why */
    }
    if (WIFSTOPPED(status)) {
        (void)snprintf(text, sizeof text, "the host was stopped");
    } else if (WIFSIGNALED(status)) {
        (void)snprintf(text, sizeof text, "the host was ended by SIG%s",
                       sigabbrev_np(WTERMSIG(status)));
    } else if (WIFEXITED(status)) {
        (void)snprintf(text, sizeof text, "the host exited with %d", WEXITSTATUS(status));
    }
    report->ended_oddly = true;
    (void)snprintf(report->outcome_text, sizeof report->outcome_text, "%s", text);
    add_harm(report, text);
}

static void await_host(pid_t host, unsigned seconds, struct table_report *report)
{
    uint64_t until_ns = clock_after_ns(seconds * time_scale() * CLOCK_SECOND_NS);
    int status;
    for (;;) {
        pid_t ended = waitpid(host, &status, WNOHANG | WUNTRACED);
        if (ended == host) {
            judge_end(status, report);
            break;
        }
        if (clock_now_ns() > until_ns) {
            report->ended_oddly = true;
            (void)snprintf(report->outcome_text, sizeof report->outcome_text, "the host hung");
            add_harm(report, "the host hung");
            break;
        }
        pause_ms(2);
    }
    (void)kill(host, SIGKILL);
}

/* What is still there a while after the host is what the host left. */
static void await_rest(struct table_report *report)
{
    uint64_t until_ns = clock_after_ns(AFTERLIFE_NS * time_scale());
    for (;;) {
        pid_t ended = waitpid(-1, NULL, WNOHANG | __WALL);
        if (ended == -1 && errno == ECHILD) {
            return;
        }
        if (ended <= 0 && clock_now_ns() > until_ns) {
            add_harm(report, "processes outlive it");
            return;
        }
        if (ended <= 0) {
            pause_ms(1);
        }
    }
}

static _Noreturn void be_first(const struct table_fault *fault, enum cordon_level level,
                               struct table_report *report)
{
    (void)prctl(PR_SET_CHILD_SUBREAPER, 1);
    pid_t bystander = fork();
    if (bystander == 0) {
        (void)setpgid(0, 0);
        for (;;) {
            (void)pause();
        }
    }
    pid_t host = fork();
    if (host == 0) {
        table_host(fault, level, report);
    }
    bool may_hang = level != CORDON_LEVEL_PROCESS && fault->flags & TABLE_HANGS;
    await_host(host, may_hang ? HUNG_SECONDS : HOST_SECONDS, report);
    /* Whoever was not the host's to kill is there still. */
    if (waitpid(bystander, NULL, WNOHANG) != 0) {
        add_harm(report, "others were killed");
    }
    (void)kill(bystander, SIGKILL);
    (void)waitpid(bystander, NULL, 0);
    if (report->finished) {
        await_rest(report);
    }
    _exit(0);
}

static _Noreturn void be_outside(const struct table_fault *fault, enum cordon_level level,
                                 struct table_report *report)
{
    int status = 0;
    (void)setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
    /* Its handlers would be in the way of ours, and of the faults. */
    if ((level != CORDON_LEVEL_PROCESS && harness_under_asan()) ||
        (!enter_namespace() && fault->flags & TABLE_NAMESPACE)) {
        _exit(EXIT_NOT_HERE);
    }
    pid_t first = fork();
    if (first == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        be_first(fault, level, report);
    }
    (void)waitpid(first, &status, 0);
    _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 1);
}

/* ---- What it comes to -------------------------------------------------------------------------- */

static void describe(const struct table_fault *fault, const struct table_report *report, char *text,
                     size_t size)
{
    if (report->ended_oddly) {
        (void)snprintf(text, size, "%s", report->outcome_text);
    } else if (fault->flags & TABLE_ANY_OUTCOME) {
        (void)snprintf(text, size, "any");
    } else if (report->outcome < 0) {
        (void)snprintf(text, size, "not opened");
    } else if (report->outcome == CORDON_CRASHED && report->signal) {
        (void)snprintf(text, size, "crashed (SIG%s)", sigabbrev_np(report->signal));
    } else if (report->outcome == CORDON_CRASHED) {
        (void)snprintf(text, size, "crashed (exit %d)", report->exit_status);
    } else if (report->outcome == CORDON_DONE && fault->flags & TABLE_ACT) {
        (void)snprintf(text, size, report->managed ? "done, succeeded" : "done, refused");
    } else {
        (void)snprintf(text, size, "%s", cordon_outcome_name(report->outcome));
    }
}

static void describe_recovery(const struct table_report *report, char *text, size_t size)
{
    static const unsigned classes_ms[] = {100, 1000, 10000};
    text[0] = '\0';
    for (size_t i = 0; report->same_cell && i < 3 && !text[0]; i++) {
        if (report->recovery_ns <= classes_ms[i] * CLOCK_MS_NS) {
            (void)snprintf(text, size, "%u ms", classes_ms[i]);
        }
    }
}

static enum table_class judge(const struct table_report *report)
{
    if (report->harm[0] || report->managed > 0 || !report->fresh_cell) {
        return TABLE_NOT_CONTAINED;
    }
    if (report->same_cell && !report->quarantined) {
        return TABLE_CONTAINED;
    }
    return report->outcome != CORDON_DONE ? TABLE_DETECTED : TABLE_NOT_CONTAINED;
}

static struct table_report *new_report(void)
{
    void *report = mmap(NULL, sizeof(struct table_report), PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (report == MAP_FAILED) {
        perror("shared memory");
        exit(2);
    }
    return report;
}

static void write_entry(const struct table_fault *fault, int status,
                        const struct table_report *report, struct table_entry *ret_entry)
{
    memset(ret_entry, 0, sizeof *ret_entry);
    if (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_NOT_HERE) {
        ret_entry->class = TABLE_SKIPPED;
        return;
    }
    ret_entry->class = judge(report);
    describe(fault, report, ret_entry->outcome, sizeof ret_entry->outcome);
    describe_recovery(report, ret_entry->recovery, sizeof ret_entry->recovery);
    (void)snprintf(ret_entry->why, sizeof ret_entry->why, "%.250s%s%.100s", report->harm,
                   report->harm[0] && report->detail[0] ? "; " : "", report->detail);
}

void table_begin(const struct table_fault *fault, struct table_try *ret_try)
{
    (void)fflush(NULL);
    ret_try->fault = fault;
    for (int level = 0; level < TABLE_LEVELS; level++) {
        ret_try->reports[level] = new_report();
        ret_try->outside[level] = fork();
        if (ret_try->outside[level] == 0) {
            be_outside(fault, (enum cordon_level)level, ret_try->reports[level]);
        }
    }
}

void table_end(struct table_try *try, struct table_entry ret_entries[TABLE_LEVELS])
{
    for (int level = 0; level < TABLE_LEVELS; level++) {
        int status = 0;
        (void)waitpid(try->outside[level], &status, 0);
        if (try->reports[level]->number > 0) {
            unharmed_clear(try->reports[level]->number);
        }
        write_entry(try->fault, status, try->reports[level], &ret_entries[level]);
        (void)munmap(try->reports[level], sizeof *try->reports[level]);
    }
}
