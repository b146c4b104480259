/* SPDX-License-Identifier: Apache-2.0 */

/* The smallest program: CRC-32 of some text, computed by zlib in a process of its own. */
#include <stdio.h>
#include <string.h>

#include "cordon/cordon.h"

int main(int argc, char **argv)
{
    const char *text = argc > 1 ? argv[1] : "hello, cordon";
    struct cordon_cell_options options = CORDON_CELL_OPTIONS;
    struct cordon_cell *cell = NULL;
    struct cordon_function *crc32 = NULL;
    struct cordon_error error;

    options.library = "libz.so.1";
    if (cordon_cell_open(&options, &cell, &error) != 0 ||
        cordon_bind(cell,
                    "unsigned long crc32(unsigned long crc, const uint8_t buf[len], unsigned len)",
                    0, &crc32, &error) != 0) {
        fprintf(stderr, "%s\n", error.text);
        cordon_cell_close(cell);
        return 1;
    }

    /* `len` is not passed: it only tells how long `buf` is, and Cordon knows that. */
    struct cordon_value args[] = {cordon_uint(0), cordon_in(text, strlen(text))};
    struct cordon_result result;
    int r = cordon_call(crc32, args, 2, CORDON_DEFAULT, &result);
    if (r == CORDON_DONE) {
        printf("%08lx\n", (unsigned long)result.value.u);
    } else {
        fprintf(stderr, "%s: %s\n", r < 0 ? "refused" : cordon_outcome_name(r), result.error.text);
    }
    cordon_cell_close(cell);
    return r == CORDON_DONE ? 0 : 1;
}
