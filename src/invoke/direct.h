/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INVOKE_DIRECT_H
#define INVOKE_DIRECT_H

/*
 * Direct: calls of functions that take and return nothing but scalars, made straight from the
 * request's words, without a frame; and calls, with a frame or without, that need no libffi.
 *
 * Where all arguments are integers the function is called through a pointer to a function of six
 * 64-bit integers. Both ABIs pass the first six (eight) integer arguments in registers of that
 * width whatever their type, and a callee does not notice registers that it was not promised.
 * Narrow arguments are extended to 64 bits here, and narrow results from their own width, since
 * the upper bits of a result register are garbage. Functions with floating-point arguments or
 * results go through libffi. What that buys (x86-64, two int arguments, a request executed): 10-16
 * ns where ffi_call() alone takes 28-43 ns in the same run.
 *
 * Source: System V ABI x86-64 section 3.2.3, AAPCS64 section 6.8.2.
 */

#include <stdbool.h>
#include <stdint.h>

#include "invoke/shape.h"
#include "prototype/plan.h"

#define DIRECT_ARGUMENTS_MAX 6u

/* Which word, and how to bring it to 64 bits: shift up, and down again with or without sign. */
struct direct_word {
    uint8_t word;
    uint8_t shift;
    bool is_signed;
};

/* A plain array: its word is an offset in the request's bytes. */
struct direct_array {
    bool is_one;
    uint8_t shift; /* an element has 1 << shift bytes */
    uint8_t length_word;
};

struct direct {
    bool is_ready;   /* only words travel */
    bool is_short;   /* words and plain arrays (frame/plain.h): no frame around them */
    bool is_integer; /* no libffi, with a frame or without */
    uint8_t count;
    uint8_t in_words;
    uint8_t out_words; /* 0 or 1 */
    struct direct_word result;
    struct direct_word arguments[DIRECT_ARGUMENTS_MAX];
    struct direct_array arrays[DIRECT_ARGUMENTS_MAX]; /* of arguments that are some */
};

/* Judge the plan's function and prepare the table. */
void direct_init(struct direct *direct, const struct plan *plan);

/*
 * Call @code with @words, which are at least direct->in_words; errno as the function left it is in
 * @ret_errno. Returns the result's word.
 */
uint64_t direct_call(const struct direct *direct, struct shape *shape, void (*code)(void),
                     const uint64_t *words, int32_t *ret_errno);

/*
 * The same for functions that are direct->is_short: arrays are passed where they lie in the @byte_count
 * bytes at @bytes. Returns 0, or -EBADMSG when one does not lie there: nothing was called.
 * Bought: with the mail that carries it (lane/layout.h), 150 of 1,000 ns of a crc32() over 1 KB.
 */
int direct_call_short(const struct direct *direct, struct shape *shape, void (*code)(void),
                      const uint64_t *words, const uint8_t *bytes, uint32_t byte_count,
                      uint64_t *ret_result, int32_t *ret_errno);

/* The same with native @arguments of 64 bits, for functions that are direct->is_integer. */
uint64_t direct_call_integers(const struct direct *direct, void (*code)(void),
                              const uint64_t *arguments, int32_t *ret_errno);

#endif
