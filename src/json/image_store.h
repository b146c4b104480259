/* SPDX-License-Identifier: Apache-2.0 */
#ifndef JSON_IMAGE_STORE_H
#define JSON_IMAGE_STORE_H

/* What storing JSON as C objects shares. Private to image*.c. */

#include "json/image.h"

/* "a string given where struct point wants a JSON object" */
int image_refuse_kind(struct image *image, const struct cordon_plan_type *type,
                      struct json_value json, const char *wanted);

/* A string as the handle that the caller knows by it. */
int image_take_handle(struct image *image, const struct cordon_plan_type *type,
                      struct json_value json, struct cordon_handle *ret_handle);

/*
 * A STRUCT by member name: numbers first, since they may give the lengths of what the pointers name.
 * Members that are not given stay zero; those that only give a length are filled in.
 */
int image_store_struct(struct image *image, const struct cordon_plan_type *record,
                       struct json_value json, uint8_t *memory);

/*
 * image->step while a part is converted. A refusal reads the steps where it happens, so they are taken
 * back on every way out.
 */
static inline struct image_step image_enter_element(struct image *image, size_t index)
{
    return (struct image_step){.outer = image->step, .index = index};
}

static inline struct image_step image_enter_member(struct image *image, const char *name)
{
    return (struct image_step){.outer = image->step, .text = name};
}

#endif
