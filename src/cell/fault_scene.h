/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CELL_FAULT_SCENE_H
#define CELL_FAULT_SCENE_H

/*
 * Scene: what a report of a thread in this process is made of - registers, a piece of its stack, what lies
 * where it stands and where it faulted - copied by a signal handler on that thread into memory that was
 * made before.
 *
 * Life: one for each worker whose ends are reported; taken at most once; read by who reports, freed with
 * the worker. A page that is never touched costs nothing.
 */

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "report/registers.h"

#define SCENE_STACK_BYTES  (64u * 1024u)
#define SCENE_AROUND_BYTES 256u /* in all, around an address */
#define SCENE_PIECES       2u

struct scene_piece {
    uint64_t wanted; /* the address that it lies around */
    uint64_t address;
    uint32_t bytes; /* 0: nothing is mapped there */
    uint8_t data[SCENE_AROUND_BYTES];
};

struct fault_scene {
    bool taken;
    bool has_info; /* a signal's own; else the thread was only looked at */
    siginfo_t info;
    pid_t thread;
    struct capture_thread registers;
    uint32_t piece_count;
    struct scene_piece pieces[SCENE_PIECES];
    uint64_t stack_address;
    uint32_t stack_bytes; /* 0: it cannot be read */
    uint8_t stack[SCENE_STACK_BYTES];
};

/* NULL: no memory. */
struct fault_scene *scene_new(void);
void scene_free(struct fault_scene *scene); /* NULL is fine */

/*
 * Take it, on the thread itself, unless it is taken. Async-signal-safe.
 *
 * @info       NULL: no fault. @context: of the handler.
 * @stack_end  where the stack stops being of interest, if it lies above the stack pointer; 0: not known.
 */
void scene_take(struct fault_scene *scene, const siginfo_t *info, const void *context,
                uintptr_t stack_end);

#endif
