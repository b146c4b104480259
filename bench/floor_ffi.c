/* SPDX-License-Identifier: Apache-2.0 */
#include "floor.h"

#include "base/clock.h"

#include <ffi.h>
#include <stdlib.h>

#define ROUND_CALLS 10000u

static int add(int a, int b)
{
    return a + b;
}

double floor_ffi_round(void *context)
{
    (void)context;
    ffi_cif cif;
    ffi_type *types[2] = {&ffi_type_sint, &ffi_type_sint};
    if (ffi_prep_cif(&cif, FFI_DEFAULT_ABI, 2, &ffi_type_sint, types) != FFI_OK) {
        abort();
    }
    int a = 1;
    int b = 2;
    void *arguments[2] = {&a, &b};
    ffi_arg sum = 0;
    uint64_t began_ns = clock_now_ns();
    for (uint32_t i = 0; i < ROUND_CALLS; i++) {
        ffi_call(&cif, FFI_FN(add), &sum, arguments);
        b = (int)sum & 0xff;
    }
    return (double)(clock_now_ns() - began_ns) / ROUND_CALLS;
}
