/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_GO_TYPES_H
#define CLI_GO_TYPES_H

/*
 * Types: which type of Go is a C type's, as package cordon converts them. Structs, handles, callbacks
 * and enumerators are declared when they are first met.
 */

#include <stdbool.h>
#include <stdio.h>

#include "cli/go_names.h"
#include "json/plan_view.h"

/* The types of one package. Zero but for the two memories. */
struct go_types {
    struct go_names names; /* of the package */
    FILE *declared;        /* types */
    FILE *constants;       /* "NAME value\n" */
    bool failed;           /* no memory */
};

enum go_use {
    GO_PASSED,  /* an argument */
    GO_COMES,   /* what comes back in a parameter */
    GO_RETURNS, /* the function's own result */
    GO_CALLED,  /* an argument of a callback */
    GO_INSIDE,  /* a member or an element */
};

enum { GO_TYPE_BYTES = GO_NAME_BYTES + 32 };

struct go_type {
    char text[GO_TYPE_BYTES];
    bool handle;   /* a struct around one: `x.Handle` is what cordon takes */
    bool plain;    /* number, bool, string or slice of numbers: what cordon.Bind takes */
    bool in_place; /* a slice that the function writes to: nothing else comes back */
};

/* @owner and @name: the function's and the parameter's, of which callbacks are called. */
void go_types_find(struct go_types *types, const struct plan_view *plan,
                   const struct cordon_plan_type *type, enum go_use use, const char *owner,
                   const char *name, struct go_type *ret_type);

/* Whether something behind a parameter of @type is written by the function. */
bool go_gives_back(const struct plan_view *plan, const struct cordon_plan_type *type);

/* Rows of columns that gofmt aligns: "\tNAME TYPE TAG\n" for "NAME\tTYPE\tTAG\n". */
void go_aligned(FILE *out, const char *rows);

#endif
