/* SPDX-License-Identifier: Apache-2.0 */

/*
 * How it works: every case becomes one cmocka test whose function forks. In the child an assertion that
 * fails prints its sentence and aborts (CMOCKA_TEST_ABORT): the runner that cmocka would jump to is the
 * parent's. The child compares what it holds before and after, and exits: 0 passed, 77 skipped. The
 * parent is subreaper, so that whatever the child leaves behind becomes a child of the test program.
 */
#include "harness/harness.h"

#include <errno.h>
#include <ftw.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/fd.h"
#include "harness/traces.h"

#define EXIT_SKIPPED    77
#define SECONDS_DEFAULT 30u
/* Until a dead host's keeper and workers must be gone: three seconds where reports are written, on a free CPU. */
#define AFTERLIFE_NS (15 * CLOCK_SECOND_NS)
/* Reports of ends in the host's own process: a few programs of ten seconds each, with the least priority. */
#define REPORTING_NS     (60 * CLOCK_SECOND_NS)
#define OUTPUT_BYTES_MAX 16384

/* One case at one level. */
struct run {
    const struct harness_case *what;
    struct harness harness;
    char name[128];
};

static const struct {
    const char *name;
    uint32_t bit;
} mechanisms[] = {
    {"userns", CORDON_USER_NAMESPACES}, {"pidns", CORDON_PID_NAMESPACES},
    {"landlock", CORDON_LANDLOCK},      {"seccomp", CORDON_SECCOMP},
    {"madv_guard", CORDON_MADV_GUARD},
};

static uint32_t mechanism_bit(const char *name)
{
    for (size_t i = 0; i < HARNESS_COUNT(mechanisms); i++) {
        if (strcmp(mechanisms[i].name, name) == 0) {
            return mechanisms[i].bit;
        }
    }
    fprintf(stderr, "CORDON_TEST_WITHOUT: what is '%s'?\n", name);
    exit(2);
}

static uint32_t without_from_environment(void)
{
    const char *list = getenv("CORDON_TEST_WITHOUT");
    char copy[256];
    uint32_t without = 0;
    snprintf(copy, sizeof copy, "%s", list ? list : "");
    char *rest = NULL;
    for (char *name = strtok_r(copy, ",", &rest); name; name = strtok_r(NULL, ",", &rest)) {
        without |= mechanism_bit(name);
    }
    return without;
}

/* The case's side: in the forked process. */

/* cmocka takes the fault signals for its own tests; in a case they are Cordon's, or fatal. */
static void leave_cmocka(void)
{
    static const int taken[] = {SIGFPE, SIGILL, SIGSEGV, SIGBUS, SIGSYS};
    for (size_t i = 0; i < HARNESS_COUNT(taken); i++) {
        (void)signal(taken[i], SIG_DFL);
    }
    (void)setenv("CMOCKA_TEST_ABORT", "1", 1);
    (void)setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
}

/* Open and close a cell once, so that what the first one leaves for the next (the keeper) is there. */
static void warm_up(const struct harness *harness)
{
    struct cordon_cell_options options = harness_options(harness);
    options.library = "";
    struct cordon_cell *cell = NULL;
    struct cordon_error error;
    int r = cordon_cell_open(&options, &cell, &error);
    if (r != 0) {
        printf("no cell on the C library at level %s: %d: %s\n", harness->level_name, r,
               r < 0 || error.text[0] ? error.text : "");
        exit(1);
    }
    cordon_cell_close(cell);
}

static unsigned overlooked(const struct run *run)
{
    unsigned overlook = 0;
    if (run->what->flags & HARNESS_ABANDONS && run->harness.level != CORDON_LEVEL_PROCESS) {
        overlook |= TRACES_THREADS | TRACES_MEMORY;
    }
    if (run->what->flags & HARNESS_LEAVES_FDS && run->harness.level != CORDON_LEVEL_PROCESS) {
        overlook |= TRACES_DESCRIPTORS;
    }
    if (run->what->flags & HARNESS_COLD) {
        overlook |= TRACES_DESCRIPTORS;
    }
    return overlook;
}

static void *end_at_once(void *context)
{
    return context;
}

bool harness_under_tsan(void)
{
    extern void __tsan_init(void) __attribute__((weak));
    return __tsan_init != NULL;
}

bool harness_under_asan(void)
{
    extern void __asan_init(void) __attribute__((weak));
    return __asan_init != NULL;
}

static int leak_search_is_off;

/* LeakSanitizer asks at the end of the program. */
int __lsan_is_turned_off(void);
__attribute__((visibility("default"))) int __lsan_is_turned_off(void)
{
    return leak_search_is_off;
}

void harness_no_leak_search(void)
{
    leak_search_is_off = 1;
}

/* ThreadSanitizer starts a thread of its own with the first one of the program. */
static void start_tools(void)
{
    pthread_t thread;
    if (harness_under_tsan() && pthread_create(&thread, NULL, end_at_once, NULL) == 0) {
        (void)pthread_join(thread, NULL);
    }
}

static __attribute__((noreturn)) void run_case(const struct run *run)
{
    struct traces before;
    leave_cmocka();
    start_tools();
    if (run->what->flags & HARNESS_ABANDONS && run->harness.level != CORDON_LEVEL_PROCESS) {
        harness_no_leak_search();
    }
    /* What belongs to a level that handles faults in this process is there after the warm-up. */
    if (!(run->what->flags & HARNESS_COLD) && run->harness.level == CORDON_LEVEL_PROCESS) {
        traces_take(&before);
        warm_up(&run->harness);
        if (!traces_compare(&before, TRACES_DESCRIPTORS | TRACES_MEMORY | TRACES_THREADS)) {
            exit(1);
        }
    } else if (!(run->what->flags & HARNESS_COLD)) {
        warm_up(&run->harness);
    }
    traces_take(&before);
    run->what->run(&run->harness);
    bool clean = traces_compare(&before, overlooked(run));
    fflush(NULL);
    exit(clean ? 0 : 1);
}

void harness_skip(const char *why, ...)
{
    va_list args;
    va_start(args, why);
    printf("skipped: ");
    vprintf(why, args);
    printf("\n");
    va_end(args);
    fflush(NULL);
    _exit(EXIT_SKIPPED);
}

/* The test program's side. */

static void print_output(int fd)
{
    char buffer[OUTPUT_BYTES_MAX];
    off_t end = lseek(fd, 0, SEEK_END);
    off_t from = end > (off_t)sizeof buffer ? end - (off_t)sizeof buffer : 0;
    ssize_t length = pread(fd, buffer, sizeof buffer, from);
    if (length > 0) {
        fflush(stdout);
        fwrite(buffer, 1, (size_t)length, stdout);
        fflush(stdout);
    }
}

/* Wait for @pid until @until_ns; its status, or -1 when it was late and had to be killed. */
static int await_case(pid_t pid, uint64_t until_ns)
{
    int status = 0;
    for (;;) {
        pid_t ended = waitpid(pid, &status, WNOHANG);
        if (ended == pid) {
            return status;
        }
        if (clock_now_ns() > until_ns) {
            (void)kill(pid, SIGKILL);
            (void)waitpid(pid, &status, 0);
            return -1;
        }
        (void)nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
    }
}

static void name_of(pid_t pid, char *name, size_t size)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/comm", pid);
    snprintf(name, size, "?");
    FILE *file = fopen(path, "re");
    if (file) {
        if (fgets(name, (int)size, file)) {
            name[strcspn(name, "\n")] = '\0';
        }
        fclose(file);
    }
}

/* Print and kill the children that this test program has inherited. */
static void end_orphans(void)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/self/task/%d/children", (int)getpid());
    FILE *children = fopen(path, "re");
    int pid;
    while (children && fscanf(children, "%d", &pid) == 1) {
        char name[64];
        name_of(pid, name, sizeof name);
        printf("left behind: process %d (%s)\n", pid, name);
        (void)kill(pid, SIGKILL);
    }
    if (children) {
        fclose(children);
    }
}

/* What this test program has inherited is cordon-symbolize and nothing else. */
static bool only_reports_are_written(void)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/self/task/%d/children", (int)getpid());
    FILE *children = fopen(path, "re");
    bool only = children != NULL;
    int pid;
    while (only && fscanf(children, "%d", &pid) == 1) {
        char name[64];
        name_of(pid, name, sizeof name);
        only = strstr(name, "cordon-sy") != NULL; /* "memfd:cordon-sy" */
    }
    if (children) {
        fclose(children);
    }
    return only;
}

/* Reap what the case left to us; true if nothing lived longer than it may. */
static bool await_afterlife(void)
{
    uint64_t until_ns = clock_after_ns(AFTERLIFE_NS);
    uint64_t written_ns = clock_after_ns(REPORTING_NS);
    bool clean = true;
    for (;;) {
        pid_t ended = waitpid(-1, NULL, WNOHANG | __WALL);
        if (ended == -1 && errno == ECHILD) {
            return clean;
        }
        if (ended > 0) {
            continue;
        }
        uint64_t now_ns = clock_now_ns();
        if (now_ns > until_ns && (now_ns > written_ns || !only_reports_are_written())) {
            end_orphans();
            clean = false;
            until_ns = clock_after_ns(AFTERLIFE_NS);
        }
        (void)nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
    }
}

static pid_t fork_case(struct run *run, int output)
{
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        (void)dup2(output, STDOUT_FILENO);
        (void)dup2(output, STDERR_FILENO);
        (void)close(output);
        setvbuf(stdout, NULL, _IOLBF, 0);
        run_case(run);
    }
    return pid;
}

/* CORDON_TEST_TIME_SCALE: limits are this many times as long, for sanitizers and slow machines. */
static uint32_t time_limit(const struct harness_case *what)
{
    const char *scale = getenv("CORDON_TEST_TIME_SCALE");
    unsigned long times = scale ? strtoul(scale, NULL, 10) : 1;
    uint32_t seconds = what->seconds ? what->seconds : SECONDS_DEFAULT;
    return times > 1 && times < 1000 ? seconds * (uint32_t)times : seconds;
}

static void test_function(void **state)
{
    struct run *run = *state;
    uint32_t seconds = time_limit(run->what);
    OWN_FD output = memfd_create("harness-output", MFD_CLOEXEC);
    assert_true(output >= 0);
    pid_t pid = fork_case(run, output);
    assert_true(pid > 0);
    int status = await_case(pid, clock_after_ns(seconds * CLOCK_SECOND_NS));
    bool clean = await_afterlife();
    if (clean && status != -1 && WIFEXITED(status) && WEXITSTATUS(status) == 0) {
        return;
    }
    print_output(output);
    if (status != -1 && WIFEXITED(status) && WEXITSTATUS(status) == EXIT_SKIPPED) {
        fd_release(&output);
        skip();
    }
    fd_release(&output);
    if (status == -1) {
        fail_msg("%s did not end within %u s", run->name, seconds);
    } else if (WIFSIGNALED(status) && WTERMSIG(status) != SIGABRT) {
        fail_msg("%s was ended by signal %d", run->name, WTERMSIG(status));
    }
    fail_msg("%s %s", run->name, clean ? "failed" : "left processes behind");
}

static bool selected(const char *name, int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        if (strstr(name, argv[i])) {
            return true;
        }
    }
    return argc < 2;
}

static const char *const level_names[] = {"process", "thread", "inline"};

static int remove_entry(const char *path, const struct stat *info, int flag, struct FTW *where)
{
    (void)info;
    (void)flag;
    (void)where;
    return remove(path);
}

/* Reports of what crashes here are not this user's: their directory is a private one, as @state. */
static void own_state(char *state)
{
    if (!getenv("XDG_STATE_HOME") && mkdtemp(state)) {
        (void)setenv("XDG_STATE_HOME", state, 1);
    } else {
        *state = '\0';
    }
}

static void forget_state(const char *state)
{
    if (*state) {
        (void)nftw(state, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
    }
}

int harness_main(int argc, char **argv, const struct harness_case *cases, size_t count)
{
    char state[] = "/tmp/cordon-test-state-XXXXXX";
    (void)prctl(PR_SET_CHILD_SUBREAPER, 1);
    own_state(state);
    struct run *runs = calloc(count * HARNESS_COUNT(level_names), sizeof *runs);
    struct CMUnitTest *tests = calloc(count * HARNESS_COUNT(level_names), sizeof *tests);
    if (!runs || !tests) {
        free(tests);
        free(runs);
        return 1;
    }
    size_t chosen = 0;
    for (size_t i = 0; i < count; i++) {
        for (uint32_t level = 0; level < HARNESS_COUNT(level_names); level++) {
            struct run *run = &runs[chosen];
            bool once = cases[i].levels == HARNESS_ONCE && level == 0;
            if (!once && !(cases[i].levels & 1u << level)) {
                continue;
            }
            run->what = &cases[i];
            run->harness.level = (enum cordon_level)level;
            run->harness.level_name = level_names[level];
            run->harness.without = without_from_environment();
            snprintf(run->name, sizeof run->name, once ? "%s" : "%s[%s]", cases[i].name,
                     level_names[level]);
            if (selected(run->name, argc, argv)) {
                tests[chosen] = (struct CMUnitTest){run->name, test_function, NULL, NULL, run};
                chosen++;
            }
        }
    }
    int failed = chosen ? _cmocka_run_group_tests("system", tests, chosen, NULL, NULL) : 0;
    forget_state(state);
    free(tests);
    free(runs);
    return failed ? 1 : 0;
}
