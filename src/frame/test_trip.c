/* SPDX-License-Identifier: Apache-2.0 */
#include "frame/test_trip.h"

#include <stdlib.h>
#include <string.h>

/* Objects are addresses in the worker; their word is generation 7 and the address's low half. */
static uintptr_t object_base;

static int object_word(void *context, const struct plan *plan, const struct cordon_plan_type *type,
                       void *object, uint64_t *ret_word)
{
    (void)context, (void)plan, (void)type;
    object_base = (uintptr_t)object & ~(uintptr_t)UINT32_MAX;
    *ret_word = 7ull << 32 | (uint32_t)(uintptr_t)object;
    return 0;
}

static int word_object(void *context, const struct plan *plan, const struct cordon_plan_type *type,
                       uint64_t word, void **ret_object, struct message *why)
{
    (void)context, (void)plan, (void)type;
    if (word >> 32 != 7) {
        return message_set(why, -116, "the handle's object is gone");
    }
    *ret_object = (void *)(object_base | (uint32_t)word);
    return 0;
}

static int handle_word(void *context, const struct cordon_plan_type *type,
                       struct cordon_handle handle, uint64_t *ret_word, struct message *why)
{
    (void)context, (void)type;
    if (handle.worker != 3) {
        return message_set(why, -116, "the handle's worker is gone");
    }
    *ret_word = (uint64_t)handle.generation << 32 | handle.index;
    return 0;
}

static int word_handle(void *context, const struct cordon_plan_type *type, uint64_t word,
                       struct cordon_handle *ret_handle)
{
    (void)context;
    *ret_handle = (struct cordon_handle){3, (uint32_t)(word >> 32), (uint32_t)word, type->tag};
    return 0;
}

static int callback_word(void *context, const struct plan *plan, uint32_t function,
                         const struct cordon_value *value, uint64_t *ret_word, struct message *why)
{
    (void)context, (void)plan, (void)why;
    *ret_word = value->kind == CORDON_VALUE_CALLBACK ? 1000u + function : value->u;
    return 0;
}

static int word_code(void *context, const struct plan *plan, const struct cordon_plan_type *type,
                     uint64_t word, void **ret_code, struct message *why)
{
    (void)context, (void)plan, (void)type, (void)why;
    *ret_code = (void *)(uintptr_t)(word + 0x10000);
    return 0;
}

static void *keep(void *context, const struct plan *plan, const struct cordon_plan_type *type,
                  uint32_t param, size_t bytes)
{
    struct trip *trip = context;
    (void)plan, (void)type, (void)param;
    if (trip->kept_count == sizeof trip->kept / sizeof trip->kept[0]) {
        return NULL;
    }
    void *memory = malloc(bytes ? bytes : 1);
    trip->kept[trip->kept_count++] = memory;
    return memory;
}

static int free_owned(void *context, const char *releaser, void *memory)
{
    struct trip *trip = context;
    assert_string_equal(releaser, "free");
    trip->freed++;
    free(memory);
    return 0;
}

void trip_open(struct trip *trip, const char *prototype)
{
    size_t bytes;
    memset(trip, 0, sizeof *trip);
    if (interface_parse("prototype", prototype, strlen(prototype), &trip->interface, &trip->why) <
        0) {
        fail_msg("%s", trip->why.text);
    }
    size_t index;
    assert_int_equal(interface_find(trip->interface, NULL, &index), 0);
    const void *plan = interface_plan(trip->interface, index, &bytes);
    if (plan_validate(plan, bytes, &trip->plan, &trip->why) < 0) {
        fail_msg("%s", trip->why.text);
    }
    trip->function = plan_function(trip->plan, 0);
    trip->request = aligned_alloc(16, TRIP_BYTES);
    trip->reply = aligned_alloc(16, TRIP_BYTES);
    trip->arena = aligned_alloc(16, TRIP_ARENA + 16); /* memory goes on behind it */
    /* What an earlier call may have left. */
    memset(trip->request, 0xa5, TRIP_BYTES);
    memset(trip->reply, 0x5a, TRIP_BYTES);
    memset(trip->arena, 0, TRIP_ARENA + 16);
    trip->space = (struct frame_space){
        .request = trip->request,
        .request_bytes = TRIP_BYTES,
        .reply_bytes = TRIP_BYTES,
        .arena = {(uintptr_t)trip->arena, TRIP_ARENA},
    };
    trip->host = (struct frame_hooks){
        .context = trip,
        .handle_to_word = handle_word,
        .word_to_handle = word_handle,
        .callback_to_word = callback_word,
    };
    trip->worker = (struct frame_hooks){
        .context = trip,
        .object_to_word = object_word,
        .word_to_object = word_object,
        .word_to_code = word_code,
        .keep = keep,
        .free_owned = free_owned,
    };
}

void trip_close(struct trip *trip)
{
    frame_finish(&trip->call);
    for (size_t i = 0; i < trip->kept_count; i++) {
        free(trip->kept[i]);
    }
    free(trip->result.owned);
    free(trip->unlocked);
    free(trip->request);
    free(trip->reply);
    free(trip->arena);
    interface_free(trip->interface);
}

int trip_encode(struct trip *trip, const struct cordon_value *args, size_t count)
{
    trip->why.text[0] = '\0';
    return frame_encode(trip->plan, 0, 42, args, count, &trip->host, &trip->space, &trip->sent,
                        &trip->why);
}

int trip_accept_by(struct trip *trip, const struct frame_hooks *hooks)
{
    frame_finish(&trip->call);
    trip->why.text[0] = '\0';
    trip->call = (struct frame_call){
        .plan = trip->plan,
        .hooks = hooks,
        .arena = trip->space.arena,
        .words = trip->sent.words,
        .request = trip->sent.frame_bytes ? trip->request : NULL,
        .request_bytes = trip->sent.frame_bytes,
        .reply = trip->sent.reply_bytes_max ? trip->reply : NULL,
        .reply_fixed = trip->sent.reply_fixed,
        .reply_bytes_max = trip->sent.reply_bytes_max,
    };
    return frame_accept(&trip->call, &trip->why);
}

uint32_t trip_type(const struct trip *trip, uint8_t kind)
{
    uint32_t index = 0;
    while (plan_type(trip->plan, index)->kind != kind) {
        assert_true(++index < plan_header(trip->plan)->type_count);
    }
    return index;
}

struct cordon_plan_type *trip_unlock(struct trip *trip, uint32_t index)
{
    uint32_t bytes = plan_header(trip->plan)->plan_bytes;
    if (!trip->unlocked) {
        trip->unlocked = calloc(1, bytes + sizeof *trip->unlocked);
        assert_non_null(trip->unlocked);
        memcpy(trip->unlocked, trip->plan, bytes);
        trip->plan = (const struct plan *)(void *)trip->unlocked;
    }
    uint8_t *plan = (uint8_t *)trip->unlocked;
    return (struct cordon_plan_type *)(void *)(plan + plan_header(trip->plan)->types_at) + index;
}

void trip_replan(struct trip *trip)
{
    struct cordon_plan_header *header = (struct cordon_plan_header *)(void *)trip->unlocked;
    const uint8_t *bytes = (const uint8_t *)trip->unlocked;
    uint64_t hash = 0xcbf29ce484222325u; /* FNV-1a */
    header->layout_hash = 0;
    for (uint32_t i = 0; i < header->plan_bytes; i++) {
        hash = (hash ^ bytes[i]) * 0x100000001b3u;
    }
    header->layout_hash = hash;
    if (plan_validate(header, header->plan_bytes, &trip->plan, &trip->why) < 0) {
        fail_msg("%s", trip->why.text);
    }
    trip->function = plan_function(trip->plan, 0);
}

int trip_accept(struct trip *trip)
{
    frame_finish(&trip->call);
    trip->call = (struct frame_call){
        .plan = trip->plan,
        .hooks = &trip->worker,
        .arena = trip->space.arena,
        .words = trip->sent.words,
        .request = trip->sent.frame_bytes ? trip->request : NULL,
        .request_bytes = trip->sent.frame_bytes,
        .reply = trip->sent.reply_bytes_max ? trip->reply : NULL,
        .reply_fixed = trip->sent.reply_fixed,
        .reply_bytes_max = trip->sent.reply_bytes_max,
        .read_only_request = true,
    };
    return frame_accept(&trip->call, &trip->why);
}

int trip_answer(struct trip *trip, const void *result)
{
    return frame_answer(&trip->call, result, trip->reply_words, &trip->reply_bytes, &trip->why);
}

int trip_decode(struct trip *trip, const struct cordon_value *args, size_t count)
{
    free(trip->result.owned);
    return frame_decode(trip->plan, 0, args, count, &trip->host, &trip->space, &trip->sent,
                        trip->reply_words, trip->sent.reply_bytes_max ? trip->reply : NULL,
                        &trip->result, &trip->why);
}

void trip_perform(struct trip *trip, trip_native *native, const struct cordon_value *args,
                  size_t count)
{
    uint64_t result[16] = {0};
    MUST(*trip, trip_encode(trip, args, count));
    MUST(*trip, trip_accept(trip));
    if (native) {
        native(trip->call.arguments, result);
    }
    MUST(*trip, trip_answer(trip, result));
}

int trip_call(struct trip *trip, trip_native *native, const struct cordon_value *args, size_t count)
{
    uint64_t result[16] = {0};
    int r = trip_encode(trip, args, count);
    r = r < 0 ? r : trip_accept(trip);
    if (r < 0) {
        return r;
    }
    native(trip->call.arguments, result);
    r = trip_answer(trip, result);
    frame_finish(&trip->call);
    return r < 0 ? r : trip_decode(trip, args, count);
}
