/* SPDX-License-Identifier: Apache-2.0 */
#include "cell/hello.h"

#include <errno.h>
#include <string.h>

#include "lane/errand.h"
#include "lane/identity.h"

static int other_version(struct message *why)
{
    return message_set(why, -EPROTO, "the keeper program is of another version of Cordon");
}

int hello_read(const void *bytes, size_t length, uint32_t *ret_mechanisms, struct message *why)
{
    struct errand_hello hello;
    if (length != sizeof hello) {
        return other_version(why);
    }
    memcpy(&hello, bytes, sizeof hello);
    if (hello.magic != ERRAND_MAGIC || hello.version != ERRAND_VERSION) {
        return other_version(why);
    }
    if (hello.identity != lane_identity()) {
        return message_set(why, -EPROTO,
                           "the keeper program is of another build of Cordon: its layout is %#x, "
                           "this library's %#x",
                           hello.identity, lane_identity());
    }
    *ret_mechanisms = hello.mechanisms;
    return 0;
}

int hello_read_examination(const void *bytes, size_t length, struct examination *ret_examination,
                           struct message *why)
{
    struct examination examination;
    if (length != sizeof examination) {
        return other_version(why);
    }
    memcpy(&examination, bytes, sizeof examination);
    if (examination.magic != EXAMINATION_MAGIC || examination.version != EXAMINATION_VERSION) {
        return other_version(why);
    }
    for (size_t i = 0; i < EXAMINED_COUNT; i++) {
        examination.rows[i].why[EXAMINATION_WHY_BYTES - 1] = '\0';
    }
    *ret_examination = examination;
    return 0;
}
