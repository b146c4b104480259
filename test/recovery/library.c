/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What the cases of recovery call: something that is remembered, grows, hangs, crashes, and a constructor
 * that aborts while a file "fail" lies beside the library.
 */
#include <dlfcn.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define PUBLIC __attribute__((visibility("default")))

struct thing {
    int value;
};

PUBLIC int remember(int value);
PUBLIC int recall(void);
PUBLIC int recalls(void);
PUBLIC int remember_text(const char *text);
PUBLIC int served(int value);
PUBLIC int served_text(const char *text);
PUBLIC int crash(int number);
PUBLIC int crash_if(int value);
PUBLIC int other_crash(int number);
PUBLIC int wait_ms(int ms);
PUBLIC int grow(int mib);
PUBLIC int put_in_flight(int most);
PUBLIC struct thing *thing_new(int value);
PUBLIC int thing_value(const struct thing *thing);
PUBLIC void thing_free(struct thing *thing);
PUBLIC void keep(int (*function)(int value));
PUBLIC void unkeep(void);

static int remembered;
static int remember_calls;
static int served_calls;
static int (*kept)(int value);

__attribute__((constructor)) static void start(void)
{
    Dl_info info;
    char path[4096];
    if (dladdr((const void *)(size_t)&remembered, &info) == 0 || !info.dli_fname) {
        return;
    }
    const char *end = strrchr(info.dli_fname, '/');
    if (end) {
        (void)snprintf(path, sizeof path, "%.*s/fail", (int)(end - info.dli_fname), info.dli_fname);
        if (access(path, F_OK) == 0) {
            abort();
        }
    }
}

int remember(int value)
{
    int before = remembered;
    remembered = value;
    remember_calls++;
    return before;
}

int remember_text(const char *text)
{
    remember_calls++;
    remembered = (int)strlen(text);
    return remembered;
}

/* How often the two were called in this process. */
int served(int value)
{
    served_calls += value == 0;
    return served_calls;
}

int served_text(const char *text)
{
    return served(text ? 0 : 1);
}

int recall(void)
{
    return remembered;
}

int recalls(void)
{
    return remember_calls;
}

int crash(int number)
{
    return raise(number);
}

int other_crash(int number)
{
    return raise(number);
}

int crash_if(int value)
{
    return remembered == value ? raise(SIGSEGV) : 0;
}

int wait_ms(int ms)
{
    struct timespec time = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L};
    (void)nanosleep(&time, NULL);
    return ms;
}

int grow(int mib)
{
    size_t bytes = (size_t)mib << 20;
    char *memory = malloc(bytes);
    if (memory) {
        memset(memory, 1, bytes);
        __asm__ volatile("" : : "r"(memory) : "memory");
    }
    return memory != NULL; /* NOLINT(clang-analyzer-unix.Malloc): what it grows by stays */
}

/* Descriptors in messages that nobody receives: as many as the kernel takes, of this user. */
int put_in_flight(int most)
{
    int pair[2];
    int count = 0;
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0) {
        return -1;
    }
    for (; count < most; count++) {
        _Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {0};
        char byte = 0;
        struct iovec part = {.iov_base = &byte, .iov_len = 1};
        struct msghdr message = {.msg_iov = &part,
                                 .msg_iovlen = 1,
                                 .msg_control = control,
                                 .msg_controllen = sizeof control};
        struct cmsghdr *rights = CMSG_FIRSTHDR(&message);
        rights->cmsg_level = SOL_SOCKET;
        rights->cmsg_type = SCM_RIGHTS;
        rights->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(rights), &pair[0], sizeof(int));
        if (sendmsg(pair[1], &message, MSG_DONTWAIT) < 0) {
            break;
        }
    }
    return count;
}

struct thing *thing_new(int value)
{
    struct thing *thing = malloc(sizeof *thing);
    if (thing) {
        thing->value = value;
    }
    return thing;
}

int thing_value(const struct thing *thing)
{
    return thing->value;
}

void thing_free(struct thing *thing)
{
    free(thing);
}

void keep(int (*function)(int value))
{
    kept = function;
}

void unkeep(void)
{
    kept = NULL;
}
