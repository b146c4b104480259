/* SPDX-License-Identifier: Apache-2.0 */
#include "invoke/verbs.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/limits.h"
#include "invoke/callback.h"
#include "invoke/state.h"

#if defined(__x86_64__)
#define OWN_ABI CORDON_PLAN_ABI_X86_64_SYSV
#elif defined(__aarch64__)
#define OWN_ABI CORDON_PLAN_ABI_AARCH64
#endif

typedef int verb_function(struct engine *engine, const struct engine_request *request,
                          struct engine_reply *ret_reply, struct message *why);

static void reply_word(struct engine_reply *reply, uint64_t word)
{
    reply->words[reply->word_count++] = word;
}

static int hello(struct engine *engine, const struct engine_request *request,
                 struct engine_reply *ret_reply, struct message *why)
{
    (void)request;
    (void)why;
    reply_word(ret_reply, (uint64_t)engine->config.identity << 32 | ENGINE_PROTOCOL);
    reply_word(ret_reply, (uint64_t)OWN_ABI << 32 | CORDON_PLAN_VERSION);
    reply_word(ret_reply, (uint64_t)getpid());
    return 0;
}

static int bind(struct engine *engine, const struct engine_request *request,
                struct engine_reply *ret_reply, struct message *why)
{
    (void)ret_reply;
    if (request->words[0] > UINT32_MAX) {
        return message_set(why, -EINVAL, "function ids have 32 bits");
    }
    int r =
        seal_allows_binding(engine, request->words[0], request->bytes, request->byte_count, why);
    return r < 0 ? r
                 : bindings_add(&engine->bindings, (uint32_t)request->words[0], request->bytes,
                                request->byte_count, &engine->symbols, why);
}

static int new_resident(struct engine *engine, const struct engine_request *request,
                        struct engine_reply *ret_reply, struct message *why)
{
    struct resident *resident = NULL;
    int r = seal_allows_type(&engine->seal, request->bytes, request->byte_count, why);
    r = r < 0 ? r : resident_new(request->bytes, request->byte_count, &resident, why);
    if (r < 0) {
        return r;
    }
    struct handle_object what = {
        .object = resident->object,
        .name = plan_name(resident->plan, resident->type->name),
        .tag = resident_tag(resident),
        .resident = resident,
    };
    uint64_t word;
    r = handles_add(engine->handles, &what, &word, why);
    if (r < 0) {
        resident_free(resident);
        return r;
    }
    reply_word(ret_reply, word);
    reply_word(ret_reply, what.tag);
    return 0;
}

/* The object that words 0 and 1 name. */
static int find_resident(struct engine *engine, const struct engine_request *request,
                         struct resident *ret_view, struct message *why)
{
    const struct handle_object *what;
    if (request->words[1] > UINT32_MAX) {
        return message_set(why, -EINVAL, "type tags have 32 bits");
    }
    int r = handles_get(engine->handles, request->words[0], (uint32_t)request->words[1],
                        "a resident object", &what, why);
    if (r < 0) {
        return r;
    }
    const struct resident *own = what->resident;
    if (!own && !what->type) {
        return message_set(why, -EINVAL, "the members of this %s of the library are not known",
                           what->name);
    }
    *ret_view =
        own ? *own
            : (struct resident){.plan = what->plan, .type = what->type, .object = what->object};
    return 0;
}

static int check_room(const struct engine_request *request, uint64_t bytes, struct message *why)
{
    return request->reply && bytes <= request->reply_bytes_max
               ? 0
               : message_set(why, -ENOSPC, "%llu bytes do not fit into a reply of %u",
                             (unsigned long long)bytes, request->reply_bytes_max);
}

static int read_resident(struct engine *engine, const struct engine_request *request,
                         struct engine_reply *ret_reply, struct message *why)
{
    struct resident resident = {0};
    uint64_t offset = request->words[2];
    uint64_t bytes = request->words[3];
    int r = find_resident(engine, request, &resident, why);
    r = r < 0 ? r : resident_check(&resident, offset, bytes, why);
    r = r < 0 ? r : check_room(request, bytes, why);
    if (r < 0) {
        return r;
    }
    resident_read(&resident, offset, bytes, request->reply);
    ret_reply->reply_bytes = (uint32_t)bytes;
    return 0;
}

static int write_resident(struct engine *engine, const struct engine_request *request,
                          struct engine_reply *ret_reply, struct message *why)
{
    (void)ret_reply;
    struct resident resident = {0};
    int r = find_resident(engine, request, &resident, why);
    r = r < 0 ? r : resident_check(&resident, request->words[2], request->byte_count, why);
    if (r == 0 && request->byte_count > 0) {
        resident_write(&resident, request->words[2], request->byte_count, request->bytes);
    }
    return r;
}

/* Memory with a copy of the request's bytes, which takes the place of what was kept before. */
static int copy_pointee(struct engine *engine, const struct engine_request *request,
                        const struct kept_key *key, uint64_t room, void **ret_memory,
                        struct message *why)
{
    struct kept_item *fresh = NULL;
    struct kept_item *item = NULL;
    int r = kept_add(&engine->kept, &fresh, key, CORDON_PLAN_KEEP_NEXT, room, &item, why);
    if (r < 0) {
        return r;
    }
    if (request->byte_count > 0) {
        /* Bytes that are counted are there. NOLINTNEXTLINE(clang-analyzer-*) */
        memcpy(item->memory, request->bytes, request->byte_count);
    }
    kept_commit(&engine->kept, &fresh, ++engine->calls);
    *ret_memory = item->memory;
    return 0;
}

static int check_arena(const struct engine *engine, uint64_t address, struct message *why)
{
    const struct frame_arena *arena = &engine->config.arena;
    return address >= arena->base && address - arena->base < arena->bytes
               ? 0
               : message_set(why, -EINVAL, "the address lies outside of the session's arena");
}

static struct kept_key pointee_key(const struct resident *resident, uint64_t word, uint64_t offset)
{
    return (struct kept_key){.place = resident->object, .param = (uint32_t)offset, .owner = word};
}

static int point_resident(struct engine *engine, const struct engine_request *request,
                          struct engine_reply *ret_reply, struct message *why)
{
    (void)ret_reply;
    struct resident resident = {0};
    uint64_t offset = request->words[2];
    uint64_t address = request->words[3];
    uint64_t room = request->words[4];
    void *to = NULL;
    int r = find_resident(engine, request, &resident, why);
    r = r < 0 ? r : resident_check(&resident, offset, sizeof to, why);
    r = r < 0 || address == 0 ? r : check_arena(engine, address, why);
    r = r < 0 ? r : resident_point(&resident, offset, NULL, why);
    if (r < 0) {
        return r;
    }
    struct kept_key key = pointee_key(&resident, request->words[0], offset);
    if (address != 0) {
        kept_forget(&engine->kept, &key);
        to = (void *)(uintptr_t)address;
    } else if (request->bytes || room > 0) {
        room = room > request->byte_count ? room : request->byte_count;
        r = copy_pointee(engine, request, &key, room, &to, why);
    } else {
        kept_forget(&engine->kept, &key);
    }
    return r < 0 ? r : resident_point(&resident, offset, to, why);
}

static int fetch_resident(struct engine *engine, const struct engine_request *request,
                          struct engine_reply *ret_reply, struct message *why)
{
    struct resident resident = {0};
    uint64_t offset = request->words[3];
    uint64_t bytes = request->words[4];
    int r = find_resident(engine, request, &resident, why);
    r = r < 0 ? r : resident_check(&resident, request->words[2], sizeof(void *), why);
    r = r < 0 ? r : check_room(request, bytes, why);
    if (r < 0) {
        return r;
    }
    struct kept_key key = pointee_key(&resident, request->words[0], request->words[2]);
    const struct kept_item *item = kept_find(&engine->kept, &key);
    if (!item) {
        const struct resident_range range = {offset, bytes};
        uint64_t copied = 0;
        r = resident_fetch(&resident, request->words[2], &range, request->reply, &copied, why);
        ret_reply->reply_bytes = (uint32_t)copied;
        return r;
    }
    if (offset > item->bytes || bytes > item->bytes - offset) {
        return message_set(why, -EINVAL, "%llu bytes at offset %llu of memory that has %zu",
                           (unsigned long long)bytes, (unsigned long long)offset, item->bytes);
    }
    memcpy(request->reply, item->memory + offset, bytes);
    ret_reply->reply_bytes = (uint32_t)bytes;
    return 0;
}

static int follow_resident(struct engine *engine, const struct engine_request *request,
                           struct engine_reply *ret_reply, struct message *why)
{
    struct resident resident = {0};
    struct resident_target target;
    int r = find_resident(engine, request, &resident, why);
    r = r < 0 ? r : resident_check(&resident, request->words[2], sizeof(void *), why);
    r = r < 0 ? r : resident_follow(&resident, request->words[2], &target, why);
    if (r < 0) {
        return r;
    }
    struct handle_object what = {
        .object = target.view.object,
        .name = target.name,
        .tag = target.tag,
        .owner = request->words[0],
        .plan = target.view.plan,
        .type = target.view.type,
    };
    uint64_t word = 0;
    if (what.object) {
        word = handles_find(engine->handles, what.object, what.tag, &what.owner);
    }
    if (what.object && word == 0) {
        r = handles_add(engine->handles, &what, &word, why);
    }
    if (r == 0) {
        reply_word(ret_reply, word);
        reply_word(ret_reply, what.tag);
    }
    return r;
}

static int drop_handle(struct engine *engine, const struct engine_request *request,
                       struct engine_reply *ret_reply, struct message *why)
{
    (void)ret_reply;
    int r = handles_end(engine->handles, request->words[0]);
    return r < 0 ? message_set(why, r, "the handle has ended already") : 0;
}

static int tell_losses(const struct queue_losses *losses, struct message *why)
{
    if (losses->turned_away > 0) {
        return message_set(why, -E2BIG,
                           "%u callbacks of the library's threads found as many waiting as may "
                           "(LIMIT_QUEUED_CALLBACKS, %u) and were given their failure value",
                           losses->turned_away, LIMIT_QUEUED_CALLBACKS);
    }
    return message_set(why, -ETIMEDOUT,
                       "%u callbacks of the library's threads waited LIMIT_QUEUED_MS (%u ms) and "
                       "were given their failure value",
                       losses->late, LIMIT_QUEUED_MS);
}

static int dispatch(struct engine *engine, const struct engine_request *request,
                    struct engine_reply *ret_reply, struct message *why)
{
    const struct engine_transport *transport = &engine->config.transport;
    const _Atomic uint32_t *arrivals = queue_arrivals(engine->queue);
    uint64_t until_ns = request->words[0];
    struct queue_losses losses;
    if (queue_losses(engine->queue, &losses)) {
        if (losses.late > 0 && transport->queued) {
            transport->queued(transport->context, -(int)losses.late);
        }
        return tell_losses(&losses, why);
    }
    for (;;) {
        /* Pairs with the release in queue_push(): what comes behind this look changes the word. */
        uint32_t seen = atomic_load_explicit(arrivals, memory_order_acquire);
        bool served = callback_dispatch(engine);
        if (served || clock_now_ns() >= until_ns) {
            reply_word(ret_reply, served);
            return 0;
        }
        int r = transport->wait ? transport->wait(transport->context, arrivals, seen, until_ns)
                                : -ENOSYS;
        if (r < 0) {
            return message_set(why, r, "nobody waits for callbacks here");
        }
    }
}

static int count_holdings(struct engine *engine, const struct engine_request *request,
                          struct engine_reply *ret_reply, struct message *why)
{
    (void)request;
    (void)why;
    reply_word(ret_reply, handles_count(engine->handles) + kept_count(&engine->kept));
    return 0;
}

static int declare_type(struct engine *engine, const struct engine_request *request,
                        struct engine_reply *ret_reply, struct message *why)
{
    (void)ret_reply;
    return seal_declare(&engine->seal, request->bytes, request->byte_count, why);
}

static int seal(struct engine *engine, const struct engine_request *request,
                struct engine_reply *ret_reply, struct message *why)
{
    (void)request;
    (void)ret_reply;
    (void)why;
    engine->seal.closed = true;
    return 0;
}

struct verb {
    verb_function *execute;
    uint32_t words;
    bool wants_bytes;
};

static const struct verb verbs[ENGINE_VERBS_END - ENGINE_VERBS] = {
    [ENGINE_HELLO - ENGINE_VERBS] = {hello, 0, false},
    [ENGINE_BIND - ENGINE_VERBS] = {bind, 1, true},
    [ENGINE_RESIDENT_NEW - ENGINE_VERBS] = {new_resident, 0, true},
    [ENGINE_RESIDENT_READ - ENGINE_VERBS] = {read_resident, 4, false},
    [ENGINE_RESIDENT_WRITE - ENGINE_VERBS] = {write_resident, 3, false},
    [ENGINE_RESIDENT_POINT - ENGINE_VERBS] = {point_resident, 5, false},
    [ENGINE_HANDLE_DROP - ENGINE_VERBS] = {drop_handle, 1, false},
    [ENGINE_RESIDENT_FETCH - ENGINE_VERBS] = {fetch_resident, 5, false},
    [ENGINE_RESIDENT_FOLLOW - ENGINE_VERBS] = {follow_resident, 3, false},
    [ENGINE_DISPATCH - ENGINE_VERBS] = {dispatch, 1, false},
    [ENGINE_HOLDINGS - ENGINE_VERBS] = {count_holdings, 0, false},
    [ENGINE_TYPE - ENGINE_VERBS] = {declare_type, 0, true},
    [ENGINE_SEAL - ENGINE_VERBS] = {seal, 0, false},
};

int verbs_execute(struct engine *engine, const struct engine_request *request,
                  struct engine_reply *ret_reply, struct message *why)
{
    if (request->function_id >= ENGINE_VERBS_END) {
        return message_set(why, -EINVAL, "the engine has no verb %#x", request->function_id);
    }
    const struct verb *verb = &verbs[request->function_id - ENGINE_VERBS];
    if (request->word_count < verb->words) {
        return message_set(why, -EINVAL, "verb %#x takes %u words, %u were given",
                           request->function_id, verb->words, request->word_count);
    }
    if (verb->wants_bytes && !request->bytes) {
        return message_set(why, -EINVAL, "verb %#x takes bytes", request->function_id);
    }
    return verb->execute(engine, request, ret_reply, why);
}
