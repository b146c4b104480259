/* SPDX-License-Identifier: Apache-2.0 */
#include "invoke/resident.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "frame/scalar.h"

/* A pointer member, and the struct that it is a member of. */
struct member {
    const struct cordon_plan_type *type;
    const struct cordon_plan_type *owner;
    uint64_t owner_at;
    uint64_t offset;
};

typedef void member_visitor(void *context, const struct member *member);

static bool is_pointer(uint8_t kind)
{
    return kind >= CORDON_PLAN_POINTER && kind <= CORDON_PLAN_WITHIN;
}

/* Members are visited in the order of their offsets. Depth: CORDON_PLAN_DEPTH_MAX. */
struct visiting {
    const struct plan *plan;
    const uint8_t *object; /* its selectors tell which members of unions are in use */
    member_visitor *visit;
    void *context;
};

static void visit_type(const struct visiting *visiting, const struct cordon_plan_type *type,
                       const struct cordon_plan_type *owner, uint64_t owner_at, uint64_t offset);

/* A union in which no member is in use has no pointers. */
static void visit_union(const struct visiting *visiting, const struct cordon_plan_type *type,
                        const struct cordon_plan_type *owner, uint64_t owner_at, uint64_t offset)
{
    const struct plan *plan = visiting->plan;
    const struct cordon_plan_field *selector = plan_field(plan, owner->first + type->within);
    uint64_t value = scalar_load(plan_type(plan, selector->type)->kind,
                                 visiting->object + owner_at + selector->offset);
    for (uint32_t i = 0; i < type->count; i++) {
        const struct cordon_plan_field *field = plan_field(plan, type->first + i);
        if (field->flags & CORDON_PLAN_FIELD_DEFAULT ||
            ((uint64_t)field->value_high << 32 | field->filled_by) == value) {
            visit_type(visiting, plan_type(plan, field->type), owner, owner_at, offset);
            return;
        }
    }
}

static void visit_type(const struct visiting *visiting, const struct cordon_plan_type *type,
                       const struct cordon_plan_type *owner, uint64_t owner_at, uint64_t offset)
{
    const struct plan *plan = visiting->plan;
    if (type->kind == CORDON_PLAN_STRUCT) {
        for (uint32_t i = 0; i < type->count; i++) {
            const struct cordon_plan_field *field = plan_field(plan, type->first + i);
            visit_type(visiting, plan_type(plan, field->type), type, offset,
                       offset + field->offset);
        }
    } else if (type->kind == CORDON_PLAN_UNION) {
        visit_union(visiting, type, owner, owner_at, offset);
    } else if (type->kind == CORDON_PLAN_ARRAY) {
        const struct cordon_plan_type *element = plan_type(plan, type->target);
        bool is_plain = element->kind < CORDON_PLAN_STRUCT;
        for (uint32_t i = 0; !is_plain && i < type->count; i++) {
            visit_type(visiting, element, owner, owner_at, offset + (uint64_t)i * element->size);
        }
    } else if (is_pointer(type->kind)) {
        visiting->visit(visiting->context, &(struct member){type, owner, owner_at, offset});
    }
}

static void visit_pointers(const struct resident *resident, member_visitor *visit, void *context)
{
    const struct visiting visiting = {resident->plan, resident->object, visit, context};
    visit_type(&visiting, resident->type, resident->type, 0, 0);
}

static int judge_type(struct resident *resident, struct message *why)
{
    uint32_t root = plan_header(resident->plan)->root_type;
    if (root == CORDON_PLAN_NONE) {
        return message_set(why, -EINVAL, "a resident object needs the plan of a type");
    }
    resident->type = plan_type(resident->plan, root);
    if (resident->type->kind != CORDON_PLAN_STRUCT || resident->type->size == 0) {
        return message_set(why, -EINVAL, "%s is no struct that could be a resident object",
                           plan_name(resident->plan, resident->type->name));
    }
    return 0;
}

static int resident_init(struct resident *resident, const void *bytes, size_t length,
                         struct message *why)
{
    void *copy = malloc(length ? length : 1);
    if (!copy) {
        return -ENOMEM;
    }
    memcpy(copy, bytes, length);
    int r = plan_validate(copy, length, &resident->plan, why);
    if (r < 0) {
        free(copy);
        return r;
    }
    /* The resident owns the copy. NOLINTNEXTLINE(clang-analyzer-*) */
    r = judge_type(resident, why);
    if (r < 0) {
        return r;
    }
    size_t align = resident->type->align < 16 ? 16 : resident->type->align;
    size_t size = (resident->type->size + align - 1) / align * align;
    resident->object = aligned_alloc(align, size);
    if (!resident->object) {
        return message_set(why, -ENOMEM, "no memory for a resident object of %zu bytes", size);
    }
    memset(resident->object, 0, size);
    return 0;
}

int resident_new(const void *bytes, size_t length, struct resident **ret_resident,
                 struct message *why)
{
    struct resident *resident = calloc(1, sizeof *resident);
    if (!resident) {
        return message_set(why, -ENOMEM, "no memory for a resident object");
    }
    int r = resident_init(resident, bytes, length, why);
    if (r < 0) {
        resident_free(resident);
        return r;
    }
    *ret_resident = resident;
    return 0;
}

void resident_free(struct resident *resident)
{
    if (resident) {
        free(resident->object);
        free((void *)(uintptr_t)resident->plan);
        free(resident);
    }
}

static uint32_t name_tag(const char *name)
{
    uint32_t hash = 2166136261u;
    for (; *name; name++) {
        hash = (hash ^ (unsigned char)*name) * 16777619u;
    }
    return hash;
}

uint32_t resident_tag(const struct resident *resident)
{
    return name_tag(plan_name(resident->plan, resident->type->name));
}

int resident_check(const struct resident *resident, uint64_t offset, uint64_t bytes,
                   struct message *why)
{
    uint64_t size = resident->type->size;
    return offset <= size && bytes <= size - offset
               ? 0
               : message_set(
                     why, -EINVAL, "%llu bytes at offset %llu are outside of %s, which has %llu",
                     (unsigned long long)bytes, (unsigned long long)offset,
                     plan_name(resident->plan, resident->type->name), (unsigned long long)size);
}

/* A copied range of the object. */
struct window {
    uint64_t offset;
    uint64_t bytes;
    uint8_t *memory;
};

static void cover_pointer(void *context, const struct member *member)
{
    const struct window *window = context;
    uint64_t offset = member->offset;
    for (uint64_t at = offset; at < offset + sizeof(void *); at++) {
        if (at >= window->offset && at - window->offset < window->bytes) {
            window->memory[at - window->offset] = 0;
        }
    }
}

void resident_read(const struct resident *resident, uint64_t offset, uint64_t bytes, uint8_t *to)
{
    memcpy(to, resident->object + offset, bytes);
    struct window window = {.offset = offset, .bytes = bytes, .memory = to};
    visit_pointers(resident, cover_pointer, &window);
}

/* A range of the object that is overwritten between its pointers. */
struct overwriting {
    uint8_t *object;
    const uint8_t *from;
    uint64_t offset;
    uint64_t bytes;
    uint64_t done; /* object bytes up to here are written */
};

static void write_up_to(struct overwriting *overwriting, uint64_t end)
{
    uint64_t limit = overwriting->offset + overwriting->bytes;
    end = end < limit ? end : limit;
    if (end > overwriting->done) {
        memcpy(overwriting->object + overwriting->done,
               overwriting->from + (overwriting->done - overwriting->offset),
               end - overwriting->done);
        overwriting->done = end;
    }
}

/* Members come in the order of their offsets. */
static void skip_pointer(void *context, const struct member *member)
{
    struct overwriting *overwriting = context;
    uint64_t offset = member->offset;
    write_up_to(overwriting, offset);
    if (overwriting->done < offset + sizeof(void *)) {
        overwriting->done = offset + sizeof(void *);
    }
}

void resident_write(struct resident *resident, uint64_t offset, uint64_t bytes, const uint8_t *from)
{
    struct overwriting overwriting = {
        .object = resident->object, .from = from, .offset = offset, .bytes = bytes, .done = offset};
    visit_pointers(resident, skip_pointer, &overwriting);
    write_up_to(&overwriting, offset + bytes);
}

struct search {
    uint64_t offset;
    struct member member; /* type NULL: not found */
};

static void match_pointer(void *context, const struct member *member)
{
    struct search *search = context;
    if (search->offset == member->offset) {
        search->member = *member;
    }
}

static int find_member(const struct resident *resident, uint64_t offset, struct member *ret_member,
                       struct message *why)
{
    struct search search = {.offset = offset};
    visit_pointers(resident, match_pointer, &search);
    if (!search.member.type) {
        return message_set(why, -EINVAL, "%s has no pointer at offset %llu",
                           plan_name(resident->plan, resident->type->name),
                           (unsigned long long)offset);
    }
    *ret_member = search.member;
    return 0;
}

int resident_point(struct resident *resident, uint64_t offset, void *to, struct message *why)
{
    struct member member;
    int r = find_member(resident, offset, &member, why);
    if (r == 0) {
        memcpy(resident->object + offset, &to, sizeof to);
    }
    return r;
}

/* The struct of the plan that is called @name: what a struct that points to itself means. */
static const struct cordon_plan_type *struct_named(const struct plan *plan, const char *name)
{
    for (uint32_t i = 0; i < plan_header(plan)->type_count; i++) {
        const struct cordon_plan_type *type = plan_type(plan, i);
        if (type->kind == CORDON_PLAN_STRUCT && strcmp(plan_name(plan, type->name), name) == 0) {
            return type;
        }
    }
    return NULL;
}

int resident_follow(const struct resident *resident, uint64_t offset,
                    struct resident_target *ret_target, struct message *why)
{
    const struct plan *plan = resident->plan;
    struct member member = {0};
    int r = find_member(resident, offset, &member, why);
    if (r < 0) {
        return r;
    }
    const struct cordon_plan_type *type = member.type;
    struct resident_target target = {.view = {.plan = plan}};
    if (type->kind == CORDON_PLAN_HANDLE) {
        target.tag = type->tag;
        target.name = plan_name(plan, type->name);
        target.view.type = type->target != CORDON_PLAN_NONE ? plan_type(plan, type->target)
                                                            : struct_named(plan, target.name);
    } else if (type->kind == CORDON_PLAN_POINTER &&
               plan_type(plan, type->target)->kind == CORDON_PLAN_STRUCT) {
        target.view.type = plan_type(plan, type->target);
        target.name = plan_name(plan, target.view.type->name);
        target.tag = name_tag(target.name);
    } else {
        return message_set(why, -EINVAL, "the pointer at offset %llu leads to no struct",
                           (unsigned long long)offset);
    }
    memcpy(&target.view.object, resident->object + offset, sizeof target.view.object);
    *ret_target = target;
    return 0;
}

/* Where a member's length finds the others. */
struct owner {
    const struct resident *resident;
    const struct member *member;
};

static int owner_field(void *context, uint32_t field, int64_t *ret_value)
{
    const struct owner *owner = context;
    const struct plan *plan = owner->resident->plan;
    const struct cordon_plan_field *record = plan_field(plan, owner->member->owner->first + field);
    *ret_value =
        (int64_t)scalar_load(plan_type(plan, record->type)->kind,
                             owner->resident->object + owner->member->owner_at + record->offset);
    return 0;
}

/* Elements behind a member, by the length that was declared for it. */
static int element_count(const struct resident *resident, const struct member *member,
                         uint64_t *ret_count, struct message *why)
{
    struct owner owner = {resident, member};
    const struct plan_scope scope = {.context = &owner, .field = owner_field};
    *ret_count = 1;
    if (member->type->code == CORDON_PLAN_NONE) {
        return 0;
    }
    int r = plan_evaluate(resident->plan, member->type->code, &scope, ret_count);
    return r < 0 ? message_set(why, r, "the length of the member at offset %llu cannot be computed",
                               (unsigned long long)member->offset)
                 : 0;
}

/* Elements may hold pointers themselves, which are not shown. */
static void read_elements(const struct resident *element, uint64_t offset, uint64_t bytes,
                          uint8_t *to)
{
    uint64_t size = element->type->size ? element->type->size : 1;
    if (element->type->kind < CORDON_PLAN_STRUCT) {
        memcpy(to, element->object + offset, bytes);
        return;
    }
    for (uint64_t done = 0; done < bytes;) {
        struct resident one = *element;
        uint64_t inside = (offset + done) % size;
        uint64_t part = size - inside < bytes - done ? size - inside : bytes - done;
        one.object += offset + done - inside;
        resident_read(&one, inside, part, to + done);
        done += part;
    }
}

int resident_fetch(const struct resident *resident, uint64_t offset,
                   const struct resident_range *range, uint8_t *to, uint64_t *ret_bytes,
                   struct message *why)
{
    struct member member;
    int r = find_member(resident, offset, &member, why);
    if (r < 0) {
        return r;
    }
    uint8_t *memory;
    uint64_t count = 0;
    memcpy(&memory, resident->object + offset, sizeof memory);
    if (!memory || (member.type->kind != CORDON_PLAN_STRING &&
                    (member.type->kind != CORDON_PLAN_POINTER ||
                     member.type->flags & CORDON_PLAN_NULL_ENDED))) {
        return message_set(why, -ENOENT,
                           memory ? "the pointer has no declared length" : "the pointer is NULL");
    }
    if (member.type->kind == CORDON_PLAN_STRING) {
        uint64_t all = strnlen((const char *)memory, LIMIT_STRING_BYTES) + 1;
        uint64_t left = range->at < all ? all - range->at : 0;
        *ret_bytes = left < range->bytes ? left : range->bytes;
        memcpy(to, memory + range->at, *ret_bytes);
        return 0;
    }
    const struct resident element = {
        .plan = resident->plan,
        .type = plan_type(resident->plan, member.type->target),
        .object = memory,
    };
    r = element_count(resident, &member, &count, why);
    uint64_t size = element.type->size ? element.type->size : 1;
    uint64_t all = 0;
    if (r == 0 && (__builtin_mul_overflow(count, size, &all) || range->at > all ||
                   range->bytes > all - range->at)) {
        r = message_set(why, -EINVAL, "%llu bytes at offset %llu of memory that has %llu",
                        (unsigned long long)range->bytes, (unsigned long long)range->at,
                        (unsigned long long)all);
    }
    if (r == 0) {
        read_elements(&element, range->at, range->bytes, to);
        *ret_bytes = range->bytes;
    }
    return r;
}
