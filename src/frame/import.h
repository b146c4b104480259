/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FRAME_IMPORT_H
#define FRAME_IMPORT_H

/*
 * Import: DYNAMIC data of a reply, however nested, into one piece of malloc'ed memory. The reply's
 * writer may change it meanwhile: each byte is copied once, the copy is judged. Private to
 * src/frame.
 */

#include "frame/walk.h"

struct import {
    const struct plan *plan;
    const struct frame_hooks *hooks;
    const volatile uint8_t *reply;
    uint32_t reply_start;
    uint32_t reply_bytes_max;
};

/*
 * What DYNAMIC @word of @type (STRING, POINTER) says; @ret_memory is NULL for NULL, else the caller
 * frees it with free(): pointers inside point into it. A string is NUL-terminated, and a pointer's
 * size of zeros stands behind other memory as well: lists of pointers end with NULL.
 *
 * Returns 0, -EBADMSG (the reply lies), -ENOMEM.
 */
int import_pointer(const struct import *import, const struct cordon_plan_type *type, uint64_t word,
                   void **ret_memory, uint64_t *ret_count);

/* One object of @type (a struct by value), in the same way. */
int import_object(const struct import *import, const struct cordon_plan_type *type, uint64_t word,
                  void **ret_memory);

#endif
