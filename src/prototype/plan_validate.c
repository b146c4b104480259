/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "prototype/builder.h"
#include "prototype/plan.h"
#include "prototype/plan_check.h"

/*
 * How it works. A type's target, and the types of its fields, stand before the type itself: one pass in
 * the order of the table judges each type by what is known of earlier ones, so nothing can be cyclic
 * and nothing recurses. Of each type the pass keeps how deep it nests and which parameters its lengths
 * name; a function then only has to compare those bits with its own parameters. Words and positions
 * follow from the types, so they are computed again and compared.
 */

static int bad(const struct validator *v, const char *what)
{
    return message_set(v->why, -EBADMSG, "this plan is damaged: %s", what);
}

int plan_bad_at(const struct validator *v, const char *table, uint32_t index, const char *what)
{
    return message_set(v->why, -EBADMSG, "this plan is damaged: %s %u: %s", table, index, what);
}

static uint64_t hash_without_field(const void *bytes, size_t length)
{
    struct cordon_plan_header header;
    memcpy(&header, bytes, sizeof header);
    header.layout_hash = 0;
    uint64_t hash = fnv64(FNV64_START, &header, sizeof header);
    return fnv64(hash, (const unsigned char *)bytes + sizeof header, length - sizeof header);
}

#if defined(__aarch64__)
#define THIS_ABI CORDON_PLAN_ABI_AARCH64
#else
#define THIS_ABI CORDON_PLAN_ABI_X86_64_SYSV
#endif

static int check_header(struct validator *v, const void *bytes, size_t length)
{
    struct cordon_plan_header *header = &v->header;
    if (length < sizeof *header || ((uintptr_t)bytes & 7) != 0) {
        return bad(v, "too short, or not aligned to 8");
    }
    memcpy(header, bytes, sizeof *header);
    if (header->magic != CORDON_PLAN_MAGIC) {
        return bad(v, "it does not begin with the magic number");
    }
    if (header->version != CORDON_PLAN_VERSION) {
        return message_set(v->why, -ENOTSUP, "this plan has version %u, and Cordon reads %u",
                           header->version, CORDON_PLAN_VERSION);
    }
    if (header->abi != THIS_ABI) {
        return message_set(v->why, -ENOTSUP, "this plan is for another machine (ABI %u, not %u)",
                           header->abi, (unsigned)THIS_ABI);
    }
    if (header->plan_bytes != length || length > CORDON_PLAN_BYTES_MAX) {
        return bad(v, "its length is not what its header says, or beyond CORDON_PLAN_BYTES_MAX");
    }
    if (header->layout_hash != hash_without_field(bytes, length)) {
        return bad(v, "its hash is wrong");
    }
    return 0;
}

static bool table_fits(const struct validator *v, uint32_t at, uint32_t count, size_t size)
{
    uint64_t end = (uint64_t)at + (uint64_t)count * size;
    return at >= sizeof v->header && at % 8 == 0 && end <= v->header.plan_bytes;
}

static int check_tables(struct validator *v)
{
    const struct cordon_plan_header *h = &v->header;
    if (!table_fits(v, h->functions_at, h->function_count, sizeof(struct cordon_plan_function)) ||
        !table_fits(v, h->params_at, h->param_count, sizeof(struct cordon_plan_param)) ||
        !table_fits(v, h->types_at, h->type_count, sizeof(struct cordon_plan_type)) ||
        !table_fits(v, h->fields_at, h->field_count, sizeof(struct cordon_plan_field)) ||
        !table_fits(v, h->enumerators_at, h->enumerator_count,
                    sizeof(struct cordon_plan_enumerator)) ||
        !table_fits(v, h->code_at, h->code_bytes, 1) ||
        !table_fits(v, h->names_at, h->names_bytes, 1)) {
        return bad(v, "a table lies outside");
    }
    v->types = plan_type(v->plan, 0);
    v->fields = plan_field(v->plan, 0);
    v->code = PLAN_TABLE(v->plan, unsigned char, code_at);
    v->names = plan_name(v->plan, 0);
    if (h->names_bytes == 0 || v->names[0] != '\0' || v->names[h->names_bytes - 1] != '\0') {
        return bad(v, "its names do not begin and end with NUL");
    }
    bool describes_type = h->root_type != CORDON_PLAN_NONE;
    if (describes_type ? h->root_type >= h->type_count : h->function_count == 0) {
        return bad(v, "it describes neither a function nor a type");
    }
    return 0;
}

int plan_validate(const void *bytes, size_t length, const struct plan **ret_plan,
                  struct message *why)
{
    struct validator v = {.plan = bytes, .why = why};
    int r = check_header(&v, bytes, length);
    r = r < 0 ? r : check_tables(&v);
    if (r < 0) {
        return r;
    }
    v.facts = calloc((size_t)v.header.type_count + 1, sizeof *v.facts);
    if (!v.facts) {
        return message_set(why, -ENOMEM, "not enough memory to read a plan");
    }
    r = plan_check_types(&v);
    r = r < 0 ? r : plan_check_functions(&v);
    free(v.facts);
    if (r == 0) {
        *ret_plan = bytes;
    }
    return r;
}
