/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONFIG_WORK_H
#define CONFIG_WORK_H

/*
 * Work: a configuration on its way from what the file says to settings, and where that stands, for findings. Inside
 * config*.c.
 */

#include <stdbool.h>

#include "cordon/interface.h"
#include "config/config.h"
#include "config/judge.h"
#include "config/keys.h"
#include "config/tree.h"
#include "config/settings.h"
#include "json/method.h"

struct config_work {
    const char *file;
    const char *directory; /* relative paths are below it */
    const struct tree_node *root;
    struct findings *findings;
    bool no_memory; /* somewhere it ran out: nothing is to be believed */
};

/* The name of a field: config_field("cells[%zu].name", i). */
struct config_field {
    char text[CONFIG_FIELD_BYTES];
};
struct config_field config_field(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* A finding about that field, or, where the file does not have it, at what is around it. */
void config_say(struct config_work *work, enum finding_severity severity, struct config_field field,
                const char *format, ...) __attribute__((format(printf, 4, 5)));

/* Whether the file has that field. */
bool config_has(const struct config_work *work, struct config_field field);

/* A copy that settings own; NULL of NULL, and where memory runs out, which is noted. */
char *config_keep(struct config_work *work, const char *text);

/* @path, below the file's directory where it is relative; owned by the caller, or NULL as above. */
char *config_path(struct config_work *work, const char *path);

/*
 * All of the regular file that sentences call @what ("the interface"), with a NUL behind it: CONFIG_BYTES_MAX at most.
 * Who else may write it is judged, too. Returns 0, or what reading it met: a finding, or noted (-ENOMEM).
 */
int config_read_file(struct config_work *work, const char *path, const char *what,
                     struct config_field field, char **ret_text, size_t *ret_length);

/* ---- Cells (cell.c) --------------------------------------------------------------------- */

/*
 * One cell's settings; @index is its place in the file. Its interface is parsed, and its methods are tried.
 * @ret_interface  the caller's; NULL: it could not be parsed.
 */
void config_cell(struct config_work *work, const struct config_cells *from, size_t index,
                 struct cell_settings *to, struct cordon_interface **ret_interface);

/* ---- Policies (policy.c) ---------------------------------------------------------------- */

/* Preset, grants and requirements, and what of them nobody has given a reason for. */
void config_policy(struct config_work *work, const struct config_cells *from, size_t index,
                   struct cell_settings *to);

/* ---- Methods (method.c) ----------------------------------------------------------------- */

/* @interface NULL: it did not parse, only what needs none is judged. */
void config_methods(struct config_work *work, const struct config_cells *from, size_t index,
                    const struct cordon_interface *interface, struct cell_settings *to);

/* Methods of all cells have names of their own. @interfaces of the cells, NULL where there is none. */
void config_judge_names(struct config_work *work, const struct settings *settings,
                        struct cordon_interface *const *interfaces);

#endif
