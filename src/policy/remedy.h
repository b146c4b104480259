/* SPDX-License-Identifier: Apache-2.0 */
#ifndef POLICY_REMEDY_H
#define POLICY_REMEDY_H

/*
 * Remedies: the grant that would allow what was refused, and the names of system calls. For lists of
 * violations and for suggestions; nothing is decided here.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define REMEDY_BYTES 160u

/*
 * The smallest grant that lets @path be opened: a named group, "device:PATH", "read:PATH",
 * "write:PATH". @path as in policy_may_open(). "" where it would not fit into @bytes.
 */
void remedy_for_open(const char *path, bool writing, char *grant, size_t bytes);

/* The same for a refused system call: "connect:PORT", "processes", "syscall:io_uring_setup". */
void remedy_for_call(uint32_t number, const uint64_t args[6], char *grant, size_t bytes);

/* Name of a system call of this machine; NULL: unknown. */
const char *syscall_name(uint32_t number);

/* Its number, or -1. */
int syscall_number(const char *name);

/* The number behind the last name: the numbers are 0 to this - 1. */
uint32_t syscall_count(void);

#endif
