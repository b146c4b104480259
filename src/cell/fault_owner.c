/* SPDX-License-Identifier: Apache-2.0 */
#include "cell/fault_owner.h"

#include <pthread.h>
#include <stddef.h>

static const struct {
    int number;
    bool comes_again; /* the interrupted instruction is the one at fault, and raises it anew */
    bool yields;      /* to an owner with a handler */
} signals[] = {
    {SIGSEGV, true, false}, {SIGBUS, true, false},  {SIGFPE, true, false}, {SIGILL, true, false},
    {SIGABRT, true, false}, {SIGTRAP, false, true}, {SIGSYS, false, true},
};
#define SIGNALS (sizeof signals / sizeof signals[0])

static struct sigaction owners[SIGNALS]; /* written before the handler of that signal is in force */
static bool taken[SIGNALS];

static size_t index_of(int signal)
{
    size_t i = 0;
    while (i < SIGNALS && signals[i].number != signal) {
        i++;
    }
    return i;
}

static bool is_handler(const struct sigaction *action)
{
    return (action->sa_flags & SA_SIGINFO) != 0 ||
           (action->sa_handler != SIG_DFL && action->sa_handler != SIG_IGN);
}

void owners_take(const struct sigaction *action)
{
    for (size_t i = 0; i < SIGNALS; i++) {
        /* Asked first: the handler may run, and look at its owner, before sigaction() returns. */
        (void)sigaction(signals[i].number, NULL, &owners[i]);
        taken[i] = !signals[i].yields || !is_handler(&owners[i]);
        if (taken[i]) {
            (void)sigaction(signals[i].number, action, NULL);
        }
    }
}

bool owners_hold(int signal, const struct sigaction *action)
{
    struct sigaction now;
    size_t i = index_of(signal);
    return i < SIGNALS && taken[i] && sigaction(signal, NULL, &now) == 0 &&
           (now.sa_flags & SA_SIGINFO) != 0 && now.sa_sigaction == action->sa_sigaction;
}

/* A fault comes again when its instruction does; what was sent, or is behind it, must be sent again. */
static void default_action(int signal, const siginfo_t *info)
{
    struct sigaction plain = {.sa_handler = SIG_DFL};
    (void)sigaction(signal, &plain, NULL);
    if (info->si_code <= 0 || !signals[index_of(signal)].comes_again) {
        (void)raise(signal); /* pending until the handler returns and unblocks it */
    }
}

/* Block what the kernel would have blocked for this owner. The handler's return restores the mask. */
static void mask_as_owner(int signal, const struct sigaction *owner)
{
    sigset_t mask = owner->sa_mask;
    if ((owner->sa_flags & SA_NODEFER) == 0) {
        (void)sigaddset(&mask, signal);
    }
    (void)pthread_sigmask(SIG_BLOCK, &mask, NULL);
    if ((owner->sa_flags & SA_NODEFER) != 0 && !sigismember(&owner->sa_mask, signal)) {
        (void)sigemptyset(&mask);
        (void)sigaddset(&mask, signal);
        (void)pthread_sigmask(SIG_UNBLOCK, &mask, NULL);
    }
}

void owner_call(int signal, siginfo_t *info, void *context)
{
    struct sigaction *owner = &owners[index_of(signal)];
    struct sigaction action = *owner;

    if (!is_handler(&action) && action.sa_handler == SIG_IGN) {
        /* The kernel does not let a fault be ignored: it would come back for ever. */
        if (info->si_code > 0) {
            default_action(signal, info);
        }
        return;
    }
    if (!is_handler(&action)) {
        default_action(signal, info);
        return;
    }
    if ((action.sa_flags & (int)SA_RESETHAND) != 0) {
        *owner = (struct sigaction){.sa_handler = SIG_DFL};
    }
    mask_as_owner(signal, &action);
    if ((action.sa_flags & SA_SIGINFO) != 0) {
        action.sa_sigaction(signal, info, context);
    } else {
        action.sa_handler(signal);
    }
}
