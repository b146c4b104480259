/* SPDX-License-Identifier: Apache-2.0 */
#include "cordon/platform.h"

#include <errno.h>

#include "api/text.h"
#include "cell/platform.h"

int cordon_platform_examine(const char *keeper_path, struct cordon_platform **ret_platform,
                            struct cordon_error *ret_error)
{
    if (!ret_platform) {
        return message_set(text_of(ret_error), -EINVAL, "ret_platform must not be NULL");
    }
    return platform_examine(keeper_path, ret_platform, text_of(ret_error));
}

void cordon_platform_free(struct cordon_platform *platform)
{
    platform_free(platform);
}

const struct cordon_platform_mechanism *cordon_platform_mechanism(
    const struct cordon_platform *platform, size_t index)
{
    return platform_mechanism(platform, index);
}

const struct cordon_platform_program *cordon_platform_program(
    const struct cordon_platform *platform, size_t index)
{
    return platform_program(platform, index);
}

const char *cordon_mechanism_name(uint32_t bit)
{
    return mechanism_name(bit);
}
