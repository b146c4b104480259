/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/declaration.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "cli/file.h"
#include "cli/guess.h"

static int read_text(const char *path, char **ret_text, struct message *why)
{
    void *bytes = NULL;
    size_t length;
    int r = file_read(path, LIMIT_PROTOTYPE_BYTES, &bytes, &length, why);
    if (r < 0) {
        return r;
    }
    if (memchr(bytes, '\0', length)) {
        free(bytes);
        return message_set(why, -EINVAL, "'%s' holds a NUL: it is no interface file", path);
    }
    char *text = realloc(bytes, length + 1);
    if (!text) {
        free(bytes);
        return message_set(why, -ENOMEM, "no memory for '%s'", path);
    }
    text[length] = '\0';
    *ret_text = text;
    return 0;
}

static const struct plan_view *plan_at(const struct declaration *declaration, size_t index)
{
    size_t bytes;
    return cordon_interface_plan(declaration->interface_, index, &bytes);
}

static int find_function(struct declaration *declaration, const char *name, struct message *why)
{
    struct guess guess = guess_start(name, strlen(name));
    for (size_t i = 0; i < cordon_interface_function_count(declaration->interface_); i++) {
        const struct plan_view *plan = plan_at(declaration, i);
        declaration->function = view_name(plan, view_function(plan)->name);
        if (strcmp(declaration->function, name) == 0) {
            declaration->plan = plan;
            return 0;
        }
        guess_consider(&guess, declaration->function);
    }
    (void)message_set(why, -EINVAL, "'%s' declares no function '%s'", declaration->text_name, name);
    if (guess_found(&guess)) {
        message_add(why, "; did you mean '%s'?", guess_found(&guess));
    }
    return -EINVAL;
}

/* PROTOTYPE itself declares one function. */
static int only_function(struct declaration *declaration, struct message *why)
{
    size_t count = cordon_interface_function_count(declaration->interface_);
    if (count != 1) {
        return message_set(why, -EINVAL, "the prototype declares %s, one is wanted",
                           count == 0 ? "no function" : "several functions");
    }
    declaration->plan = plan_at(declaration, 0);
    declaration->function = view_name(declaration->plan, view_function(declaration->plan)->name);
    return 0;
}

int declaration_load(const char *prototype, const char *interface_path,
                     struct declaration *ret_declaration, struct message *why)
{
    struct cordon_error error;
    *ret_declaration =
        (struct declaration){.text_name = interface_path ? interface_path : "prototype"};
    if (interface_path) {
        int r = read_text(interface_path, &ret_declaration->text, why);
        if (r != 0) {
            return r;
        }
    } else if (!(ret_declaration->text = strdup(prototype))) {
        return message_set(why, -ENOMEM, "no memory");
    }
    int r =
        cordon_interface_parse(ret_declaration->text_name, ret_declaration->text,
                               strlen(ret_declaration->text), &ret_declaration->interface_, &error);
    if (r < 0) {
        return message_set(why, r, "%s", error.text);
    }
    return interface_path ? find_function(ret_declaration, prototype, why)
                          : only_function(ret_declaration, why);
}

void declaration_deinit(struct declaration *declaration)
{
    cordon_interface_free(declaration->interface_);
    free(declaration->text);
    *declaration = (struct declaration){0};
}
