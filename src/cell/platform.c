/* SPDX-License-Identifier: Apache-2.0 */
#include "cell/platform.h"

#include <errno.h>
#include <stdlib.h>

#include "cell/cell.h"
#include "cell/keeper_client.h"
#include "cell/programs.h"
#include "lane/errand.h"

struct cordon_platform {
    struct examination examination;
    struct cordon_platform_mechanism mechanisms[EXAMINED_COUNT];
    struct cordon_platform_program programs[PROGRAM_COUNT];
};

struct item {
    const char *name;
    uint32_t mechanism; /* enum errand_mechanism; enum cordon_mechanism has the same bits */
    const char *there;  /* what it means for a cell */
    const char *missing;
};

static const struct item items[EXAMINED_COUNT] = {
    [EXAMINED_SECCOMP] = {"seccomp", ERRAND_SECCOMP,
                          "system calls that the policy does not grant are refused",
                          "processes, sockets and signals cannot be forbidden to a library"},
    [EXAMINED_SECCOMP_NOTIFY] = {"seccomp_notify", ERRAND_NOTIFY,
                                 "what was refused is counted and listed",
                                 "what was refused answers an errno, and is listed nowhere"},
    [EXAMINED_SECCOMP_TSYNC] = {"seccomp_tsync", 0,
                                "the filter reaches threads that constructors started",
                                "seccomp is not used: it could not reach every thread"},
    [EXAMINED_LANDLOCK] = {"landlock", ERRAND_LANDLOCK,
                           "files are confined to what libraries need and the policy grants",
                           "every file that the user may read can be read; writing is left to "
                           "seccomp"},
    [EXAMINED_NO_NEW_PRIVS] = {"no_new_privs", ERRAND_NO_NEW_PRIVILEGES,
                               "no program that a worker runs has more rights than it",
                               "ordinary users' workers have neither seccomp nor Landlock"},
    [EXAMINED_UNPRIVILEGED_USER] = {"ordinary_user", ERRAND_UNPRIVILEGED_USER,
                                    "workers run without capabilities, as nobody if this is root",
                                    "workers run as root"},
    [EXAMINED_USER_NAMESPACE] = {"userns", ERRAND_USER_NAMESPACE,
                                 "an ordinary user's workers are out of reach of their own user's "
                                 "processes",
                                 "ordinary users have no namespaces around their workers"},
    [EXAMINED_PID_NAMESPACE] = {"pidns", ERRAND_PID_NAMESPACE,
                                "the kernel ends workers and what they started with their keeper",
                                "workers end by PDEATHSIG; what a trusted one started may stay"},
    [EXAMINED_NETWORK_NAMESPACE] = {"netns", 0,
                                    "workers with the grant 'sockets' have a network of their own",
                                    "cells with the grant 'sockets' cannot be opened"},
    [EXAMINED_LIMITS] = {"limits", ERRAND_LIMITS,
                         "memory, descriptors and core files of workers are limited",
                         "a worker may take all memory"},
    [EXAMINED_HANG_STACKS] = {"ptrace", ERRAND_TRACE,
                              "calls that time out are reported with the stacks of all threads",
                              "reports of calls that time out have no stacks"},
    [EXAMINED_PIDFD] = {"pidfd", 0, "processes are named without doubt",
                        "the end of a host is seen by its socket alone"},
    [EXAMINED_SEALED_MEMORY] = {"sealed_memory", 0,
                                "shared memory cannot be shrunk or mapped for writing",
                                "level process cannot be had"},
    [EXAMINED_RUN_FROM_MEMORY] = {"run_from_memory", 0, "built-in programs run from sealed memory",
                                  "built-in programs run from a private file in /tmp, deleted at "
                                  "once"},
    [EXAMINED_FUTEX_WAITV] = {"futex_waitv", 0, "one wait sees both an answer and a worker's end",
                              "waits look at a worker's end in slices: a crash is told later"},
    [EXAMINED_GUARD_PAGES] = {"madv_guard", ERRAND_MADV_GUARD,
                              "guards inside memory cost no mappings",
                              "guards inside memory cost a mapping each"},
};

const char *mechanism_name(uint32_t bit)
{
    for (size_t i = 0; i < EXAMINED_COUNT; i++) {
        if (items[i].mechanism == bit && bit != 0) {
            return items[i].name;
        }
    }
    return NULL;
}

/* Promises that rest on a mechanism. */
static uint32_t promises_of(uint32_t mechanism)
{
    uint32_t bits = 0;
    for (uint32_t bit = 1; bit < CORDON_BEST_EFFORT; bit <<= 1) {
        bits |= isolation_needs(bit) & mechanism ? bit : 0;
    }
    return bits;
}

static void fill(struct cordon_platform *platform)
{
    for (size_t i = 0; i < EXAMINED_COUNT; i++) {
        const struct examination_row *row = &platform->examination.rows[i];
        enum cordon_platform_state state = row->state <= CORDON_PLATFORM_THERE
                                               ? (enum cordon_platform_state)row->state
                                               : CORDON_PLATFORM_MISSING;
        platform->mechanisms[i] = (struct cordon_platform_mechanism){
            .name = items[i].name,
            .state = state,
            .version = row->version,
            .error = row->error,
            .why = row->why,
            .meaning = state == CORDON_PLATFORM_MISSING ? items[i].missing : items[i].there,
            .mechanism = items[i].mechanism,
            .isolation = promises_of(items[i].mechanism),
        };
    }
    for (int i = 0; i < PROGRAM_COUNT; i++) {
        struct cordon_platform_program *program = &platform->programs[i];
        program->error =
            -program_origin((enum program)i, &program->name, &program->path, &program->bytes);
    }
}

int platform_examine(const char *keeper_path, struct cordon_platform **ret_platform,
                     struct message *why)
{
    struct cordon_platform *platform = calloc(1, sizeof *platform);
    if (!platform) {
        return message_set(why, -ENOMEM, "not enough memory to examine the platform");
    }
    struct keeper_options options = {.keeper_path = keeper_path};
    int r = keeper_client_examine(&options, &platform->examination, why);
    if (r < 0) {
        free(platform);
        return r;
    }
    fill(platform);
    *ret_platform = platform;
    return 0;
}

void platform_free(struct cordon_platform *platform)
{
    free(platform);
}

const struct cordon_platform_mechanism *platform_mechanism(const struct cordon_platform *platform,
                                                           size_t index)
{
    return index < EXAMINED_COUNT ? &platform->mechanisms[index] : NULL;
}

const struct cordon_platform_program *platform_program(const struct cordon_platform *platform,
                                                       size_t index)
{
    return index < PROGRAM_COUNT ? &platform->programs[index] : NULL;
}

/* Ports are a later version of the one mechanism. */
static uint32_t main_part(uint32_t bits)
{
    return bits & ERRAND_LANDLOCK_PORTS
               ? (bits & ~(uint32_t)ERRAND_LANDLOCK_PORTS) | ERRAND_LANDLOCK
               : bits;
}

static const struct cordon_platform_mechanism *find(const struct cordon_platform *platform,
                                                    uint32_t bit)
{
    for (size_t i = 0; platform && i < EXAMINED_COUNT; i++) {
        if (platform->mechanisms[i].mechanism == bit) {
            return &platform->mechanisms[i];
        }
    }
    return NULL;
}

void platform_blame(const char *keeper_path, uint32_t missing, uint32_t without,
                    struct message *why)
{
    struct cordon_platform *platform = NULL;
    missing = main_part(missing);
    if (missing & ~without) {
        (void)platform_examine(keeper_path, &platform, NULL);
    }
    const char *before = "; ";
    for (uint32_t bit = 1; bit != 0; bit <<= 1) {
        const char *name =
            bit == ERRAND_REPORTS ? "the program cordon-symbolize" : mechanism_name(bit);
        const struct cordon_platform_mechanism *row = find(platform, bit);
        if (!name || !(missing & bit)) {
            continue;
        }
        const char *text = without & bit                  ? "switched off by the cell's options"
                           : row && *row->why             ? row->why
                           : bit == ERRAND_USER_NAMESPACE ? "not used for root's workers"
                                                          : "not to be had here";
        message_add(why, "%s%s is missing: %s", before, name, text);
    }
    platform_free(platform);
}
