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
PUBLIC int crash(int number);
PUBLIC int crash_if(int value);
PUBLIC int other_crash(int number);
PUBLIC int wait_ms(int ms);
PUBLIC int grow(int mib);
PUBLIC struct thing *thing_new(int value);
PUBLIC int thing_value(const struct thing *thing);
PUBLIC void thing_free(struct thing *thing);
PUBLIC void keep(int (*function)(int value));
PUBLIC void unkeep(void);

static int remembered;
static int remember_calls;
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
