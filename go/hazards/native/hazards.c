/* SPDX-License-Identifier: Apache-2.0 */
#include "hazards.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { TEXT_BYTES = 64 };

struct hazard_text {
    char bytes[TEXT_BYTES];
};

static atomic_int sleeping;
static atomic_int taken;
static atomic_int freed;
static atomic_ulong rounds;
static struct sigaction handled_before[NSIG];
static int chained[NSIG];

int hazard_sleep(int milliseconds)
{
    struct timespec left = {milliseconds / 1000, milliseconds % 1000 * 1000000L};
    atomic_fetch_add(&sleeping, 1);
    while (nanosleep(&left, &left) && errno == EINTR) {
    }
    atomic_fetch_sub(&sleeping, 1);
    return 0;
}

int hazard_sleeping(void)
{
    return atomic_load(&sleeping);
}

int hazard_read(int fd)
{
    char byte;
    ssize_t got;
    while ((got = read(fd, &byte, 1)) < 0 && errno == EINTR) {
    }
    return (int)got;
}

static void on_signal(int number, siginfo_t *info, void *context)
{
    atomic_fetch_add(&taken, 1);
    if (chained[number]) {
        handled_before[number].sa_sigaction(number, info, context);
    }
}

int hazard_take_signal(int number, int chain)
{
    if (number < 1 || number >= NSIG || sigaction(number, NULL, &handled_before[number])) {
        return -1;
    }
    chained[number] = chain && handled_before[number].sa_flags & SA_SIGINFO;
    struct sigaction action = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_RESTART};
    return sigaction(number, &action, NULL);
}

int hazard_taken(void)
{
    return atomic_load(&taken);
}

static int dispose(int number, void (*handler)(int))
{
    struct sigaction action = {.sa_handler = handler};
    return sigaction(number, &action, NULL);
}

int hazard_ignore(int number)
{
    return dispose(number, SIG_IGN);
}

int hazard_default(int number)
{
    return dispose(number, SIG_DFL);
}

int hazard_raise(int number)
{
    return raise(number) ? -1 : 0;
}

int hazard_crash(void)
{
    volatile int *volatile nowhere = NULL;
    *nowhere = 1;
    return 0;
}

int hazard_exit(void)
{
    exit(7);
}

int hazard_spin(void)
{
    for (;;) {
        atomic_fetch_add_explicit(&rounds, 1, memory_order_relaxed); /* only counted */
    }
}

unsigned long hazard_rounds(void)
{
    return atomic_load_explicit(&rounds, memory_order_relaxed);
}

struct hazard_text *hazard_text_new(const char *text)
{
    struct hazard_text *made = calloc(1, sizeof *made);
    if (made) {
        strncpy(made->bytes, text, TEXT_BYTES - 1);
    }
    return made;
}

const char *hazard_text_read(struct hazard_text *text)
{
    return text->bytes;
}

void hazard_text_free(struct hazard_text *text)
{
    memset(text->bytes, '#', TEXT_BYTES - 1);
    atomic_fetch_add(&freed, 1);
}

int hazard_freed(void)
{
    return atomic_load(&freed);
}
