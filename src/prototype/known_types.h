/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PROTOTYPE_KNOWN_TYPES_H
#define PROTOTYPE_KNOWN_TYPES_H

/* Names of numbers that the system's headers define, as manuals use them, and plain char's kind. */

#include <stddef.h>
#include <stdint.h>

#include "cordon/plan.h"

/* Source: psABI x86-64 section 3.1.2, AAPCS64 section 10.1.1: char and wchar_t are unsigned on arm64. */
#if defined(__aarch64__)
#define CHAR_KIND  CORDON_PLAN_U8
#define WCHAR_KIND CORDON_PLAN_U32
#else
#define CHAR_KIND  CORDON_PLAN_I8
#define WCHAR_KIND CORDON_PLAN_I32
#endif

struct known_type {
    const char *name;
    uint8_t scalar;
};

extern const struct known_type known_types[];
extern const size_t known_type_count;

#endif
