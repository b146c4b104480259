/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_IMAGE_STORE_H
#define CLI_IMAGE_STORE_H

/* What storing JSON as C objects shares. Private to image*.c. */

#include "cli/image.h"

/*
 * image->path while a part of it is converted: "[3]", ".x". Enter returns its length before, for leave.
 * A refusal leaves the path as it is.
 */
size_t image_path_enter(struct image *image, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void image_path_leave(struct image *image, size_t length);

/* "a string given where struct point wants a JSON object" */
int image_refuse_kind(struct image *image, const struct cordon_plan_type *type, const json_t *json,
                      const char *wanted);

/*
 * A STRUCT by member name: numbers first, since they may give the lengths of what the pointers name.
 * Members that are not given stay zero; those that only give a length are filled in.
 */
int image_store_struct(struct image *image, const struct cordon_plan_type *record,
                       const json_t *json, uint8_t *memory);

#endif
