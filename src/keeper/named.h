/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEEPER_NAMED_H
#define KEEPER_NAMED_H

/*
 * Named: the file that a worker's system call names. The name is read from the worker's memory and made
 * absolute by its working directory or descriptor, then by what the links on the way lead to. It is for
 * the list of violations and for refusing with a name: a thread beside the caller may change the bytes
 * behind the keeper's back, so what is let go on is judged again by Landlock.
 *
 * Threads: the keeper's only one. Nothing here waits for a disk or a server longer than a local file
 * system does.
 */

#include <limits.h>
#include <stdbool.h>
#include <sys/types.h>

#include "keeper/listener.h"

enum named_state {
    NAMED_UNKNOWN = 0, /* no name could be had */
    NAMED_THERE = 1,   /* path: of the file itself, links followed */
    NAMED_NEW = 2,     /* it is not there; path: its folder with links followed, and its name */
    NAMED_MISSING = 3, /* neither it nor its folder is there; path: as it was named */
    NAMED_UNSEEN = 4,  /* it was not looked up; path: as it was named */
};

struct named {
    enum named_state state;
    bool opens;   /* it is a call that opens */
    bool writing; /* or changes the file in another way */
    bool creates;
    char path[PATH_MAX]; /* absolute, without "." and ".." */
};

/* True if the system call takes the name of a file. */
bool named_takes(uint32_t system_call);

/* @process  the caller's folder in /proc, -1: not known. */
void named_find(int process, const struct notice *notice, struct named *ret_named);

/* Make @path absolute by @base and tidy, in place: "/a/./b/../c" is "/a/c". False: too long. */
bool named_tidy(char path[PATH_MAX], const char *base);

#endif
