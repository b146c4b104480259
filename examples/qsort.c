/* SPDX-License-Identifier: Apache-2.0 */

/* A callback: the C library sorts in its own process, and asks this one how to compare. */
#include <stdio.h>
#include <string.h>

#include "cordon/cordon.h"

/* Called on the thread that waits for qsort(), with the elements as the prototype declares them. */
static int compare(void *context, struct cordon_session *session, const struct cordon_value *args,
                   size_t count, struct cordon_value *ret_value)
{
    int a;
    int b;
    (void)session, (void)count;
    memcpy(&a, args[0].memory, sizeof a);
    memcpy(&b, args[1].memory, sizeof b);
    ++*(int *)context;
    *ret_value = cordon_int((a > b) - (a < b));
    return 0;
}

int main(void)
{
    struct cordon_cell_options options = CORDON_CELL_OPTIONS;
    struct cordon_cell *cell = NULL;
    struct cordon_function *sort = NULL;
    struct cordon_callback *order = NULL;
    struct cordon_error error;
    int comparisons = 0;
    int numbers[] = {42, 7, 1968, -3, 0, 11, 5};
    size_t count = sizeof numbers / sizeof numbers[0];

    options.library = ""; /* the C library itself */
    if (cordon_cell_open(&options, &cell, &error) != 0 ||
        cordon_bind(cell,
                    "void qsort(int base[n], size_t n, size_t size,"
                    " int (*cmp)(const int *a, const int *b) fails(0))",
                    0, &sort, &error) != 0) {
        fprintf(stderr, "%s\n", error.text);
        cordon_cell_close(cell);
        return 1;
    }
    int r = cordon_callback_new(compare, &comparisons, &order);
    if (r == 0) {
        struct cordon_value args[] = {cordon_out(numbers, count), cordon_uint(sizeof numbers[0]),
                                      cordon_function_pointer(order)};
        struct cordon_result result;
        r = cordon_call(sort, args, 3, CORDON_DEFAULT, &result);
        if (r != CORDON_DONE) {
            fprintf(stderr, "%s\n", result.error.text);
        }
    }
    for (size_t i = 0; r == CORDON_DONE && i < count; i++) {
        printf("%d%s", numbers[i], i + 1 < count ? " " : "");
    }
    printf("  (%d comparisons)\n", comparisons);
    cordon_callback_free(order);
    cordon_cell_close(cell);
    return r == CORDON_DONE ? 0 : 1;
}
