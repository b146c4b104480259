/* SPDX-License-Identifier: Apache-2.0 */
#include "cordon/replay.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "api/text.h"
#include "cell/replay.h"

int cordon_replay(struct cordon_cell *cell, const struct cordon_replay_options *options,
                  struct cordon_replay_result *ret_result, struct cordon_error *ret_error)
{
    struct cordon_replay_options whole = {0};
    if (!cell || !options || !ret_result || options->size < sizeof(size_t) ||
        options->size > sizeof whole) {
        return message_set(text_of(ret_error), -EINVAL,
                           "cell, options with their size and ret_result must be given");
    }
    memcpy(&whole, options, options->size);
    if (!whole.recording || (uintptr_t)whole.recording % 8 != 0) {
        return message_set(text_of(ret_error), -EINVAL,
                           "the recording must be given, and aligned to 8");
    }
    return replay_recording(cell, &whole, ret_result, text_of(ret_error));
}
