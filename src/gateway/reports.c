/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How it works: a job is made in the loop, with all that the pool needs - the houses whose cells are asked, held as
 * long, and the ids that clients were told of. In the pool the cells say which reports are theirs; a list has
 * their headlines, one by its id is read if it is among them. Then the loop gives the answer away.
 */
#include "gateway/reports.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "cordon/report.h"
#include "gateway/gateway.h"
#include "gateway/reports_show.h"

#define RUNNING     2u   /* in the pool at once: workers are started there, too */
#define CELL_MOST   128u /* newest reports of one cell that are looked at */
#define LOOKED_MOST 512u /* of all */
#define ID_DIGITS   16u

/* What a client was told of. */
struct told {
    uint64_t id; /* 0: none */
    uint64_t when_ns;
    char *cell;
    char *directory; /* NULL: this user's */
};

/* Where reports are looked for. Texts are borrowed from the house, which is held, or owned with @told. */
struct source {
    struct house *house; /* NULL: one that was told of, its house may be gone */
    struct told told;
};

struct reports_job {
    struct reports_job *next;
    struct gateway *gateway;
    struct reports_wish wish; /* without its text: the sources are of that cell */
    struct source *sources;
    size_t source_count;
    reports_answer_fn *answer;
    void *context;
    int result;
    struct json_out json;
    uv_work_t work;
};

/* ---- Ids ---------------------------------------------------------------------------------------- */

bool reports_parse_id(const char *text, uint64_t *ret_id, uint32_t *ret_part)
{
    char again[REPORTS_ID_BYTES];
    if (strspn(text, "0123456789abcdef") != ID_DIGITS) {
        return false;
    }
    *ret_id = strtoull(text, NULL, 16);
    *ret_part = text[ID_DIGITS] == '-' ? (uint32_t)strtoul(text + ID_DIGITS + 1, NULL, 10) : 0;
    return *ret_id != 0 && strcmp(reports_id(*ret_id, *ret_part, again), text) == 0;
}

static char *copy_or_null(const char *text)
{
    return text ? strdup(text) : NULL;
}

static void told_deinit(struct told *told)
{
    free(told->cell);
    free(told->directory);
    *told = (struct told){0};
}

void reports_tell(struct house *house, uint64_t id)
{
    struct reports *reports = &house->gateway->reports;
    const char *directory = house->settings.options.reports;
    if (!reports->told) {
        reports->told = calloc(REPORTS_TOLD, sizeof *reports->told);
    }
    for (uint32_t i = 0; reports->told && i < REPORTS_TOLD; i++) {
        if (reports->told[i].id == id) { /* by another call that ended with the same worker */
            return;
        }
    }
    struct told told = {.id = id,
                        .when_ns = clock_now_ns(),
                        .cell = strdup(house->settings.name),
                        .directory = copy_or_null(directory)};
    if (!reports->told || !told.cell || (directory && !told.directory)) {
        told_deinit(&told); /* no memory: it is known for as long as its cell knows it */
        return;
    }
    struct told *place = &reports->told[reports->told_next++ % REPORTS_TOLD];
    told_deinit(place);
    *place = told;
}

/* ---- In the pool -------------------------------------------------------------------------------- */

static const char *directory_of(const struct source *source)
{
    return source->house ? source->house->settings.options.reports : source->told.directory;
}

static const char *cell_of(const struct source *source)
{
    return source->house ? source->house->settings.name : source->told.cell;
}

static bool is_among(const struct reports_found *found, size_t count, uint64_t id, uint32_t part)
{
    for (size_t i = 0; i < count; i++) {
        if (found[i].id == id && found[i].part == part) {
            return true;
        }
    }
    return false;
}

/* All that the sources know, without what is in it. Returns how many. */
static size_t find_all(const struct reports_job *job, struct reports_found *ret_found)
{
    struct cordon_report_entry entries[CELL_MOST];
    size_t found = 0;
    for (size_t i = 0; i < job->source_count; i++) {
        const struct source *source = &job->sources[i];
        int count;
        if (source->house) {
            count = cordon_cell_reports(source->house->cell, entries, CELL_MOST);
        } else { /* there or not: reading tells */
            entries[0] = (struct cordon_report_entry){.id = source->told.id};
            count = 1;
        }
        /* The newest come last. */
        while (count-- > 0 && found < LOOKED_MOST) {
            if (!is_among(ret_found, found, entries[count].id, entries[count].part)) {
                ret_found[found++] = (struct reports_found){.id = entries[count].id,
                                                            .part = entries[count].part,
                                                            .cell = cell_of(source),
                                                            .directory = directory_of(source)};
            }
        }
    }
    return found;
}

/* When a client was told of it; 0: none was, or it is long ago. */
static uint64_t told_ns(const struct reports_job *job, uint64_t id)
{
    for (size_t i = 0; i < job->source_count; i++) {
        const struct told *told = &job->sources[i].told;
        if (!job->sources[i].house && told->id == id) {
            return told->when_ns;
        }
    }
    return 0;
}

/* A report gets its name a while after the answer that tells of it. */
static int read_when_written(const struct reports_job *job, const struct reports_found *one,
                             struct json_out *out)
{
    uint64_t since_ns = told_ns(job, one->id);
    uint64_t now_ns = clock_now_ns();
    uint64_t until_ns = since_ns + REPORTS_WAIT_MS * CLOCK_MS_NS;
    if (since_ns != 0 && now_ns < until_ns) {
        (void)!cordon_report_wait(one->directory, one->id, one->part, until_ns);
    }
    int r = reports_show(one, out);
    bool is_coming = since_ns != 0 && now_ns < since_ns + REPORTS_WRITTEN_MS * CLOCK_MS_NS;
    return r == -ENOENT && is_coming ? -EINPROGRESS : r;
}

static int read_one(struct reports_job *job, const struct reports_found *found, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (found[i].id == job->wish.id && found[i].part == job->wish.part) {
            return read_when_written(job, &found[i], &job->json);
        }
    }
    return -ENOENT;
}

static void job_work(uv_work_t *work)
{
    struct reports_job *job = work->data;
    struct reports_found *found = calloc(LOOKED_MOST, sizeof *found);
    if (!found) {
        job->result = -ENOMEM;
        return;
    }
    size_t count = find_all(job, found);
    job->result = job->wish.id != 0 ? read_one(job, found, count)
                                    : reports_show_list(found, count, job->wish.most, &job->json);
    free(found);
}

/* ---- In the loop -------------------------------------------------------------------------------- */

static void job_free(struct reports_job *job)
{
    for (size_t i = 0; i < job->source_count; i++) {
        if (job->sources[i].house) {
            house_leave(job->sources[i].house);
        }
        told_deinit(&job->sources[i].told);
    }
    free(job->sources);
    json_out_deinit(&job->json);
    free(job);
}

static void start_next(struct gateway *gateway);

static void job_done(uv_work_t *work, int status)
{
    struct reports_job *job = work->data;
    struct gateway *gateway = job->gateway;
    gateway->reports.running--;
    job->answer(job->context, status == 0 ? job->result : -EAGAIN, &job->json);
    job_free(job);
    start_next(gateway);
    gateway_wake(gateway);
}

static void start_next(struct gateway *gateway)
{
    struct reports *reports = &gateway->reports;
    while (reports->first && reports->running < RUNNING) {
        struct reports_job *job = reports->first;
        reports->first = job->next;
        reports->waiting--;
        reports->running++;
        job->work.data = job;
        if (uv_queue_work(gateway->loop, &job->work, job_work, job_done) != 0) {
            job->result = -ENOMEM;
            job_done(&job->work, 0);
        }
    }
}

static bool take_house(struct reports_job *job, struct house *house, const char *cell)
{
    if (cell && strcmp(house->settings.name, cell) != 0) {
        return false;
    }
    house_use(house);
    job->sources[job->source_count++] = (struct source){.house = house};
    return true;
}

static void take_told(struct reports_job *job, const struct told *told, const char *cell)
{
    struct source *source = &job->sources[job->source_count];
    if (told->id == 0 || (cell && strcmp(told->cell, cell) != 0)) {
        return;
    }
    *source = (struct source){.told = {.id = told->id,
                                       .when_ns = told->when_ns,
                                       .cell = strdup(told->cell),
                                       .directory = copy_or_null(told->directory)}};
    if (source->told.cell && (source->told.directory || !told->directory)) {
        job->source_count++;
    } else {
        told_deinit(&source->told);
    }
}

/* Returns 0, -ENOENT: no such cell, -ENOMEM. */
static int take_sources(struct gateway *gateway, struct reports_job *job, const char *cell)
{
    size_t most = gateway->house_count + REPORTS_TOLD;
    bool known = !cell;
    job->sources = calloc(most, sizeof *job->sources);
    if (!job->sources) {
        return -ENOMEM;
    }
    for (size_t i = 0; i < gateway->house_count; i++) {
        known = take_house(job, gateway->houses[i], cell) || known;
    }
    for (uint32_t i = 0; gateway->reports.told && i < REPORTS_TOLD; i++) {
        take_told(job, &gateway->reports.told[i], cell);
    }
    return known ? 0 : -ENOENT;
}

int reports_ask(struct gateway *gateway, const struct reports_wish *wish, reports_answer_fn *answer,
                void *context)
{
    struct reports *reports = &gateway->reports;
    if (reports->waiting >= REPORTS_WAITING) {
        return -EAGAIN;
    }
    struct reports_job *job = calloc(1, sizeof *job);
    if (!job) {
        return -ENOMEM;
    }
    job->gateway = gateway;
    job->wish = *wish;
    job->wish.cell = NULL;
    job->answer = answer;
    job->context = context;
    int r = take_sources(gateway, job, wish->cell);
    if (r != 0) {
        job_free(job);
        return r;
    }
    if (reports->first) {
        reports->last->next = job;
    } else {
        reports->first = job;
    }
    reports->last = job;
    reports->waiting++;
    start_next(gateway);
    return 0;
}

void reports_deinit(struct reports *reports)
{
    for (uint32_t i = 0; reports->told && i < REPORTS_TOLD; i++) {
        told_deinit(&reports->told[i]);
    }
    free(reports->told);
    *reports = (struct reports){0};
}
