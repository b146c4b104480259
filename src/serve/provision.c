/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/provision.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/memfd.h"
#include "invoke/engine.h"
#include "lane/provision.h"

#define REPLY_BYTES_MAX (1u << 20)

int provision_map(struct provision *provision, int fd, struct message *why)
{
    uint64_t bytes = 0;
    int r = memfd_judge(fd, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE, &bytes);
    void *memory =
        r == 0 && bytes > 0 ? mmap(NULL, bytes, PROT_READ, MAP_SHARED, fd, 0) : MAP_FAILED;
    if (memory == MAP_FAILED) {
        return message_set(why, -EBADMSG, "the provision cannot be mapped");
    }
    (void)close(fd);
    *provision = (struct provision){.memory = memory, .bytes = bytes};
    return provision_begin(memory, bytes) < 0
               ? message_set(why, -EBADMSG, "the provision is not of this version")
               : 0;
}

void provision_forget(struct provision *provision)
{
    if (provision->memory) {
        (void)munmap((void *)(uintptr_t)provision->memory, provision->bytes);
        provision->memory = NULL;
    }
}

/* What a record asks of the engine. */
static struct engine_request request_of(const struct provision_item *item, uint64_t *id)
{
    const struct provision_record *record = &item->record;
    struct engine_request request = {.bytes = item->bytes, .byte_count = record->bytes};
    *id = record->id;
    switch (record->kind) {
    case PROVISION_BIND:
        request.function_id = ENGINE_BIND;
        request.words = id;
        request.word_count = 1;
        break;
    case PROVISION_TYPE:
        request.function_id = ENGINE_TYPE;
        break;
    case PROVISION_SEAL:
        request.function_id = ENGINE_SEAL;
        break;
    default:
        request.function_id = record->id;
        request.words = item->words;
        request.word_count = record->word_count;
        request.bytes = record->bytes > 0 ? item->bytes : NULL;
        request.reply_fixed = record->reply_fixed;
        request.reply_bytes_max = record->reply_bytes_max;
        request.read_only_bytes = true;
        break;
    }
    return request;
}

/* Refused: with the sentence that stands in the reply. */
static int refused(const struct engine_request *request, const struct engine_reply *reply,
                   struct message *why)
{
    message_set_foreign(why, (const char *)request->reply, reply->reply_bytes);
    if (!why->text[0]) {
        (void)message_set(why, reply->status, "%s", strerror(-reply->status));
    }
    if (request->function_id < ENGINE_VERBS) {
        message_add(why, " (in an on_start call)");
    }
    return reply->status;
}

static int execute(struct engine *engine, const struct provision_item *item, uint8_t *space,
                   struct message *why)
{
    uint64_t id;
    struct engine_reply reply;
    struct engine_request request = request_of(item, &id);
    if (request.reply_bytes_max < MESSAGE_BYTES) {
        request.reply_bytes_max = MESSAGE_BYTES;
    }
    if (request.reply_bytes_max > REPLY_BYTES_MAX ||
        request.reply_fixed > request.reply_bytes_max) {
        return message_set(why, -EBADMSG, "an on_start call wants %u bytes for its reply",
                           request.reply_bytes_max);
    }
    request.reply = space;
    engine_execute(engine, &request, &reply);
    /* A function that this library does not have is left out: whoever calls it hears of it. */
    bool left_out = item->record.kind == PROVISION_BIND && reply.status == -ENOENT;
    return reply.status == 0 || left_out ? 0 : refused(&request, &reply, why);
}

int provision_execute(struct provision *provision, struct engine *engine, struct message *why)
{
    if (!provision->memory) {
        return 0;
    }
    struct provision_item item;
    uint8_t *space = aligned_alloc(64, REPLY_BYTES_MAX);
    int r = space ? 0 : message_set(why, -ENOMEM, "no memory for on_start calls");
    int64_t at = provision_begin(provision->memory, provision->bytes);
    while (r == 0 && (at = provision_next(provision->memory, at, &item)) > 0) {
        r = execute(engine, &item, space, why);
    }
    if (r == 0 && at < 0) {
        r = message_set(why, (int)at, "the provision is damaged");
    }
    free(space);
    provision_forget(provision);
    return r;
}
