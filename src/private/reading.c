/* SPDX-License-Identifier: Apache-2.0 */
#include "private/reading.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "cordon/report.h"
#include "private/answer.h"
#include "private/requests.h"

#define WAIT_MS_MAX 30000

struct reading {
    struct job job;
    struct server *server;
    json_t *id;      /* owned */
    char *directory; /* owned; NULL: the user's */
    uint64_t report;
    uint32_t part;
    uint64_t deadline_ns;
    char *json; /* owned */
    int r;
    struct cordon_error error;
};

static void free_reading(struct reading *reading)
{
    json_decref(reading->id);
    free(reading->directory);
    free(reading->json);
    free(reading);
}

static void work(struct job *job)
{
    struct reading *reading = (struct reading *)job;
    (void)!cordon_report_wait(reading->directory, reading->report, reading->part,
                              reading->deadline_ns);
    reading->r = cordon_report_read(reading->directory, reading->report, reading->part,
                                    &reading->json, &reading->error);
}

static void done(struct job *job)
{
    struct reading *reading = (struct reading *)job;
    json_error_t error;
    json_t *report = reading->r == 0 ? json_loads(reading->json, 0, &error) : NULL;
    if (report) {
        (void)answer_result(reading->server, reading->id, report, -1);
    } else {
        (void)answer_failure(reading->server, reading->id, ANSWER_PARAMETERS,
                             reading->r == 0 ? error.text : reading->error.text,
                             reading->r == 0 ? -EBADMSG : reading->r);
    }
    free_reading(reading);
}

/* "6f3a...": as `cordon report` writes ids. */
static bool read_id(json_t *value, uint64_t *ret_report, uint32_t *ret_part)
{
    const char *text = json_string_value(value);
    char end;
    *ret_part = 0;
    return text && strlen(text) <= 32 &&
           (sscanf(text, "%" SCNx64 "%c", ret_report, &end) == 1 ||
            sscanf(text, "%" SCNx64 ".%" SCNu32 "%c", ret_report, ret_part, &end) == 2);
}

int reading_take(struct server *server, json_t *id, json_t *params)
{
    json_int_t wait_ms = json_integer_value(json_object_get(params, "wait_ms"));
    json_t *directory = json_object_get(params, "directory");
    uint64_t report;
    uint32_t part;
    if (!read_id(json_object_get(params, "id"), &report, &part) || wait_ms < 0 ||
        wait_ms > WAIT_MS_MAX || (directory && !json_is_string(directory))) {
        return answer_error(server, id, ANSWER_PARAMETERS,
                            "id has to be a report's, wait_ms from 0 to 30000, directory a string");
    }
    struct reading *reading = calloc(1, sizeof *reading);
    if (!reading) {
        return -ENOMEM;
    }
    *reading = (struct reading){
        .job = {.work = work, .done = done},
        .server = server,
        .id = json_incref(id),
        .directory = directory ? strdup(json_string_value(directory)) : NULL,
        .report = report,
        .part = part,
        .deadline_ns = clock_after_ns((uint64_t)wait_ms * CLOCK_MS_NS),
    };
    jobs_add(&server->jobs, &reading->job);
    return 0;
}
