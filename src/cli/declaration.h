/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_DECLARATION_H
#define CLI_DECLARATION_H

/* Declaration: the function that PROTOTYPE means, given as C text or as a name in an interface file. */

#include "base/message.h"
#include "json/plan_view.h"
#include "cordon/interface.h"

struct declaration {
    struct cordon_interface *interface_;
    char *text; /* NUL-terminated: all declarations */
    const char *text_name;
    const struct plan_view *plan; /* of the function */
    const char *function;         /* its name */
};

/*
 * @interface_path  NULL: @prototype is the text.
 *
 * Returns 0; -EINVAL, -ENOTSUP, -E2BIG (the text; no or several functions in it; no such name, near
 * ones are given); -ENOMEM; what reading the file met.
 */
int declaration_load(const char *prototype, const char *interface_path,
                     struct declaration *ret_declaration, struct message *why);
/* Harmless after a failed load. */
void declaration_deinit(struct declaration *declaration);

#endif
