/* SPDX-License-Identifier: Apache-2.0 */
#include "cell/callback.h"

#include <errno.h>
#include <stdlib.h>

int cordon_callback_new(cordon_callback_function *function, void *context,
                        struct cordon_callback **ret_callback)
{
    if (!function || !ret_callback) {
        return -EINVAL;
    }
    struct cordon_callback *callback = calloc(1, sizeof *callback);
    if (!callback) {
        return -ENOMEM;
    }
    callback->function = function;
    callback->context = context;
    atomic_init(&callback->references, 1);
    *ret_callback = callback;
    return 0;
}

void cordon_callback_free(struct cordon_callback *callback)
{
    if (callback) {
        /* Pairs with the acquire where it would be called. */
        atomic_store_explicit(&callback->freed, true, memory_order_release);
        callback_release(callback);
    }
}
