/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_REPORT_TEXT_H
#define CLI_REPORT_TEXT_H

/* A report for people: from its JSON, as report_file_load() gives it. */

#include <jansson.h>

/* Each returns an enum command_exit. */
int report_text_show(const json_t *report);

/* One line of the list. */
int report_text_line(const json_t *report);

#endif
