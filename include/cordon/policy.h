/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CORDON_POLICY_H
#define CORDON_POLICY_H

/*
 * Policy: what a cell's library may do beyond computing, at level process.
 *
 * A cell's options name a preset and grants beyond it, as strings; cordon-policy(5) has them all:
 *
 *   read:PATH write:PATH device:PATH   files: that path and all beneath it; absolute
 *   connect:PORT bind:PORT             TCP; PORT may be *
 *   udp unix sockets                   sockets; `sockets` in a network that nobody else is in
 *   env:NAME env:NAME=VALUE            environment variables, NAME's value from this process
 *   processes threads:N                programs and children; at most N threads
 *   iconv locale resolver providers    what libraries read when they need it first
 *   syscall:NAME                       a system call
 *   everything                         refuse nothing
 *
 *   const char *const grants[] = {"read:/usr/share/fonts", "iconv", NULL};
 *   struct cordon_cell_options options = CORDON_CELL_OPTIONS;
 *   options.grants = grants;
 *
 * What is not granted is refused by the kernel with EACCES or EPERM. Where the kernel lacks a mechanism,
 * the bits that cordon_cell_isolation() returns are fewer: require those that matter.
 */

#include <stddef.h>

#include "cordon/export.h"

#ifdef __cplusplus
extern "C" {
#endif

struct cordon_cell;

/* Presets. */
enum cordon_policy {
    CORDON_POLICY_STRICT = 0,  /* nothing but what loading the library reads */
    CORDON_POLICY_FILES = 1,   /* read:/ write:/ */
    CORDON_POLICY_NETWORK = 2, /* connect:* bind:* udp resolver */
    CORDON_POLICY_TRUSTED = 3, /* everything: limits and namespaces only */
};

/* What happens when the library tries what is not granted. */
enum cordon_on_violation {
    CORDON_REFUSE = 0, /* the call answers an error, and is listed in the result */
    CORDON_KILL = 1,   /* the worker ends: outcome CORDON_DENIED */
};

/*
 * Write a cell's policy as text: "strict: iconv read:/usr/share/fonts on_violation:refuse ...". Values of
 * variables are left out. Returns the bytes that it takes without its NUL; cut at @bytes - 1. @text may
 * be NULL if @bytes is 0. Threads: any.
 */
CORDON_API size_t cordon_cell_policy(const struct cordon_cell *cell, char *text, size_t bytes);

#ifdef __cplusplus
}
#endif

#endif
