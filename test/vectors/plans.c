/* SPDX-License-Identifier: Apache-2.0 */
#include "vectors/vectors.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "prototype/builder.h"

/* What the records of a plan say, by the names that they have in cordon/plan.h. */

static void write_code(const struct plan *plan, uint32_t code, FILE *file)
{
    if (code == CORDON_PLAN_NONE) {
        fputs("null", file);
    } else {
        fprintf(file, "%u", code);
    }
    (void)plan;
}

static void write_index(const char *key, uint32_t index, FILE *file)
{
    fprintf(file, ",\"%s\":", key);
    write_code(NULL, index, file);
}

static void write_type(const struct plan *plan, const struct cordon_plan_type *type, FILE *file)
{
    fprintf(file, "{\"kind\":%u,\"direction\":%u,\"keep\":%u,\"flags\":%u,\"size\":%u,\"align\":%u",
            type->kind, type->direction, type->keep, type->flags, type->size, type->align);
    write_index("target", type->target, file);
    fprintf(file, ",\"first\":%u,\"count\":%u", type->first, type->count);
    write_index("code", type->code, file);
    write_index("length_code", type->length_code, file);
    write_index("within", type->within, file);
    fputs(",\"name\":", file);
    write_text(file, plan_name(plan, type->name));
    fprintf(file, ",\"tag\":%u}", type->tag);
}

static void write_param(const struct plan *plan, const struct cordon_plan_param *param, FILE *file)
{
    fputs("{\"name\":", file);
    write_text(file, plan_name(plan, param->name));
    fprintf(file, ",\"type\":%u,\"flags\":%u", param->type, param->flags);
    write_index("filled_by", param->filled_by, file);
    fprintf(file, ",\"passing\":%u,\"in_word\":%u,\"out_word\":%u,\"position\":%u}", param->passing,
            param->in_word, param->out_word, param->position);
}

static void write_function(const struct plan *plan, uint32_t index, FILE *file)
{
    const struct cordon_plan_function *function = plan_function(plan, index);
    fputs("{\"name\":", file);
    write_text(file, plan_name(plan, function->name));
    fputs(",\"symbol\":", file);
    write_text(file, plan_name(plan, function->symbol));
    fprintf(file, ",\"passed_count\":%u,\"flags\":%u,\"in_words\":%u,\"out_words\":%u",
            function->passed_count, function->flags, function->in_words, function->out_words);
    write_index("outer", function->outer, file);
    fprintf(file, ",\"fails\":%lld,\"result\":", (long long)function->fails);
    write_param(plan, &function->result, file);
    fputs(",\"parameters\":[", file);
    for (uint32_t i = 0; i < function->param_count; i++) {
        fputs(i ? "," : "", file);
        write_param(plan, plan_function_param(plan, function, i), file);
    }
    fputs("]}", file);
}

static void write_field(const struct plan *plan, const struct cordon_plan_field *field, FILE *file)
{
    fputs("{\"name\":", file);
    write_text(file, plan_name(plan, field->name));
    fprintf(file, ",\"type\":%u,\"offset\":%u,\"flags\":%u", field->type, field->offset,
            field->flags);
    write_index("filled_by", field->filled_by, file);
    fprintf(file, ",\"value_high\":%u}", field->value_high);
}

static void write_enumerator(const struct plan *plan, const struct cordon_plan_enumerator *one,
                             FILE *file)
{
    fputs("{\"name\":", file);
    write_text(file, plan_name(plan, one->name));
    fprintf(file, ",\"value\":%lld}", (long long)one->value);
}

static void write_plan(const struct plan *plan, size_t bytes, FILE *file)
{
    const struct cordon_plan_header *header = plan_header(plan);
    fprintf(file,
            "{\"layout_hash\":\"0x%016llx\",\"plan\":", (unsigned long long)header->layout_hash);
    write_bytes(file, (const uint8_t *)plan, bytes);
    fputs(",\"functions\":[", file);
    for (uint32_t i = 0; i < header->function_count; i++) {
        fputs(i ? "," : "", file);
        write_function(plan, i, file);
    }
    fputs("],\"types\":[", file);
    for (uint32_t i = 0; i < header->type_count; i++) {
        fputs(i ? "," : "", file);
        write_type(plan, plan_type(plan, i), file);
    }
    fputs("],\"fields\":[", file);
    for (uint32_t i = 0; i < header->field_count; i++) {
        fputs(i ? "," : "", file);
        write_field(plan, plan_field(plan, i), file);
    }
    fputs("],\"enumerators\":[", file);
    for (uint32_t i = 0; i < header->enumerator_count; i++) {
        fputs(i ? "," : "", file);
        write_enumerator(plan, plan_enumerator(plan, i), file);
    }
    fputs("],\"code\":", file);
    write_bytes(file, PLAN_TABLE(plan, uint8_t, code_at), header->code_bytes);
    fputc('}', file);
}

void write_plans(struct scene *scene, FILE *file)
{
    fputs("\"plans\":[\n", file);
    for (size_t i = 0; i < interface_function_count(scene->interface); i++) {
        size_t bytes;
        const struct plan *plan = scene_plan(scene, i, &bytes);
        fputs(i ? ",\n" : "", file);
        write_plan(plan, bytes, file);
    }
    fputs("\n]}\n", file);
}

/* Where a plan is spoilt. Offsets within a table count from its first record. */
enum table { HEADER, FUNCTIONS, PARAMS, TYPES, FIELDS, CODE, NAMES };

struct spoil {
    const char *function;
    const char *what;
    enum table table;
    uint32_t record;
    uint32_t offset;
    uint32_t size;
    uint64_t value;
    bool keep_hash; /* the hash is as it was: wrong */
};

#define HEAD(field, value, what)                                                                   \
    {                                                                                              \
        "stretch", what, HEADER, 0, offsetof(struct cordon_plan_header, field),                    \
            sizeof((struct cordon_plan_header *)0)->field, value, false                            \
    }
#define FUNCTION(field, value, what)                                                               \
    {                                                                                              \
        "stretch", what, FUNCTIONS, 0, offsetof(struct cordon_plan_function, field),               \
            sizeof((struct cordon_plan_function *)0)->field, value, false                          \
    }
#define PARAM(record, field, value, what)                                                          \
    {                                                                                              \
        "stretch", what, PARAMS, record, offsetof(struct cordon_plan_param, field),                \
            sizeof((struct cordon_plan_param *)0)->field, value, false                             \
    }
#define TYPE(record, field, value, what)                                                           \
    {                                                                                              \
        "total_batch", what, TYPES, record, offsetof(struct cordon_plan_type, field),              \
            sizeof((struct cordon_plan_type *)0)->field, value, false                              \
    }
#define FIELD(record, field, value, what)                                                          \
    {                                                                                              \
        "total_batch", what, FIELDS, record, offsetof(struct cordon_plan_field, field),            \
            sizeof((struct cordon_plan_field *)0)->field, value, false                             \
    }

static const struct spoil spoils[] = {
    HEAD(magic, 0, "another magic number"),
    HEAD(version, 2, "another version"),
    HEAD(abi, 2, "another machine"),
    HEAD(plan_bytes, 80, "another length"),
    {"stretch", "a byte changed, the hash not", NAMES, 0, 1, 1, 'S', true},
    HEAD(root_type, 0xfffffff0, "a root type that there is not"),
    HEAD(functions_at, 84, "a table that is not aligned"),
    HEAD(functions_at, 0, "a table in the header"),
    HEAD(function_count, 0, "no function"),
    HEAD(param_count, 0x08000001, "a table as large as wraps 32 bits"),
    HEAD(types_at, 0xfffffff8, "a table beyond the end"),
    HEAD(names_bytes, 0, "no names"),
    {"stretch", "names that do not begin with the empty one", NAMES, 0, 0, 1, 'x', false},
    FUNCTION(name, 0xffffffff, "a name outside"),
    FUNCTION(first_param, 1, "parameters beyond the table"),
    FUNCTION(param_count, 65, "more parameters than CORDON_PLAN_PARAMS_MAX"),
    FUNCTION(passed_count, 4, "a parameter passed that is filled in"),
    FUNCTION(flags, CORDON_PLAN_MAILBOX, "a mailbox function with bytes"),
    FUNCTION(in_words, 3, "too few words"),
    FUNCTION(out_words, 66, "too many words"),
    FUNCTION(reserved, 1, "a reserved field that is not 0"),
    PARAM(0, type, 0xffff, "a type that there is not"),
    PARAM(0, passing, CORDON_PLAN_PASS_WORD, "an array in a word"),
    PARAM(1, in_word, 0, "a word used twice"),
    PARAM(3, filled_by, 1, "filled in from what is no array"),
    PARAM(3, position, 0, "a position for what is not passed"),
    PARAM(0, reserved, 1, "a reserved field that is not 0"),
    TYPE(0, kind, CORDON_PLAN_KIND_COUNT, "a kind that there is not"),
    TYPE(0, size, 3, "a size that its kind does not have"),
    TYPE(0, direction, 9, "a direction that there is not"),
    TYPE(1, target, 1, "a type that is its own target"),
    TYPE(1, code, 0xfffffff0, "code outside"),
    TYPE(0, align, 3, "an alignment that is no power of two"),
    FIELD(0, type, 0xff, "a field of a type that there is not"),
    FIELD(1, offset, 4, "fields that overlap"),
    FIELD(2, offset, 4096, "a field outside its struct"),
    FIELD(1, filled_by, 3, "a length of a member that there is not"),
    {"stretch", "an operation that there is not", CODE, 0, 0, 1, CORDON_PLAN_OP_COUNT, false},
    {"stretch", "a length of a parameter that there is not", CODE, 0, 1, 2, 40, false},
    {"stretch", "code that ends with nothing on the stack", CODE, 0, 0, 1, CORDON_PLAN_OP_END,
     false},
};

static uint8_t *place_of(uint8_t *plan, const struct spoil *spoil)
{
    const struct cordon_plan_header *header = (const void *)plan;
    const uint32_t tables[] = {0,
                               header->functions_at,
                               header->params_at,
                               header->types_at,
                               header->fields_at,
                               header->code_at,
                               header->names_at};
    static const uint32_t sizes[] = {0,
                                     sizeof(struct cordon_plan_function),
                                     sizeof(struct cordon_plan_param),
                                     sizeof(struct cordon_plan_type),
                                     sizeof(struct cordon_plan_field),
                                     0,
                                     0};
    return plan + tables[spoil->table] + spoil->record * sizes[spoil->table] + spoil->offset;
}

static void hash_anew(uint8_t *plan, size_t bytes)
{
    struct cordon_plan_header *header = (void *)plan;
    header->layout_hash = 0;
    header->layout_hash = fnv64(FNV64_START, plan, bytes);
}

static void write_spoilt(struct scene *scene, const struct spoil *spoil, FILE *file)
{
    size_t bytes;
    const struct plan *whole = scene_plan(scene, scene_find(scene, spoil->function), &bytes);
    const struct plan *plan;
    uint8_t *copy = calloc(1, bytes);
    if (!copy) {
        vectors_fail("no memory");
    }
    memcpy(copy, whole, bytes);
    memcpy(place_of(copy, spoil), &spoil->value, spoil->size);
    if (!spoil->keep_hash) {
        hash_anew(copy, bytes);
    }
    int r = plan_validate(copy, bytes, &plan, &scene->why);
    if (r == 0) {
        vectors_fail("a plan is accepted with %s", spoil->what);
    }
    fputs("{\"what\":", file);
    write_text(file, spoil->what);
    fprintf(file, ",\"error\":\"%s\",\"plan\":", r == -ENOTSUP ? "ENOTSUP" : "EBADMSG");
    write_bytes(file, copy, bytes);
    fputc('}', file);
    free(copy);
}

void write_refused_plans(struct scene *scene, FILE *file)
{
    fputs("\"plans\":[\n", file);
    for (size_t i = 0; i < sizeof spoils / sizeof spoils[0]; i++) {
        fputs(i ? ",\n" : "", file);
        write_spoilt(scene, &spoils[i], file);
    }
    fputs("\n]}\n", file);
}
