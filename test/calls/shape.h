/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CALLS_SHAPE_H
#define CALLS_SHAPE_H

/* Shapes of the declaration language, each once, on libraries as they are, at all levels: what their tests share. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "harness/harness.h"

#define ARGS(...)                                                                                  \
    (const struct cordon_value[]){__VA_ARGS__},                                                    \
        sizeof((struct cordon_value[]){__VA_ARGS__}) / sizeof(struct cordon_value)

struct bench {
    struct cordon_cell *cell;
    struct cordon_session *session;
};

static inline struct bench bench_open(const struct harness *harness, const char *library,
                                      const char *text)
{
    struct cordon_cell_options options = harness_options(harness);
    static const char *const grants[] = {"read:/proc/self", "iconv", NULL};
    options.grants = grants;
    options.library = library;
    options.interface_text = text;
    struct bench bench = {.cell = harness_open_with(&options)};
    bench.session = harness_session(bench.cell);
    return bench;
}

static inline void bench_close(struct bench *bench)
{
    cordon_session_close(bench->session);
    cordon_cell_close(bench->cell);
}

static inline struct cordon_result call(const struct bench *bench, const char *name,
                                        const struct cordon_value *args, size_t count)
{
    return harness_call(bench->session, harness_bind(bench->cell, name), args, count);
}

static inline struct cordon_value value(const struct bench *bench, const char *name,
                                        const struct cordon_value *args, size_t count)
{
    return harness_value(bench->session, harness_bind(bench->cell, name), args, count);
}

static inline void must(int r, const struct cordon_error *error)
{
    if (r != 0) {
        fail_msg("%d: %s", r, error->text);
    }
}

#define SHAPE(name, flags)                                                                         \
    {                                                                                              \
#name, test_##name, HARNESS_ALL_LEVELS, flags, 0                                           \
    }

#endif
