/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <string.h>

#include "gateway/access.h"
#include "gateway/connection.h"
#include "gateway/gateway.h"
#include "gateway/own.h"
#include "gateway/reports.h"
#include "gateway/request.h"

#define BUSY_MS    100u
#define WRITTEN_MS 500u

static void refuse(struct request *request, int result)
{
    switch (result) {
    case -EAGAIN:
        request_fail_with(request, CODE_BUSY, "too many ask for reports", "reports", BUSY_MS);
        break;
    case -EINPROGRESS:
        request_fail_with(request, CODE_BUSY, "this report is still being written", "reports",
                          WRITTEN_MS);
        break;
    case -EFBIG:
        request_fail(request, CODE_INTERNAL, "this report is too large: 'cordon report' shows it");
        break;
    case -EBADMSG:
        request_fail(request, CODE_INTERNAL, "this report's file is no report");
        break;
    case -ENOENT:
        request_fail(request, CODE_PARAMETERS, "no such report of a cell of this daemon");
        break;
    default:
        request_fail(request, CODE_INTERNAL, "not enough memory");
    }
}

static void answer(void *context, int result, struct json_out *json)
{
    struct request *request = context;
    const char *text = result == 0 ? json_out_text(json) : NULL;
    if (!text) {
        refuse(request, result == 0 ? -ENOMEM : result);
        return;
    }
    struct json_out *out = request_result_begin(request);
    char *place = out ? json_out_raw(out, json->length) : NULL;
    if (place) {
        memcpy(place, text, json->length);
        out->comma = true;
    }
    if (out) {
        request_result_end(request);
    }
}

/* Whether the parameters fit; else they are refused. */
static bool read_wish(struct request *request, struct json_value params, struct reports_wish *wish)
{
    struct json_value id = json_value_get(params, "id");
    struct json_value cell = json_value_get(params, "cell");
    struct json_value count = json_value_get(params, "count");
    if (json_value_given(id) &&
        (json_value_kind(id) != JSON_KIND_STRING ||
         !reports_parse_id(json_value_string(id, NULL), &wish->id, &wish->part))) {
        request_fail(request, CODE_PARAMETERS, "'id' is no report's id: 16 hexadecimal digits");
        return false;
    }
    if (json_value_given(cell) && json_value_kind(cell) != JSON_KIND_STRING) {
        request_fail(request, CODE_PARAMETERS, "'cell' is no string");
        return false;
    }
    if (json_value_given(count) &&
        (json_value_kind(count) != JSON_KIND_INT || json_value_int(count) < 1 ||
         json_value_int(count) > REPORTS_LISTED_MAX)) {
        request_fail(request, CODE_PARAMETERS, "'count' is no number from 1 to 256");
        return false;
    }
    wish->cell = json_value_given(cell) ? json_value_string(cell, NULL) : NULL;
    wish->most = json_value_given(count) ? (uint32_t)json_value_int(count) : REPORTS_LISTED;
    return true;
}

void own_take_reports(struct gateway *gateway, struct request *request, struct json_value params)
{
    struct reports_wish wish = {0};
    /* In a report are arguments of others' calls. */
    if (!access_commands(request->connection->uid)) {
        request_fail(request, CODE_FORBIDDEN,
                     "only the daemon's own user and root may see reports");
        return;
    }
    if (!read_wish(request, params, &wish)) {
        return;
    }
    int r = reports_ask(gateway, &wish, answer, request);
    if (r == -ENOENT) {
        request_fail(request, CODE_PARAMETERS, "no such cell");
    } else if (r != 0) {
        refuse(request, r);
    }
}
