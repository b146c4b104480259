/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/residents.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cli/json_text.h"
#include "json/show.h"

int resident_parse(struct image *image, const struct cordon_plan_type *type, const char *text,
                   struct cordon_value *ret_value)
{
    const struct cordon_plan_type *record = view_target(image->plan, type);
    struct message why;
    struct document document = {0};
    struct json_value json;
    *ret_value = cordon_null();
    if (strcmp(text, "null") == 0) {
        return 0;
    }
    int r = json_text_parse(&document, text, strlen(text), &json, &why);
    void *memory = r < 0 ? NULL : image_take(image, 1, record->size);
    if (r < 0) {
        r = image_refuse(image, r, "%s", why.text);
    } else {
        r = memory ? image_store(image, record, json, memory) : -E2BIG;
    }
    document_deinit(&document);
    *ret_value = cordon_in(memory, 1);
    return r;
}

/* Each object that the arguments hold; the first result that is not 0 ends it. */
typedef int resident_fn(struct arguments *arguments, struct cordon_session *session,
                        uint32_t param);

static int for_each(struct arguments *arguments, struct cordon_session *session, resident_fn *visit)
{
    for (uint32_t i = 0; i < view_function(arguments->plan)->param_count; i++) {
        const struct cordon_plan_param *param = view_param(arguments->plan, i);
        if (param->position < arguments->by_position.count &&
            show_is_resident(view_type(arguments->plan, param->type)) &&
            arguments->residents[param->position]) {
            int r = visit(arguments, session, i);
            if (r != 0) {
                return r;
            }
        }
    }
    return 0;
}

static const struct cordon_plan_type *record_of(const struct arguments *arguments, uint32_t param)
{
    return view_target(arguments->plan,
                       view_type(arguments->plan, view_param(arguments->plan, param)->type));
}

static int refuse(const struct arguments *arguments, uint32_t param, int r,
                  const struct cordon_error *error)
{
    return message_set(arguments->why, r, "object '%s': %s",
                       view_name(arguments->plan, view_param(arguments->plan, param)->name),
                       error->text);
}

/* A tag, or a typedef's name. */
static int new_object(const struct arguments *arguments, struct cordon_session *session,
                      const struct cordon_plan_type *record, struct cordon_handle *ret_handle,
                      struct cordon_error *error)
{
    char name[300];
    const char *given = view_name(arguments->plan, record->name);
    (void)snprintf(name, sizeof name, "struct %s", given);
    int r = cordon_object_new(session, name, ret_handle, error);
    return r == -ENOENT ? cordon_object_new(session, given, ret_handle, error) : r;
}

static int make_one(struct arguments *arguments, struct cordon_session *session, uint32_t param)
{
    const struct cordon_plan_type *record = record_of(arguments, param);
    size_t position = view_param(arguments->plan, param)->position;
    struct cordon_handle *handle = &arguments->resident_handles[position];
    struct cordon_error error = {""};
    int r = handle->worker ? cordon_object_free(session, *handle, &error) : 0;
    *handle = (struct cordon_handle){0};
    r = r != 0 ? r : new_object(arguments, session, record, handle, &error);
    if (r == 0) {
        r = cordon_object_write(session, *handle, NULL, arguments->residents[position],
                                record->size, &error);
    }
    if (r != 0) {
        return refuse(arguments, param, r, &error);
    }
    arguments->values[position] = cordon_object(*handle);
    return 0;
}

static int read_one(struct arguments *arguments, struct cordon_session *session, uint32_t param)
{
    size_t position = view_param(arguments->plan, param)->position;
    struct cordon_error error = {""};
    int r = cordon_object_read(session, arguments->resident_handles[position], NULL,
                               arguments->residents[position], record_of(arguments, param)->size,
                               &error);
    return r != 0 ? refuse(arguments, param, r, &error) : 0;
}

int residents_make(struct arguments *arguments, struct cordon_session *session)
{
    return for_each(arguments, session, make_one);
}

int residents_read(struct arguments *arguments, struct cordon_session *session)
{
    return for_each(arguments, session, read_one);
}
