/* SPDX-License-Identifier: Apache-2.0 */
#include "keeper/test_actor.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/clock.h"
#include "lane/layout.h"
#include "lane/alarm.h"

#define FORBIDDEN SYS_keyctl

static struct start_order order;
static struct actor_page *page;

/* ---- The filter -------------------------------------------------------------------------------- */

#define NOTIFY(number)                                                                             \
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (number), 0, 1),                                           \
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF)

static int install_filter(void)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        NOTIFY(SYS_openat),
        NOTIFY(SYS_mkdirat),
        NOTIFY(SYS_socket),
        NOTIFY(SYS_connect),
        NOTIFY(SYS_execve),
        NOTIFY(FORBIDDEN),
        NOTIFY(SYS_exit_group),
        NOTIFY(START_ALARM_CALL),
        NOTIFY(SYS_clone),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone3, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {.len = sizeof code / sizeof code[0], .filter = code};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
        return -1;
    }
    return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER,
                        &program);
}

static void send_byte(char byte, int fd)
{
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {0};
    struct iovec part = {.iov_base = &byte, .iov_len = 1};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    if (fd >= 0) {
        message.msg_control = control;
        message.msg_controllen = sizeof control;
        struct cmsghdr *rights = CMSG_FIRSTHDR(&message);
        rights->cmsg_level = SOL_SOCKET;
        rights->cmsg_type = SCM_RIGHTS;
        rights->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(rights), &fd, sizeof fd);
    }
    (void)sendmsg(START_FD_SOCKET, &message, 0);
}

/* ---- Acts -------------------------------------------------------------------------------------- */

static long late_ms; /* how long a crashed thread is held up before it tells the keeper */

static void on_crash(int signal, siginfo_t *info, void *context)
{
    (void)poll(NULL, 0, (int)late_ms);
    alarm_tell(signal, info, context);
    struct sigaction action = {.sa_handler = SIG_DFL};
    (void)sigaction(signal, &action, NULL);
}

static int handle_crashes(void)
{
    struct sigaction action = {.sa_sigaction = on_crash, .sa_flags = SA_SIGINFO};
    return sigaction(SIGSEGV, &action, NULL) == 0 && sigaction(SIGABRT, &action, NULL) == 0 ? 0
                                                                                            : errno;
}

static int result_of(long r)
{
    return r < 0 ? errno : 0;
}

static int act_open(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    return fd >= 0 ? close(fd) : errno;
}

static int act_create(const char *path)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    return fd >= 0 ? close(fd) : errno;
}

static int act_mkdir(const char *path)
{
    return result_of(mkdirat(AT_FDCWD, path, 0700));
}

static int act_chdir(const char *path)
{
    return result_of(chdir(path));
}

/* A path that begins on one page and has no end on the next, which is not there. */
static int act_half(const char *path)
{
    char *pages = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    size_t length = strlen(path);
    (void)munmap(pages + 4096, 4096);
    memcpy(pages + 4096 - length, path, length);
    return result_of(open(pages + 4096 - length, O_RDONLY));
}

static int act_socket(const char *text)
{
    (void)text;
    return result_of(socket(AF_INET, SOCK_STREAM, 0));
}

static int act_exec(const char *path)
{
    return result_of(execl(path, path, NULL));
}

static int act_forbidden(const char *text)
{
    int error = 0;
    for (long count = strtol(text, NULL, 10); count > 0; count--) {
        error = result_of(syscall(FORBIDDEN, 0, 0, 0, 0, 0));
    }
    return error;
}

static void *forbidden_without_end(void *text)
{
    (void)text;
    for (;;) {
        (void)syscall(FORBIDDEN, 0, 0, 0, 0, 0);
    }
    return NULL;
}

static void *wait_without_end(void *text)
{
    (void)text;
    (void)prctl(PR_SET_NAME, "waits", 0, 0, 0);
    for (;;) {
        (void)pause();
    }
    return NULL;
}

static int make_threads(long count, void *(*run)(void *))
{
    pthread_t thread;
    int error = 0;
    for (; count > 0 && error == 0; count--) {
        error = pthread_create(&thread, NULL, run, NULL);
    }
    return error;
}

static int act_flood(const char *text)
{
    return make_threads(strtol(text, NULL, 10), forbidden_without_end);
}

static int act_threads(const char *text)
{
    return make_threads(strtol(text, NULL, 10), wait_without_end);
}

/* It is dead before its notice is answered. */
static int act_die(const char *text)
{
    (void)act_flood(text);
    return result_of(kill(getpid(), SIGKILL));
}

static int act_crash(const char *text)
{
    volatile int *place = (volatile int *)(uintptr_t)strtoul(text + 1, NULL, 16);
    int error = handle_crashes();
    if (text[0] == 'a') {
        abort();
    } else if (text[0] == 'w') {
        *place = 1;
    } else {
        (void)*place;
    }
    return error;
}

static int act_late(const char *text)
{
    late_ms = strtol(text, NULL, 10);
    return 0;
}

/* An alarm with nothing behind it. */
static int act_lie(const char *text)
{
    unsigned long signal = strtoul(text, NULL, 10);
    return result_of(syscall(START_ALARM_CALL, signal, ~0ul << 12, 8, 0, 0));
}

static int act_exit(const char *text)
{
    long status = strtol(text, NULL, 10);
    return result_of(syscall(SYS_exit_group, status));
}

static int act_close(const char *text)
{
    (void)text;
    return result_of(close_range(0, ~0u, 0));
}

static _Atomic uint64_t spins;

static int told; /* what the keeper answered about the listener */

/* As if it could not be sent; @number: of a descriptor, the listener's or another. */
static void have_taken(int number)
{
    unsigned char text[2] = {START_LISTENER_HERE, (unsigned char)number};
    unsigned char answer = 0;
    if (write(START_FD_SOCKET, text, sizeof text) == sizeof text) {
        told = read(START_FD_SOCKET, &answer, 1) == 1 ? answer : EPIPE;
    }
}

static int act_here(const char *text)
{
    (void)text;
    return told;
}

static int act_hang(const char *text)
{
    (void)text;
    atomic_store(&page->address, (uint64_t)(uintptr_t)act_hang);
    atomic_fetch_add(&page->done, 1);
    while (spins < UINT64_MAX) {
        spins++;
    }
    return 0;
}

static int act_wait(const char *text)
{
    (void)wait_without_end((void *)(uintptr_t)text);
    return 0;
}

static const struct act {
    const char *name;
    int (*act)(const char *text);
} acts[] = {
    {"open", act_open},       {"create", act_create}, {"mkdir", act_mkdir},
    {"chdir", act_chdir},     {"half", act_half},     {"socket", act_socket},
    {"exec", act_exec},       {"flood", act_flood},   {"forbidden", act_forbidden},
    {"threads", act_threads}, {"die", act_die},       {"crash", act_crash},
    {"lie", act_lie},         {"exit", act_exit},     {"close", act_close},
    {"hang", act_hang},       {"wait", act_wait},     {"late", act_late},
    {"here", act_here},
};

static int run(const char *name, const char *text)
{
    for (size_t i = 0; i < sizeof acts / sizeof acts[0]; i++) {
        if (strcmp(acts[i].name, name) == 0) {
            return acts[i].act(text);
        }
    }
    return ENOENT;
}

static void play(char *script)
{
    uint32_t count = 0;
    char *rest = script;
    for (char *act = strtok_r(rest, ";", &rest); act; act = strtok_r(NULL, ";", &rest)) {
        char *text = strchr(act, ':');
        if (text) {
            *text++ = '\0';
        }
        uint64_t begun = clock_now_ns();
        int error = run(act, text ? text : "");
        atomic_store(&page->error[count], error);
        atomic_store(&page->took_ns[count], clock_now_ns() - begun);
        atomic_store(&page->done, ++count);
    }
}

int main(void)
{
    if (read(START_FD_SOCKET, &order, sizeof order) <= 0) {
        return START_EXIT_REFUSED;
    }
    uint8_t *w = mmap(NULL, order.w_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, START_FD_W, 0);
    int listener = install_filter();
    if (w == MAP_FAILED || listener < 0) {
        return START_EXIT_REFUSED;
    }
    page = (struct actor_page *)(void *)(w + LANE_W_BYTES_AT);
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    if (strncmp(order.library, "here:", 5) == 0) {
        have_taken((int)strtol(order.library + 5, NULL, 10));
    } else if (strncmp(order.library, "here;", 5) == 0) {
        have_taken(listener);
    } else {
        send_byte(START_LISTENER, listener);
    }
    (void)close(listener);
    send_byte(START_LOADED, -1);
    play(order.library);
    (void)wait_without_end(NULL);
}
