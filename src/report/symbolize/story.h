/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REPORT_SYMBOLIZE_STORY_H
#define REPORT_SYMBOLIZE_STORY_H

/* Story: the report as JSON (docs/protocol/report.md). */

#include <jansson.h>

#include "report/symbolize/evidence.h"
#include "report/symbolize/modules.h"

#define REPORT_VERSION 1

json_t *story_tell(struct evidence *evidence, struct modules *modules);

/* The report in one line: "SIGSEGV in crc32: reading 0x10, near NULL". */
void story_summary(const struct evidence *evidence, json_t *report);

/* Parts that stand in files of their own. NULL: there is nothing to say. */
json_t *story_call(const struct evidence *evidence);
json_t *story_history(const struct evidence *evidence);
json_t *story_violations(const struct evidence *evidence);
json_t *story_cell(const struct evidence *evidence);
json_t *story_signal(const struct evidence *evidence, struct modules *modules);

json_t *story_hexadecimal(uint64_t number);
/* Foreign bytes as text: what is no UTF-8 or a control character becomes '?'. */
json_t *story_text(const char *text, size_t length);

#endif
