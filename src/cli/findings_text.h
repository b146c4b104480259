/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_FINDINGS_TEXT_H
#define CLI_FINDINGS_TEXT_H

#include <stdbool.h>

#include "config/findings.h"
#include "json/json_out.h"

/* All findings as lines for people, and how many were left out. @colours: for a terminal. Nothing if there are none. */
void findings_to_text(const struct findings *findings, bool colours, struct json_out *text);

/* As an array of objects: file, line, column, field, severity, sentence. */
void findings_to_json(const struct findings *findings, struct json_out *out);

#endif
