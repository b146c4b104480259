/* SPDX-License-Identifier: Apache-2.0 */
#include "cell/object.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "cell/cell.h"
#include "cell/session.h"
#include "cell/station.h"

/* A member, or the whole struct. */
struct member {
    uint32_t offset;
    uint32_t size;
    bool pointer;
    bool string;
    uint32_t target_tag; /* of the struct that it points to; 0: it points to none */
};

static uint64_t default_deadline(const struct cordon_session *session)
{
    return clock_after_ns(session->cell->options.deadline_ms * CLOCK_MS_NS);
}

/* Execute a verb on the worker that holds @handle. */
static int on_object(struct cordon_session *session, struct cordon_handle handle,
                     struct session_verb *verb, struct message *why)
{
    uint64_t deadline_ns = default_deadline(session);
    int entered = session_enter_queue(session, deadline_ns);
    if (entered < 0) {
        return session_busy(session, entered, NULL, why);
    }
    int r = session_station(session, why);
    if (r == 0 && handle.worker != station_number(session->station)) {
        r = message_set(why, CORDON_STALE, "the object's worker is gone");
    }
    if (r == 0) {
        verb->words[0] = (uint64_t)handle.generation << 32 | handle.index;
        verb->words[1] = handle.tag;
        r = session_verb(session, verb, deadline_ns, why);
        if (r != 0 && session->unbegun && session->depth == 0) {
            r = message_set(why, CORDON_STALE, "the object's worker is gone");
        }
    }
    session_leave(session);
    return r;
}

static const struct plan *type_plan(const struct cordon_cell *cell, const char *name,
                                    size_t *ret_bytes)
{
    const void *bytes;
    const struct plan *plan;
    if (!cell->interface || interface_type_plan(cell->interface, name, &bytes, ret_bytes) != 0 ||
        plan_validate(bytes, *ret_bytes, &plan, NULL) != 0) {
        return NULL;
    }
    return plan;
}

/* FNV-1a 32 of a struct's tag: what handles of it carry. */
static uint32_t tag_of(const char *name)
{
    uint32_t hash = 2166136261u;
    for (; *name; name++) {
        hash = (hash ^ (unsigned char)*name) * 16777619u;
    }
    return hash;
}

int object_new(struct cordon_session *session, const char *type, struct cordon_handle *ret_handle,
               struct message *why)
{
    size_t bytes;
    const struct plan *plan = type_plan(session->cell, type, &bytes);
    if (!plan) {
        return message_set(why, -ENOENT, "no type '%s' is defined in the cell's interface", type);
    }
    const struct cordon_plan_type *root = plan_type(plan, plan_header(plan)->root_type);
    uint32_t tag = root->tag ? root->tag : tag_of(plan_name(plan, root->name));
    uint64_t deadline_ns = default_deadline(session);
    int entered = session_enter_queue(session, deadline_ns);
    if (entered < 0) {
        return session_busy(session, entered, NULL, why);
    }
    struct session_verb verb = {
        .verb = ENGINE_RESIDENT_NEW, .bytes = plan, .byte_count = (uint32_t)bytes};
    int r = session_station(session, why);
    if (r == 0) {
        r = session_verb(session, &verb, deadline_ns, why);
        if (r != 0 && session->unbegun && session->depth == 0) {
            r = session_station(session, why); /* once more, by a fresh worker */
            r = r == 0 ? session_verb(session, &verb, deadline_ns, why) : r;
        }
    }
    if (r == 0) {
        *ret_handle = (struct cordon_handle){.worker = station_number(session->station),
                                             .generation = (uint32_t)(verb.reply_words[0] >> 32),
                                             .index = (uint32_t)verb.reply_words[0],
                                             .tag = tag};
    }
    session_leave(session);
    return r;
}

static const struct cordon_plan_field *find_field(const struct plan *plan,
                                                  const struct cordon_plan_type *type,
                                                  const char *name, size_t length)
{
    for (uint32_t i = 0; i < type->count; i++) {
        const struct cordon_plan_field *field = plan_field(plan, type->first + i);
        const char *known = plan_name(plan, field->name);
        if (strlen(known) == length && memcmp(known, name, length) == 0) {
            return field;
        }
    }
    return NULL;
}

static bool is_pointer(const struct cordon_plan_type *type)
{
    return type->kind >= CORDON_PLAN_POINTER && type->kind <= CORDON_PLAN_WITHIN;
}

static uint32_t target_tag(const struct plan *plan, const struct cordon_plan_type *type)
{
    if (type->kind == CORDON_PLAN_HANDLE) {
        return type->tag;
    }
    if (type->kind != CORDON_PLAN_POINTER ||
        plan_type(plan, type->target)->kind != CORDON_PLAN_STRUCT) {
        return 0;
    }
    return tag_of(plan_name(plan, plan_type(plan, type->target)->name));
}

/* Follow "state.mode" from the struct @type. */
static int follow(const struct plan *plan, const struct cordon_plan_type *type, const char *path,
                  struct member *ret_member, struct message *why)
{
    uint32_t offset = 0;
    while (path && *path) {
        size_t length = strcspn(path, ".");
        const struct cordon_plan_field *field =
            type->kind == CORDON_PLAN_STRUCT || type->kind == CORDON_PLAN_UNION
                ? find_field(plan, type, path, length)
                : NULL;
        if (!field) {
            return message_set(why, -ENOENT, "%s has no member '%.*s'", plan_name(plan, type->name),
                               (int)length, path);
        }
        offset += field->offset;
        type = plan_type(plan, field->type);
        path += length + (path[length] == '.');
    }
    *ret_member = (struct member){.offset = offset,
                                  .size = type->size,
                                  .pointer = is_pointer(type),
                                  .string = type->kind == CORDON_PLAN_STRING,
                                  .target_tag = target_tag(plan, type)};
    return 0;
}

/* The type of a handle: the one in the cell's interface whose tag it carries. */
static int find_member(const struct cordon_session *session, struct cordon_handle handle,
                       const char *path, struct member *ret_member, struct message *why)
{
    const struct interface *interface = session->cell->interface;
    size_t bytes;
    const void *plan_bytes;
    const struct plan *plan;
    if (!interface || interface_type_by_tag(interface, handle.tag, &plan_bytes, &bytes) != 0 ||
        plan_validate(plan_bytes, bytes, &plan, NULL) != 0) {
        return message_set(why, -ENOENT,
                           "the handle's type is not defined in the cell's interface");
    }
    return follow(plan, plan_type(plan, plan_header(plan)->root_type), path, ret_member, why);
}

static int check_size(const struct member *member, const char *path, size_t bytes,
                      struct message *why)
{
    if (member->size == bytes) {
        return 0;
    }
    return message_set(why, -EINVAL, "%s has %u bytes, %zu were given", path ? path : "the object",
                       member->size, bytes);
}

int object_read(struct cordon_session *session, struct cordon_handle handle, const char *member,
                void *ret_value, size_t bytes, struct message *why)
{
    struct member place;
    int r = find_member(session, handle, member, &place, why);
    if (r == 0) {
        r = check_size(&place, member, bytes, why);
    }
    if (r != 0) {
        return r;
    }
    struct session_verb verb = {.verb = ENGINE_RESIDENT_READ,
                                .words = {0, 0, place.offset, place.size},
                                .reply = ret_value,
                                .reply_room = place.size};
    r = on_object(session, handle, &verb, why);
    if (r == 0 && verb.reply_bytes != place.size) {
        return message_set(why, -EBADMSG, "the worker answered with %u of %u bytes",
                           verb.reply_bytes, place.size);
    }
    return r;
}

int object_write(struct cordon_session *session, struct cordon_handle handle, const char *member,
                 const void *value, size_t bytes, struct message *why)
{
    struct member place;
    int r = find_member(session, handle, member, &place, why);
    if (r == 0) {
        r = check_size(&place, member, bytes, why);
    }
    if (r != 0) {
        return r;
    }
    if (place.pointer) {
        void *pointer;
        memcpy(&pointer, value, sizeof pointer);
        if (pointer && !(session->arena && arena_check(session->arena, pointer, 1))) {
            return message_set(
                why, -EINVAL,
                "'%s' is a pointer: it takes NULL or an address in the session's arena; "
                "cordon_object_point() copies other memory",
                member);
        }
        return object_point(session, handle, member, pointer, pointer ? 1 : 0, why);
    }
    struct session_verb verb = {.verb = ENGINE_RESIDENT_WRITE,
                                .words = {0, 0, place.offset, 0},
                                .bytes = value,
                                .byte_count = place.size};
    return on_object(session, handle, &verb, why);
}

/* A pointer member, behind which @bytes are to lie. */
static int find_pointer(const struct cordon_session *session, struct cordon_handle handle,
                        const char *member, size_t bytes, struct member *ret_member,
                        struct message *why)
{
    uint32_t most = session->cell->options.call_bytes;
    int r = find_member(session, handle, member, ret_member, why);
    if (r == 0 && !ret_member->pointer) {
        r = message_set(why, -EINVAL, "'%s' is no pointer", member ? member : "the object");
    }
    if (r == 0 && bytes > most) {
        r = message_set(why, -E2BIG, "%zu bytes are more than the limit of %u (call_bytes)", bytes,
                        most);
    }
    return r;
}

int object_point(struct cordon_session *session, struct cordon_handle handle, const char *member,
                 const void *memory, size_t bytes, struct message *why)
{
    struct member place;
    int r = find_pointer(session, handle, member, bytes, &place, why);
    if (r != 0) {
        return r;
    }
    struct session_verb verb = {.verb = ENGINE_RESIDENT_POINT, .words = {0, 0, place.offset, 0}};
    verb.words[4] = bytes;
    if (memory && session->arena && arena_check(session->arena, memory, bytes)) {
        verb.words[3] = (uint64_t)(uintptr_t)memory;
    } else {
        verb.bytes = memory;
        verb.byte_count = memory ? (uint32_t)bytes : 0;
    }
    return on_object(session, handle, &verb, why);
}

int object_fetch(struct cordon_session *session, struct cordon_handle handle, const char *member,
                 size_t offset, void *ret_bytes, size_t bytes, struct message *why)
{
    struct member place;
    int r = find_pointer(session, handle, member, bytes, &place, why);
    if (r != 0) {
        return r;
    }
    struct session_verb verb = {.verb = ENGINE_RESIDENT_FETCH,
                                .words = {0, 0, place.offset, offset, bytes},
                                .reply = ret_bytes,
                                .reply_room = (uint32_t)bytes};
    r = on_object(session, handle, &verb, why);
    if (r == 0 && verb.reply_bytes != bytes && !place.string) {
        return message_set(why, -EBADMSG, "the worker answered with %u of %zu bytes",
                           verb.reply_bytes, bytes);
    }
    if (r == 0) {
        memset((char *)ret_bytes + verb.reply_bytes, 0, bytes - verb.reply_bytes);
    }
    return r;
}

int object_follow(struct cordon_session *session, struct cordon_handle handle, const char *member,
                  struct cordon_handle *ret_handle, struct message *why)
{
    struct member place;
    int r = find_member(session, handle, member, &place, why);
    if (r != 0) {
        return r;
    }
    if (place.target_tag == 0) {
        return message_set(why, -EINVAL, "'%s' is no pointer to a struct",
                           member ? member : "the object");
    }
    struct session_verb verb = {.verb = ENGINE_RESIDENT_FOLLOW, .words = {0, 0, place.offset}};
    r = on_object(session, handle, &verb, why);
    if (r == 0) {
        /* The worker's word is a name for its own object; of which type that is, the declaration says. */
        bool null = verb.reply_words[0] == 0;
        *ret_handle = null ? (struct cordon_handle){0}
                           : (struct cordon_handle){
                                 .worker = handle.worker,
                                 .generation = (uint32_t)(verb.reply_words[0] >> 32),
                                 .index = (uint32_t)verb.reply_words[0],
                                 .tag = place.target_tag,
                             };
    }
    return r;
}

int object_free(struct cordon_session *session, struct cordon_handle handle, struct message *why)
{
    struct session_verb verb = {.verb = ENGINE_HANDLE_DROP};
    return on_object(session, handle, &verb, why);
}
