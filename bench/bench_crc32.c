/* SPDX-License-Identifier: Apache-2.0 */
#include "bench_rig.h"

/*
 * Calls that read memory: what carrying it costs beside the function itself. All data has just been
 * written by the CPU that does not run the function, as it is with arguments.
 */

#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "floor.h"

#define KILOBYTE    1024u
#define MEGABYTE    (1024u * 1024u)
#define ROUND_SMALL 200u
#define ROUND_LARGE 2u

typedef unsigned long crc32_function(unsigned long crc, const unsigned char *bytes, unsigned count);

/* One question: the same bytes by three ways. */
struct crc32_bench {
    struct rig *rig;
    struct rig_subject subject;
    struct floor_pair *pair;
    void *library;
    crc32_function *direct;
    uint8_t *bytes; /* own memory, or the arena's */
    uint8_t *own;
    uint32_t count;
    uint32_t calls; /* per round */
};

static void call_over(const struct crc32_bench *bench, uint32_t count)
{
    const struct cordon_value args[] = {cordon_uint(0), cordon_in(bench->bytes, count)};
    rig_call(bench->subject.function, args, 2);
}

/* An empty call first: its worker is awake then, as with calls that follow each other. */
static double isolated_round(void *context)
{
    const struct crc32_bench *bench = context;
    uint64_t took_ns = 0;
    for (uint32_t i = 0; i < bench->calls; i++) {
        memset(bench->bytes, (int)i, bench->count);
        call_over(bench, 0);
        uint64_t began_ns = clock_now_ns();
        call_over(bench, bench->count);
        took_ns += clock_now_ns() - began_ns;
    }
    return (double)took_ns / bench->calls;
}

static double direct_round(void *context)
{
    const struct crc32_bench *bench = context;
    uint64_t began_ns = clock_now_ns();
    for (uint32_t i = 0; i < bench->calls; i++) {
        (void)bench->direct(0, bench->own, bench->count);
    }
    return (double)(clock_now_ns() - began_ns) / bench->calls;
}

/* The direct call on bytes that the other CPU wrote: this thread, while it was there. */
static double direct_foreign_round(void *context)
{
    const struct crc32_bench *bench = context;
    uint64_t took_ns = 0;
    for (uint32_t i = 0; i < bench->calls; i++) {
        (void)measure_pin(bench->rig->worker_cpu);
        memset(bench->own, (int)i, bench->count);
        (void)measure_pin(bench->rig->host_cpu);
        uint64_t began_ns = clock_now_ns();
        (void)bench->direct(0, bench->own, bench->count);
        took_ns += clock_now_ns() - began_ns;
    }
    return (double)took_ns / bench->calls;
}

static void crc32_close(struct crc32_bench *bench)
{
    rig_unpin(bench->rig);
    rig_subject_close(&bench->subject);
    floor_pair_close(bench->pair);
    free(bench->own);
    if (bench->library) {
        (void)dlclose(bench->library);
    }
}

static int crc32_open(struct rig *rig, struct crc32_bench *bench, uint64_t arena_bytes)
{
    const struct rig_wish wish = {
        .library = "libz.so.1",
        .prototype = "unsigned long crc32(unsigned long crc, const uint8_t buf[len], unsigned len)",
        .arena_bytes = arena_bytes,
        .worker_cpu = rig->worker_cpu,
    };
    bench->rig = rig;
    bench->own = calloc(1, bench->count);
    bench->library = dlopen("libz.so.1", RTLD_NOW | RTLD_LOCAL);
    void *symbol = bench->library ? dlsym(bench->library, "crc32") : NULL;
    memcpy(&bench->direct, &symbol, sizeof symbol); /* POSIX allows what ISO C has no cast for */
    if (!bench->own || !bench->direct) {
        return rig_fail(rig, bench->own ? -ENOENT : -ENOMEM, "libz.so.1");
    }
    int r = floor_pair_open(rig->worker_cpu, &bench->pair);
    if (r < 0) {
        return rig_fail(rig, r, "cannot start the ping-pong's partner");
    }
    r = rig_subject_open(rig, &wish, &bench->subject);
    bench->bytes = bench->own;
    if (r == 0 && arena_bytes > 0) {
        bench->bytes = cordon_arena_alloc(bench->subject.session, bench->count);
        r = bench->bytes ? 0 : rig_fail(rig, -ENOMEM, "arena");
    }
    if (r == 0) {
        (void)measure_pin(rig->host_cpu);
    }
    return r;
}

/* The subject against what @line says of series 1 and on. */
static int crc32_measure(struct crc32_bench *bench, struct measure_series *series, uint32_t count,
                         const struct measure_line *line, const char *floor_text)
{
    int r = measure_alternate(series, count, bench->rig->rounds);
    if (r == 0) {
        rig_report(bench->rig, line, floor_text);
    }
    measure_series_deinit(series, count);
    return r;
}

int bench_crc32_1k(struct rig *rig)
{
    struct crc32_bench bench = {.count = KILOBYTE, .calls = ROUND_SMALL};
    int r = crc32_open(rig, &bench, 0);
    struct floor_copy copy = {.pair = bench.pair, .bytes = KILOBYTE};
    struct measure_series series[] = {
        {.name = "crc32-1k", .round = isolated_round, .context = &bench},
        {.round = floor_pingpong_round, .context = bench.pair},
        {.round = rig_call_floor_round},
        {.round = direct_round, .context = &bench},
        {.round = floor_copy_foreign_round, .context = &copy},
    };
    const struct measure_line line = {
        .subject = &series[0],
        .floor = {{&series[1], 1}, {&series[2], 1}, {&series[3], 1}, {&series[4], 1.5}},
        .floor_terms = 4,
        .mark = 1,
    };
    if (r == 0) {
        r = crc32_measure(&bench, series, 5, &line,
                          "ping-pong + 1.5 ffi_call + clock + direct + 1.5 memcpy");
    }
    crc32_close(&bench);
    return r;
}

int bench_crc32_1m_arena(struct rig *rig)
{
    struct crc32_bench bench = {.count = MEGABYTE, .calls = ROUND_LARGE};
    int r = crc32_open(rig, &bench, 2 * MEGABYTE);
    struct measure_series series[] = {
        {.name = "crc32-1m-arena", .round = isolated_round, .context = &bench},
        {.round = direct_foreign_round, .context = &bench},
    };
    const struct measure_line line = {
        .subject = &series[0], .floor = {{&series[1], 1}}, .floor_terms = 1, .mark = 1.05};
    if (r == 0) {
        r = crc32_measure(&bench, series, 2, &line, "direct call on foreign data");
    }
    crc32_close(&bench);
    return r;
}

int bench_crc32_1m_copied(struct rig *rig)
{
    struct crc32_bench bench = {.count = MEGABYTE, .calls = ROUND_LARGE};
    int r = crc32_open(rig, &bench, 0);
    struct floor_copy copy = {.pair = bench.pair, .bytes = MEGABYTE};
    struct measure_series series[] = {
        {.name = "crc32-1m-copied", .round = isolated_round, .context = &bench},
        {.round = direct_foreign_round, .context = &bench},
        {.round = floor_copy_foreign_round, .context = &copy},
    };
    const struct measure_line line = {.subject = &series[0],
                                      .floor = {{&series[1], 1.05}, {&series[2], 1.5}},
                                      .floor_terms = 2,
                                      .mark = 1};
    if (r == 0) {
        r = crc32_measure(&bench, series, 3, &line, "1.05 direct on foreign data + 1.5 memcpy");
    }
    crc32_close(&bench);
    return r;
}
