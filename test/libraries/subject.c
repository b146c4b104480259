/* SPDX-License-Identifier: Apache-2.0 */
#include "libraries/subject.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct subject open_as(const struct harness *harness, const char *library,
                              const char *interface_text, uint64_t arena_bytes,
                              const char *const *grants)
{
    struct cordon_cell_options options = harness_options(harness);
    options.library = library;
    options.interface_text = interface_text;
    options.arena_bytes = arena_bytes;
    options.grants = grants;
    struct subject subject = {.cell = harness_open_with(&options)};
    subject.session = harness_session(subject.cell);
    return subject;
}

struct subject subject_open(const struct harness *harness, const char *library,
                            const char *interface_text, uint64_t arena_bytes)
{
    return open_as(harness, library, interface_text, arena_bytes, NULL);
}

struct subject subject_open_granted(const struct harness *harness, const char *file,
                                    const char *const *grants)
{
    static char text[65536];
    char path[4096];
    const char *folder = getenv("CORDON_TEST_INTERFACES");
    (void)snprintf(path, sizeof path, "%s/%s", folder ? folder : "interfaces", file);
    FILE *stream = fopen(path, "re");
    if (!stream) {
        fail_msg("cannot open %s", path);
    }
    size_t length = fread(text, 1, sizeof text - 1, stream);
    (void)fclose(stream);
    text[length] = '\0';
    return open_as(harness, NULL, text, 1u << 20, grants);
}

struct subject subject_open_interface(const struct harness *harness, const char *file)
{
    return subject_open_granted(harness, file, NULL);
}

struct subject subject_open_with_files(const struct harness *harness, const char *file)
{
    static const char *const grants[] = {"read:/", "write:/", NULL};
    return subject_open_granted(harness, file, grants);
}

void subject_close(struct subject *subject)
{
    cordon_session_close(subject->session);
    cordon_cell_close(subject->cell);
    *subject = (struct subject){NULL, NULL};
}

struct cordon_result subject_result(const struct subject *subject, const char *name,
                                    const struct cordon_value *args, size_t count)
{
    struct cordon_function *function = harness_bind(subject->cell, name);
    struct cordon_result result;
    int r = cordon_session_call(subject->session, function, args, count, CORDON_DEFAULT, &result);
    if (r != CORDON_DONE) {
        fail_msg("%s: %d (%s): %s", name, r, r < 0 ? strerror(-r) : cordon_outcome_name(r),
                 result.error.text);
    }
    return result;
}

static struct cordon_value scalar(const struct subject *subject, const char *name,
                                  enum cordon_value_kind kind, const struct cordon_value *args,
                                  size_t count)
{
    struct cordon_result result = subject_result(subject, name, args, count);
    struct cordon_value value = result.value;
    if (value.kind != (uint32_t)kind) {
        fail_msg("%s returned a value of kind %u, not %u", name, value.kind, kind);
    }
    cordon_result_release(&result);
    return value;
}

int64_t subject_int(const struct subject *subject, const char *name,
                    const struct cordon_value *args, size_t count)
{
    return scalar(subject, name, CORDON_VALUE_INT, args, count).i;
}

uint64_t subject_uint(const struct subject *subject, const char *name,
                      const struct cordon_value *args, size_t count)
{
    return scalar(subject, name, CORDON_VALUE_UINT, args, count).u;
}

double subject_float(const struct subject *subject, const char *name,
                     const struct cordon_value *args, size_t count)
{
    return scalar(subject, name, CORDON_VALUE_FLOAT, args, count).f;
}

struct cordon_handle subject_handle(const struct subject *subject, const char *name,
                                    const struct cordon_value *args, size_t count)
{
    return scalar(subject, name, CORDON_VALUE_HANDLE, args, count).handle;
}

void subject_void(const struct subject *subject, const char *name, const struct cordon_value *args,
                  size_t count)
{
    struct cordon_result result = subject_result(subject, name, args, count);
    cordon_result_release(&result);
}

void subject_text(const struct subject *subject, const char *expected, const char *name,
                  const struct cordon_value *args, size_t count)
{
    struct cordon_result result = subject_result(subject, name, args, count);
    if (!expected) {
        assert_int_equal(result.value.kind, CORDON_VALUE_NULL);
    } else {
        assert_int_equal(result.value.kind, CORDON_VALUE_MEMORY);
        assert_int_equal(result.value.count, strlen(expected));
        assert_string_equal((const char *)result.value.memory, expected);
    }
    cordon_result_release(&result);
}
