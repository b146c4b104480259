/* SPDX-License-Identifier: Apache-2.0 */
#include "report/recording.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define ARENA 8192u

static struct recording *make(uint64_t bytes)
{
    struct recording_wish wish = {
        .bytes_max = bytes, .identity = 7, .call_bytes = 65536, .arena_bytes = ARENA};
    struct recording *recording = NULL;
    assert_int_equal(recording_new(&wish, &recording), 0);
    return recording;
}

static int put(struct recording *recording, enum recording_kind kind, uint32_t call, uint32_t flags,
               const char *bytes)
{
    uint64_t words[2] = {call, (uint64_t)kind};
    struct recording_entry entry = {.kind = kind,
                                    .call = call,
                                    .flags = flags,
                                    .word_count = kind == RECORDING_ARENA ? 0 : 2,
                                    .byte_count = (uint32_t)strlen(bytes)};
    return recording_add(recording, &entry, words, bytes);
}

/* What another process sees of it. */
static uint8_t *copy_of(const struct recording *recording, uint64_t *ret_length)
{
    struct stat info;
    assert_int_equal(fstat(recording_peek_fd(recording), &info), 0);
    uint8_t *bytes = aligned_alloc(64, (size_t)info.st_size);
    assert_non_null(bytes);
    assert_int_equal(pread(recording_peek_fd(recording), bytes, (size_t)info.st_size, 0),
                     info.st_size);
    *ret_length = (uint64_t)info.st_size;
    return bytes;
}

static void expect_parts(const struct recording_view *view, uint32_t call,
                         const enum recording_kind *kinds, uint32_t count)
{
    assert_int_equal(view->first[call + 1] - view->first[call], count);
    for (uint32_t i = 0; i < count; i++) {
        const struct recording_part *part = &view->parts[view->first[call] + i];
        assert_int_equal(part->entry.kind, kinds[i]);
        assert_int_equal(part->entry.call, call);
        assert_true(part->entry.word_count == 0 || part->words[0] == call);
    }
}

static void test_calls_of_a_batch_are_told_apart(void **state)
{
    static const enum recording_kind first[] = {
        RECORDING_ARENA,  RECORDING_CALL,   RECORDING_CALLBACK, RECORDING_CALL,
        RECORDING_RETURN, RECORDING_ANSWER, RECORDING_RETURN};
    static const enum recording_kind second[] = {RECORDING_CALL, RECORDING_RETURN};
    static const enum recording_kind third[] = {RECORDING_ARENA, RECORDING_CALL};
    struct recording *recording = make(65536);
    struct recording_view view;
    uint64_t length;
    (void)state;
    assert_int_equal(put(recording, RECORDING_ARENA, 1, 0, "in the arena"), 0);
    assert_int_equal(put(recording, RECORDING_CALL, 1, 0, "a frame"), 0);
    assert_int_equal(put(recording, RECORDING_CALL, 2, 0, ""), 0);
    assert_int_equal(put(recording, RECORDING_CALLBACK, 1, 0, "called back"), 0);
    assert_int_equal(put(recording, RECORDING_CALL, 1, RECORDING_NESTED, ""), 0);
    assert_int_equal(put(recording, RECORDING_RETURN, 1, RECORDING_NESTED, ""), 0);
    assert_int_equal(put(recording, RECORDING_ANSWER, 1, 0, "answer"), 0);
    assert_int_equal(put(recording, RECORDING_ARENA, 3, 0, "changed"), 0);
    assert_int_equal(put(recording, RECORDING_CALL, 3, 0, "not sent"), 0);
    assert_int_equal(put(recording, RECORDING_UNSENT, 3, 0, ""), 0);
    assert_int_equal(put(recording, RECORDING_RETURN, 1, 0, ""), 0);
    assert_int_equal(put(recording, RECORDING_CALL, 3, 0, "sent"), 0);
    assert_int_equal(put(recording, RECORDING_RETURN, 2, 0, ""), 0);
    uint8_t *bytes = copy_of(recording, &length);
    assert_int_equal(recording_view_init(&view, bytes, length), 0);
    assert_int_equal(view.calls, 3);
    assert_int_equal(view.header.identity, 7);
    expect_parts(&view, 1, first, 7);
    expect_parts(&view, 2, second, 2);
    expect_parts(&view, 3, third, 2);
    const struct recording_part *sent = &view.parts[view.first[3] + 1];
    assert_memory_equal(sent->bytes, "sent", 4);
    recording_view_deinit(&view);
    free(bytes);
    recording_free(recording);
}

static void test_full_recording_stays_as_it_is(void **state)
{
    struct recording *recording = make(4096);
    struct recording_view view;
    uint64_t length;
    uint32_t calls = 0;
    (void)state;
    while (put(recording, RECORDING_CALL, calls + 1, 0, "some bytes of a frame") == 0) {
        calls++;
    }
    assert_int_equal(put(recording, RECORDING_CALL, calls + 1, 0, "some bytes of a frame"),
                     -ENOSPC);
    recording_stop(recording, RECORDING_FULL, calls + 1);
    uint8_t *bytes = copy_of(recording, &length);
    assert_int_equal(recording_view_init(&view, bytes, length), 0);
    assert_int_equal(view.calls, calls);
    assert_int_equal(view.header.stop, RECORDING_FULL);
    assert_int_equal(view.header.stop_call, calls + 1);
    recording_view_deinit(&view);
    free(bytes);
    recording_free(recording);
}

static void test_recording_has_at_most_so_many_entries(void **state)
{
    struct recording *recording = make(32u << 20);
    struct recording_view view;
    uint64_t length;
    uint32_t entries = 1;
    (void)state;
    assert_int_equal(put(recording, RECORDING_CALL, 1, 0, ""), 0);
    while (put(recording, RECORDING_ARENA, 1, 0, "x") == 0) {
        entries++;
    }
    assert_int_equal(entries, RECORDING_ENTRIES_MAX);
    uint8_t *bytes = copy_of(recording, &length);
    assert_int_equal(recording_view_init(&view, bytes, length), 0);
    assert_int_equal(view.first[2] - view.first[1], RECORDING_ENTRIES_MAX);
    recording_view_deinit(&view);
    free(bytes);
    recording_free(recording);
}

static void test_secret_leaves_nothing_in_the_memory(void **state)
{
    struct recording *recording = make(65536);
    struct recording_view view;
    uint64_t length;
    (void)state;
    assert_int_equal(put(recording, RECORDING_ARENA, 1, 0, "hunter2"), 0);
    assert_int_equal(put(recording, RECORDING_CALL, 1, 0, "hunter2"), 0);
    recording_stop(recording, RECORDING_SECRET, 2);
    uint8_t *bytes = copy_of(recording, &length);
    assert_null(memmem(bytes, length, "hunter2", 7));
    assert_int_equal(recording_view_init(&view, bytes, length), 0);
    assert_int_equal(view.calls, 0);
    assert_int_equal(view.header.stop, RECORDING_SECRET);
    recording_view_deinit(&view);
    free(bytes);
    recording_free(recording);
}

/* Whoever gets the descriptor cannot write it, nor change its size. */
static void test_descriptor_is_for_reading(void **state)
{
    struct recording *recording = make(65536);
    int fd = recording_peek_fd(recording);
    (void)state;
    assert_ptr_equal(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), MAP_FAILED);
    assert_int_equal(pwrite(fd, "x", 1, 0), -1);
    assert_int_equal(ftruncate(fd, 0), -1);
    recording_free(recording);
}

/* One thing is wrong in each. */
static void test_unsound_entries_are_refused(void **state)
{
    static const struct {
        size_t at; /* in the first entry, an ARENA of 4 bytes */
        uint32_t value;
    } lies[] = {
        {offsetof(struct recording_entry, call), 0},
        {offsetof(struct recording_entry, call), 3},
        {offsetof(struct recording_entry, flags), 2},
        {offsetof(struct recording_entry, word_count), RECORDING_WORDS_MAX + 1},
        {offsetof(struct recording_entry, word_count), 1},
        {offsetof(struct recording_entry, byte_count), UINT32_MAX},
        {offsetof(struct recording_entry, number), ARENA - 3},
        {offsetof(struct recording_entry, kind), RECORDING_UNSENT},
        {offsetof(struct recording_entry, kind), RECORDING_RETURN},
    };
    (void)state;
    for (size_t i = 0; i < sizeof lies / sizeof lies[0]; i++) {
        struct recording *recording = make(4096);
        struct recording_view view;
        uint64_t length;
        assert_int_equal(put(recording, RECORDING_ARENA, 1, 0, "four"), 0);
        assert_int_equal(put(recording, RECORDING_CALL, 1, 0, ""), 0);
        uint8_t *bytes = copy_of(recording, &length);
        assert_int_equal(recording_view_init(&view, bytes, length), 0);
        recording_view_deinit(&view);
        memcpy(bytes + sizeof(struct recording_header) + lies[i].at, &lies[i].value, 4);
        assert_int_equal(recording_view_init(&view, bytes, length), -EBADMSG);
        recording_view_deinit(&view);
        free(bytes);
        recording_free(recording);
    }
}

static void test_unsound_headers_are_refused(void **state)
{
    struct recording *recording = make(4096);
    struct recording_header header;
    struct recording_reader reader;
    uint64_t length;
    (void)state;
    uint8_t *bytes = copy_of(recording, &length);
    struct recording_header *there = (struct recording_header *)(void *)bytes;
    assert_int_equal(recording_read(&reader, bytes, sizeof header - 1, &header), -EBADMSG);
    there->used = length + 8;
    assert_int_equal(recording_read(&reader, bytes, length, &header), -EBADMSG);
    there->used = sizeof header + 4;
    assert_int_equal(recording_read(&reader, bytes, length, &header), -EBADMSG);
    there->used = sizeof header;
    there->stop = RECORDING_STOP_COUNT;
    assert_int_equal(recording_read(&reader, bytes, length, &header), -EBADMSG);
    there->stop = RECORDING_RUNS;
    assert_int_equal(recording_read(&reader, bytes, length, &header), 0);
    there->version++;
    assert_int_equal(recording_read(&reader, bytes, length, &header), -EBADMSG);
    free(bytes);
    recording_free(recording);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_calls_of_a_batch_are_told_apart),
        cmocka_unit_test(test_full_recording_stays_as_it_is),
        cmocka_unit_test(test_recording_has_at_most_so_many_entries),
        cmocka_unit_test(test_secret_leaves_nothing_in_the_memory),
        cmocka_unit_test(test_descriptor_is_for_reading),
        cmocka_unit_test(test_unsound_entries_are_refused),
        cmocka_unit_test(test_unsound_headers_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
