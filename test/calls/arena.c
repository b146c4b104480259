/* SPDX-License-Identifier: Apache-2.0 */

/* Arenas: memory at the same address on both sides, passed without copying, usable inside structs. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/uio.h>

#include <cmocka.h>

#include "harness/harness.h"

#define ARENA_BYTES (1u << 20)

struct opened {
    struct cordon_cell *cell;
    struct cordon_session *session;
};

static struct opened open_with_arena(const struct harness *harness)
{
    struct cordon_cell_options options = harness_options(harness);
    static const char *const grants[] = {"read:/proc/self", NULL};
    options.grants = grants;
    options.library = "";
    options.arena_bytes = ARENA_BYTES;
    struct opened opened = {.cell = harness_open_with(&options)};
    opened.session = harness_session(opened.cell);
    return opened;
}

static void close_opened(struct opened *opened)
{
    cordon_session_close(opened->session);
    cordon_cell_close(opened->cell);
}

static void test_arena_memory_is_seen_by_both_sides(const struct harness *harness)
{
    struct opened c = open_with_arena(harness);
    uint8_t *bytes = cordon_arena_alloc(c.session, 4096);
    assert_non_null(bytes);
    assert_int_equal((uintptr_t)bytes % 64, 0);
    memset(bytes, 1, 4096);
    const struct cordon_value set[] = {cordon_out(bytes, 4096), cordon_int(7), cordon_uint(4096)};
    (void)harness_call(c.session,
                       harness_bind(c.cell, "void memset(out uint8_t s[n], int value, size_t n)"),
                       set, 3);
    for (int i = 0; i < 4096; i++) {
        assert_int_equal(bytes[i], 7);
    }
    bytes[1234] = 9;
    const struct cordon_value find[] = {cordon_in(bytes, 4096), cordon_int(9)};
    struct cordon_value place = harness_value(
        c.session,
        harness_bind(c.cell, "within(s) void *memchr(const uint8_t s[n], int value, size_t n)"),
        find, 2);
    assert_int_equal(place.kind, CORDON_VALUE_UINT);
    assert_int_equal(place.u, 1234);
    close_opened(&c);
}

static void test_pointers_inside_structs_may_lie_in_the_arena(const struct harness *harness)
{
    struct opened c = open_with_arena(harness);
    /* The library writes through a pointer that lies in arena memory and points into it. */
    struct cordon_function *readv_ =
        harness_bind(c.cell, "struct piece { out count(length) void *base; size_t length; };"
                             "ssize_t readv(int fd, const struct piece pieces[count], int count)");
    struct cordon_function *open_ = harness_bind(c.cell, "int open(const char *path, int flags)");
    const struct cordon_value path[] = {cordon_string("/proc/self/status"), cordon_int(O_RDONLY)};
    struct cordon_value fd = harness_value(c.session, open_, path, 2);
    assert_true(fd.i >= 0);
    char *text = cordon_arena_alloc(c.session, 64);
    assert_non_null(text);
    struct iovec pieces[2] = {{text, 3}, {text + 32, 5}};
    const struct cordon_value read[] = {fd, cordon_in(pieces, 2)};
    assert_int_equal(harness_value(c.session, readv_, read, 2).i, 8);
    assert_memory_equal(text, "Nam", 3);
    assert_memory_equal(text + 32, "e:", 2);
    (void)harness_value(c.session, harness_bind(c.cell, "int close(int fd)"), &fd, 1);
    close_opened(&c);
}

static void test_check_knows_what_lies_inside(const struct harness *harness)
{
    struct opened c = open_with_arena(harness);
    uint8_t *bytes = cordon_arena_alloc(c.session, 100);
    uint8_t elsewhere[4];
    assert_true(cordon_arena_check(c.session, bytes, 100));
    assert_true(cordon_arena_check(c.session, bytes, ARENA_BYTES / 2));
    assert_false(cordon_arena_check(c.session, bytes, ARENA_BYTES + 1));
    assert_false(cordon_arena_check(c.session, bytes, SIZE_MAX));
    assert_false(cordon_arena_check(c.session, elsewhere, 1));
    assert_false(cordon_arena_check(c.session, NULL, 0));
    close_opened(&c);
}

static void test_freed_memory_is_used_again_and_a_full_arena_gives_none(
    const struct harness *harness)
{
    struct opened c = open_with_arena(harness);
    void *pieces[ARENA_BYTES / 65536 + 1] = {NULL};
    for (int round = 0; round < 3; round++) {
        size_t got = 0;
        while (got < HARNESS_COUNT(pieces) &&
               (pieces[got] = cordon_arena_alloc(c.session, 65536 - 64))) {
            got++;
        }
        assert_in_range(got, ARENA_BYTES / 65536 - 1, ARENA_BYTES / 65536);
        for (size_t i = 0; i < got; i++) {
            cordon_arena_free(c.session, pieces[i]);
        }
    }
    cordon_arena_free(c.session, NULL);
    cordon_arena_free(c.session, pieces); /* nothing of the arena's: ignored */
    assert_null(cordon_arena_alloc(c.session, ARENA_BYTES * 2));
    assert_null(cordon_arena_alloc(c.session, SIZE_MAX));
    close_opened(&c);
}

static void test_cells_without_arena_have_none(const struct harness *harness)
{
    struct cordon_cell *cell = harness_open(harness, "", NULL);
    struct cordon_session *session = harness_session(cell);
    assert_null(cordon_arena_alloc(session, 1));
    assert_false(cordon_arena_check(session, &cell, 1));
    cordon_session_close(session);
    cordon_cell_close(cell);
}

/* Two sessions have two arenas: memory of the other one is plain memory, and copied. */
static void test_arena_of_another_session_is_copied(const struct harness *harness)
{
    struct opened c = open_with_arena(harness);
    struct cordon_session *other = harness_session(c.cell);
    uint8_t *bytes = cordon_arena_alloc(c.session, 256);
    assert_non_null(bytes);
    assert_false(cordon_arena_check(other, bytes, 1));
    memset(bytes, 5, 256);
    const struct cordon_value find[] = {cordon_in(bytes, 256), cordon_int(5)};
    struct cordon_function *memchr_ =
        harness_bind(c.cell, "within(s) void *memchr(const uint8_t s[n], int value, size_t n)");
    struct cordon_value place = harness_value(other, memchr_, find, 2);
    assert_int_equal(place.kind, CORDON_VALUE_UINT);
    assert_int_equal(place.u, 0);
    cordon_session_close(other);
    close_opened(&c);
}

int main(int argc, char **argv)
{
    static const struct harness_case cases[] = {
        {"arena_memory_is_seen_by_both_sides", test_arena_memory_is_seen_by_both_sides,
         HARNESS_ALL_LEVELS, 0, 0},
        {"pointers_inside_structs_may_lie_in_the_arena",
         test_pointers_inside_structs_may_lie_in_the_arena, HARNESS_ALL_LEVELS, 0, 0},
        {"check_knows_what_lies_inside", test_check_knows_what_lies_inside, HARNESS_ALL_LEVELS, 0,
         0},
        {"freed_memory_is_used_again_and_a_full_arena_gives_none",
         test_freed_memory_is_used_again_and_a_full_arena_gives_none, HARNESS_ALL_LEVELS, 0, 0},
        {"cells_without_arena_have_none", test_cells_without_arena_have_none, HARNESS_ALL_LEVELS, 0,
         0},
        {"arena_of_another_session_is_copied", test_arena_of_another_session_is_copied,
         HARNESS_ALL_LEVELS, 0, 0},
    };
    return harness_main(argc, argv, cases, HARNESS_COUNT(cases));
}
