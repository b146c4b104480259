/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_REPORT_FILE_H
#define CLI_REPORT_FILE_H

/* The report that a person means. */

#include <jansson.h>

#include "base/message.h"

/*
 * @name       an id (also with -PART), `last`, or the path of a file (it has a slash).
 * @directory  NULL: this user's.
 *
 * Its texts have no control characters. A report that is still being written is waited for, a few seconds. Returns 0 and a new reference;
 * -EINVAL (no such thing as an id), -ENOENT, -EBADMSG (it is no report); @why says it.
 */
int report_file_load(const char *name, const char *directory, json_t **ret_report,
                     struct message *why);

/* Members of a report: "" and 0 for what is not there. */
const char *report_text(const json_t *object, const char *key);
json_int_t report_number(const json_t *object, const char *key);

#endif
