/* SPDX-License-Identifier: Apache-2.0 */
#include "invoke/resident.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "frame/scalar.h"

/* Called with the offset of each pointer member. */
typedef void pointer_visitor(void *context, uint64_t offset);

static bool is_pointer(uint8_t kind)
{
    return kind >= CORDON_PLAN_POINTER && kind <= CORDON_PLAN_WITHIN;
}

/* Members are visited in the order of their offsets. Depth: CORDON_PLAN_DEPTH_MAX. */
struct visiting {
    const struct plan *plan;
    const uint8_t *object; /* its selectors tell which members of unions are in use */
    pointer_visitor *visit;
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
        visiting->visit(visiting->context, offset);
    }
}

static void visit_pointers(const struct resident *resident, pointer_visitor *visit, void *context)
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

uint32_t resident_tag(const struct resident *resident)
{
    uint32_t hash = 2166136261u;
    for (const char *c = plan_name(resident->plan, resident->type->name); *c; c++) {
        hash = (hash ^ (unsigned char)*c) * 16777619u;
    }
    return hash;
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

static void cover_pointer(void *context, uint64_t offset)
{
    const struct window *window = context;
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
static void skip_pointer(void *context, uint64_t offset)
{
    struct overwriting *overwriting = context;
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
    bool found;
};

static void match_pointer(void *context, uint64_t offset)
{
    struct search *search = context;
    search->found = search->found || search->offset == offset;
}

int resident_point(struct resident *resident, uint64_t offset, void *to, struct message *why)
{
    struct search search = {.offset = offset};
    visit_pointers(resident, match_pointer, &search);
    if (!search.found) {
        return message_set(why, -EINVAL, "%s has no pointer at offset %llu",
                           plan_name(resident->plan, resident->type->name),
                           (unsigned long long)offset);
    }
    memcpy(resident->object + offset, &to, sizeof to);
    return 0;
}
