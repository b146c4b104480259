/* SPDX-License-Identifier: Apache-2.0 */
#include "invoke/resident.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "invoke/test_rig.h"

/* What a test file on disk holds. */
#define LINES "first line\nsecond\n"

#define LINE_FUNCTION                                                                              \
    "ssize_t getline(inout owned(free) count(*n) char **line, inout size_t *n, struct file *f)"
#define CLOSE_FILE "int fclose(release struct file *f)"

static int set_up(void **state)
{
    *state = rig_new(NULL, 4, 16, 4096);
    return *state ? 0 : -1;
}

static int tear_down(void **state)
{
    rig_free(*state);
    return 0;
}

static struct cordon_value call_for_handle(struct rig *rig, uint32_t f,
                                           const struct cordon_value *args, size_t count)
{
    struct frame_result result;
    if (rig_call(rig, f, args, count, &result) != 0) {
        fail_msg("%s", rig->why.text);
    }
    assert_int_equal(result.value.kind, CORDON_VALUE_HANDLE);
    return result.value;
}

static void test_file_is_a_handle_until_it_is_released(void **state)
{
    struct rig *rig = *state;
    struct frame_result result;
    uint32_t open_fn = rig_bind(rig, "struct file *fopen(const char *path, const char *mode)");
    uint32_t getc_fn = rig_bind(rig, "int fgetc(struct file *f)");
    uint32_t close_fn = rig_bind(rig, CLOSE_FILE);
    struct cordon_value file = call_for_handle(
        rig, open_fn, RIG_ARGS(cordon_string("/proc/self/comm"), cordon_string("r")));
    assert_true(rig_number(rig, getc_fn, RIG_ARGS(file)) > 0);
    assert_int_equal(rig_number(rig, close_fn, RIG_ARGS(file)), 0);
    assert_int_equal(rig_call(rig, getc_fn, RIG_ARGS(file), &result), -ESTALE);
    assert_non_null(strstr(rig->why.text, "has ended"));
    assert_int_equal(rig_call(rig, close_fn, RIG_ARGS(file), &result), -ESTALE);
    assert_int_equal(rig_call(rig, open_fn,
                              RIG_ARGS(cordon_string("/no/such/file"), cordon_string("r")),
                              &result),
                     0);
    assert_int_equal(result.value.kind, CORDON_VALUE_NULL);
    assert_int_equal(rig->error_number, ENOENT);
}

static void test_getline_grows_the_callers_line(void **state)
{
    struct rig *rig = *state;
    uint32_t open_fn = rig_bind(rig, "struct file *tmpfile(void)");
    uint32_t put_fn = rig_bind(rig, "int fputs(const char *s, struct file *f)");
    uint32_t rewind_fn = rig_bind(rig, "void rewind(struct file *f)");
    uint32_t line_fn = rig_bind(rig, LINE_FUNCTION);
    uint32_t close_fn = rig_bind(rig, CLOSE_FILE);
    struct frame_result result;
    struct cordon_value file = call_for_handle(rig, open_fn, NULL, 0);
    assert_true(rig_number(rig, put_fn, RIG_ARGS(cordon_string(LINES), file)) >= 0);
    assert_int_equal(rig_call(rig, rewind_fn, RIG_ARGS(file), &result), 0);
    char *line = NULL;
    size_t room = 0;
    assert_int_equal(
        rig_number(rig, line_fn, RIG_ARGS(cordon_out(&line, 1), cordon_out(&room, 1), file)), 11);
    assert_string_equal(line, "first line\n");
    assert_true(room >= 12);
    free(line);
    line = NULL;
    room = 0;
    assert_int_equal(
        rig_number(rig, line_fn, RIG_ARGS(cordon_out(&line, 1), cordon_out(&room, 1), file)), 7);
    assert_string_equal(line, "second\n");
    free(line);
    assert_int_equal(rig_number(rig, close_fn, RIG_ARGS(file)), 0);
}

/* The function writes within the *n bytes that it is told of: they must be there. */
static void test_line_that_is_passed_again_has_the_room_that_n_says(void **state)
{
    struct rig *rig = *state;
    static const char lines[] = "a\n"
                                "a line of sixty bytes, which the first one had no room for..\n"
                                "b\n"
                                "cc\n";
    uint32_t open_fn = rig_bind(rig, "struct file *tmpfile(void)");
    uint32_t put_fn = rig_bind(rig, "int fputs(const char *s, struct file *f)");
    uint32_t rewind_fn = rig_bind(rig, "void rewind(struct file *f)");
    uint32_t line_fn = rig_bind(rig, LINE_FUNCTION);
    uint32_t close_fn = rig_bind(rig, CLOSE_FILE);
    struct frame_result result;
    struct cordon_value file = call_for_handle(rig, open_fn, NULL, 0);
    assert_true(rig_number(rig, put_fn, RIG_ARGS(cordon_string(lines), file)) >= 0);
    assert_int_equal(rig_call(rig, rewind_fn, RIG_ARGS(file), &result), 0);
    char *line = NULL;
    size_t room = 0;
    for (const char *expected = lines; *expected;) {
        size_t length = strcspn(expected, "\n") + 1;
        char *before = line;
        size_t room_before = room;
        assert_int_equal(
            rig_number(rig, line_fn, RIG_ARGS(cordon_out(&line, 1), cordon_out(&room, 1), file)),
            length);
        assert_int_equal(strlen(line), length);
        assert_memory_equal(line, expected, length);
        assert_true(room > length && room >= room_before); /* glibc never gives room back */
        assert_ptr_not_equal(line, before);
        free(before);
        expected += length;
    }
    room = SIZE_MAX / 2;
    assert_int_equal(
        rig_call(rig, line_fn, RIG_ARGS(cordon_out(&line, 1), cordon_out(&room, 1), file), &result),
        -E2BIG);
    assert_non_null(strstr(rig->why.text, "LIMIT_STRING_BYTES"));
    free(line);
    assert_int_equal(rig_number(rig, close_fn, RIG_ARGS(file)), 0);
}

static void test_static_objects_have_one_handle(void **state)
{
    struct rig *rig = *state;
    uint32_t f = rig_bind(rig, "static struct lconv *localeconv(void)");
    struct cordon_value first = call_for_handle(rig, f, NULL, 0);
    struct cordon_value second = call_for_handle(rig, f, NULL, 0);
    assert_memory_equal(&first.handle, &second.handle, sizeof first.handle);
}

static void test_handles_reach_their_limit_by_name(void **state)
{
    struct rig *rig = *state;
    struct frame_result result;
    uint32_t f = rig_bind(rig, "struct environment *getenv(const char *name)");
    for (int i = 0; i < 16; i++) {
        (void)call_for_handle(rig, f, RIG_ARGS(cordon_string("PATH")));
    }
    assert_int_equal(rig_call(rig, f, RIG_ARGS(cordon_string("PATH")), &result), -E2BIG);
    assert_non_null(strstr(rig->why.text, "LIMIT_HANDLES"));
}

static void test_handle_of_another_type_is_refused(void **state)
{
    struct rig *rig = *state;
    struct engine_reply reply;
    uint32_t open_fn = rig_bind(rig, "struct file *tmpfile(void)");
    uint32_t other_fn = rig_bind(rig, "int closedir(struct directory *d)");
    uint32_t close_fn = rig_bind(rig, CLOSE_FILE);
    struct cordon_value file = call_for_handle(rig, open_fn, NULL, 0);
    uint64_t word = (uint64_t)file.handle.generation << 32 | file.handle.index;
    struct engine_request request = {.function_id = 7 * other_fn, .words = &word, .word_count = 1};
    uint8_t sentence[256] = {0};
    request.reply = sentence;
    request.reply_bytes_max = sizeof sentence - 1;
    engine_execute(rig->engine, &request, &reply);
    assert_int_equal(reply.status, -EINVAL);
    assert_non_null(strstr((char *)sentence, "file"));
    assert_non_null(strstr((char *)sentence, "directory"));
    assert_int_equal(rig_number(rig, close_fn, RIG_ARGS(file)), 0);
}

#define REGEX                                                                                      \
    "struct regex { token void *buffer; unsigned long allocated; unsigned long used; "             \
    "unsigned long syntax; token void *fastmap; token void *translate; size_t count; "             \
    "unsigned bits; };"

static struct cordon_value resident_of(struct rig *rig, const char *text, const char *type)
{
    size_t bytes;
    struct engine_reply reply;
    const void *plan = rig_type_plan(rig, text, type, &bytes);
    if (rig_verb(rig, ENGINE_RESIDENT_NEW, NULL, 0, plan, (uint32_t)bytes, NULL, &reply) != 0) {
        fail_msg("%s", rig->why.text);
    }
    return cordon_object((struct cordon_handle){.generation = (uint32_t)(reply.words[0] >> 32),
                                                .index = (uint32_t)reply.words[0],
                                                .tag = (uint32_t)reply.words[1]});
}

static uint64_t word_of(struct cordon_value object)
{
    return (uint64_t)object.handle.generation << 32 | object.handle.index;
}

static void test_regex_lives_in_a_resident_object(void **state)
{
    struct rig *rig = *state;
    struct frame_result result;
    struct engine_reply reply;
    uint32_t compile_fn = rig_bind(
        rig, REGEX "int regcomp(resident struct regex *r, const char *pattern, int flags)");
    uint32_t match_fn =
        rig_bind(rig, REGEX "struct match { int start; int end; };"
                            "int regexec(resident struct regex *r, const char *text, size_t n, "
                            "out struct match matches[n], int flags)");
    uint32_t free_fn = rig_bind(rig, REGEX "void regfree(resident struct regex *r)");
    struct cordon_value regex = resident_of(rig, REGEX, "struct regex");
    int matches[2][2];
    assert_int_equal(
        rig_number(rig, compile_fn, RIG_ARGS(regex, cordon_string("b(c*)d"), cordon_int(1))), 0);
    assert_int_equal(rig_number(rig, match_fn,
                                RIG_ARGS(regex, cordon_string("abccd"), cordon_uint(2),
                                         cordon_out(matches, 2), cordon_int(0))),
                     0);
    assert_int_equal(matches[0][0], 1);
    assert_int_equal(matches[0][1], 5);
    assert_int_equal(matches[1][0], 2);
    assert_int_equal(matches[1][1], 4);
    uint8_t bytes[4096];
    uint64_t words[4] = {word_of(regex), regex.handle.tag, 0, 64};
    assert_int_equal(rig_verb(rig, ENGINE_RESIDENT_READ, words, 4, NULL, 0, bytes, &reply), 0);
    static const uint8_t zeros[8];
    assert_memory_equal(bytes, zeros, 8); /* a pointer is not shown */
    assert_int_equal(bytes[48], 1);       /* re_nsub */
    assert_int_equal(rig_call(rig, free_fn, RIG_ARGS(regex), &result), 0);
    assert_int_equal(rig_verb(rig, ENGINE_HANDLE_DROP, words, 1, NULL, 0, NULL, &reply), 0);
    assert_int_equal(rig_verb(rig, ENGINE_HANDLE_DROP, words, 1, NULL, 0, NULL, &reply), -ESTALE);
    assert_int_equal(rig_call(rig, free_fn, RIG_ARGS(regex), &result), -ESTALE);
}

#define STREAM                                                                                     \
    "struct z_stream_s { token void *next_in; unsigned avail_in; unsigned long total_in; "         \
    "token void *next_out; unsigned avail_out; unsigned long total_out; token void *msg; "         \
    "token void *state; token void *zalloc; token void *zfree; token void *opaque; "               \
    "int data_type; unsigned long adler; unsigned long reserved; };"

struct stream {
    void *next_in;
    unsigned avail_in;
    unsigned long total_in;
    void *next_out;
    unsigned avail_out;
    unsigned long total_out;
    void *others[5];
    int data_type;
    unsigned long adler;
    unsigned long reserved;
};

static void point(struct rig *rig, struct cordon_value object, size_t offset, const void *bytes,
                  uint32_t count, uint64_t room)
{
    struct engine_reply reply;
    uint64_t words[5] = {word_of(object), object.handle.tag, offset, 0, room};
    if (rig_verb(rig, ENGINE_RESIDENT_POINT, words, 5, bytes, count, NULL, &reply) != 0) {
        fail_msg("%s", rig->why.text);
    }
}

static void poke(struct rig *rig, struct cordon_value object, size_t offset, unsigned value)
{
    struct engine_reply reply;
    uint64_t words[3] = {word_of(object), object.handle.tag, offset};
    assert_int_equal(
        rig_verb(rig, ENGINE_RESIDENT_WRITE, words, 3, &value, sizeof value, NULL, &reply), 0);
}

static void test_stream_is_fed_through_pointers_of_a_resident_object(void **state)
{
    struct rig *rig = rig_new("libz.so.1", 4, 16, 4096);
    struct frame_result result;
    struct engine_reply reply;
    (void)state;
    uint32_t init_fn = rig_bind(rig, STREAM "int deflateInit_(resident struct z_stream_s *s, "
                                            "int level, const char *version, int size)");
    uint32_t deflate_fn =
        rig_bind(rig, STREAM "int deflate(resident struct z_stream_s *s, int flush)");
    uint32_t end_fn = rig_bind(rig, STREAM "int deflateEnd(resident struct z_stream_s *s)");
    uint32_t unpack =
        rig_bind(rig, "int uncompress(out uint8_t dest[*dest_len], inout unsigned long *dest_len, "
                      "const uint8_t source[len], unsigned long len)");
    struct cordon_value stream = resident_of(rig, STREAM, "struct z_stream_s");
    static const char text[] = "a text that is a text that is a text";
    assert_int_equal(rig_number(rig, init_fn,
                                RIG_ARGS(stream, cordon_int(6), cordon_string("1"),
                                         cordon_int(sizeof(struct stream)))),
                     0);
    point(rig, stream, offsetof(struct stream, next_in), text, sizeof text, 0);
    point(rig, stream, offsetof(struct stream, next_out), "", 1, 200);
    poke(rig, stream, offsetof(struct stream, avail_in), sizeof text);
    poke(rig, stream, offsetof(struct stream, avail_out), 200);
    assert_int_equal(rig_number(rig, deflate_fn, RIG_ARGS(stream, cordon_int(4))), 1);
    struct stream seen;
    uint8_t packed[4096];
    uint64_t words[5] = {word_of(stream), stream.handle.tag, 0, sizeof seen};
    assert_int_equal(rig_verb(rig, ENGINE_RESIDENT_READ, words, 4, NULL, 0, packed, &reply), 0);
    memcpy(&seen, packed, sizeof seen);
    assert_null(seen.next_out);
    assert_int_equal(seen.total_in, sizeof text);
    words[2] = offsetof(struct stream, next_out);
    words[3] = 0;
    words[4] = seen.total_out;
    assert_int_equal(rig_verb(rig, ENGINE_RESIDENT_FETCH, words, 5, NULL, 0, packed, &reply), 0);
    char again[100];
    unsigned long again_bytes = sizeof again;
    assert_int_equal(
        rig_number(rig, unpack,
                   RIG_ARGS(cordon_out(again, sizeof again), cordon_out(&again_bytes, 1),
                            cordon_in(packed, seen.total_out))),
        0);
    assert_string_equal(again, text);
    assert_int_equal(rig_call(rig, end_fn, RIG_ARGS(stream), &result), 0);
    rig_free(rig);
}

#define ADDRESSES                                                                                  \
    "struct addrinfo { int flags; int family; int socktype; int protocol; socklen_t addrlen;"      \
    " const void addr[addrlen]; const char *canonname; struct addrinfo *next; };"

/* Offsets on every platform with pointers of 8 bytes. */
#define AT_ADDRESS 24
#define AT_NAME    32
#define AT_NEXT    40

static void test_given_structs_are_read_and_followed_until_they_are_released(void **state)
{
    struct rig *rig = *state;
    struct frame_result result;
    struct engine_reply reply;
    uint8_t bytes[4096];
    struct cordon_handle list = {0};
    const int hints[12] = {0x404, 0, 1}; /* numeric; one entry */
    uint32_t find_fn =
        rig_bind(rig, ADDRESSES "int getaddrinfo(const char *node, const char *service,"
                                " const struct addrinfo *hints, out resident struct addrinfo **r)");
    uint32_t free_fn =
        rig_bind(rig, ADDRESSES "void freeaddrinfo(release resident struct addrinfo *res)");
    assert_int_equal(rig_number(rig, find_fn,
                                RIG_ARGS(cordon_string("127.0.0.1"), cordon_string("80"),
                                         cordon_in(hints, 1), cordon_out(&list, 1))),
                     0);
    uint64_t words[5] = {word_of(cordon_object(list)), list.tag, 0, 48};
    assert_int_equal(rig_verb(rig, ENGINE_RESIDENT_READ, words, 4, NULL, 0, bytes, &reply), 0);
    static const uint8_t zeros[24];
    assert_memory_equal(bytes + AT_ADDRESS, zeros, 24); /* no pointer is shown */
    assert_int_equal(bytes[16], 16);
    words[2] = AT_ADDRESS;
    words[3] = 4;
    words[4] = 4;
    assert_int_equal(rig_verb(rig, ENGINE_RESIDENT_FETCH, words, 5, NULL, 0, bytes, &reply), 0);
    assert_int_equal(reply.reply_bytes, 4);
    assert_memory_equal(bytes, "\x7f\0\0\1", 4);
    words[4] = 13;
    assert_int_equal(rig_verb(rig, ENGINE_RESIDENT_FETCH, words, 5, NULL, 0, bytes, &reply),
                     -EINVAL);
    words[2] = AT_NAME;
    assert_int_equal(rig_verb(rig, ENGINE_RESIDENT_FETCH, words, 5, NULL, 0, bytes, &reply),
                     -ENOENT);
    assert_int_equal(rig_verb(rig, ENGINE_RESIDENT_FOLLOW, words, 3, NULL, 0, bytes, &reply),
                     -EINVAL); /* leads to a string */
    words[2] = AT_NEXT - 1;
    assert_int_equal(rig_verb(rig, ENGINE_RESIDENT_FOLLOW, words, 3, NULL, 0, bytes, &reply),
                     -EINVAL);
    words[2] = AT_NEXT;
    assert_int_equal(rig_verb(rig, ENGINE_RESIDENT_FOLLOW, words, 3, NULL, 0, bytes, &reply), 0);
    assert_int_equal(reply.words[0], 0); /* the end of the list */
    assert_int_equal(rig_call(rig, free_fn, RIG_ARGS(cordon_object(list)), &result), 0);
    assert_int_equal(rig_verb(rig, ENGINE_RESIDENT_FOLLOW, words, 3, NULL, 0, bytes, &reply),
                     -ESTALE);
}

static void test_resident_requests_outside_the_object_are_refused(void **state)
{
    struct rig *rig = *state;
    struct engine_reply reply;
    struct cordon_value regex = resident_of(rig, REGEX, "struct regex");
    uint64_t words[5] = {word_of(regex), regex.handle.tag, 60, 8};
    uint8_t bytes[4096] = {0};
    assert_int_equal(rig_verb(rig, ENGINE_RESIDENT_READ, words, 4, NULL, 0, bytes, &reply),
                     -EINVAL);
    assert_non_null(strstr(rig->why.text, "outside of regex"));
    assert_int_equal(rig_verb(rig, ENGINE_RESIDENT_WRITE, words, 3, bytes, 8, NULL, &reply),
                     -EINVAL);
    words[2] = UINT64_MAX;
    assert_int_equal(rig_verb(rig, ENGINE_RESIDENT_READ, words, 4, NULL, 0, bytes, &reply),
                     -EINVAL);
    words[2] = 8; /* a number, no pointer */
    words[3] = 0;
    words[4] = 0;
    assert_int_equal(rig_verb(rig, ENGINE_RESIDENT_POINT, words, 5, bytes, 8, NULL, &reply),
                     -EINVAL);
    assert_non_null(strstr(rig->why.text, "no pointer at offset 8"));
    words[2] = 0;
    words[3] = 0x1000; /* no arena there */
    assert_int_equal(rig_verb(rig, ENGINE_RESIDENT_POINT, words, 5, NULL, 0, NULL, &reply),
                     -EINVAL);
    words[3] = 0;
    words[4] = 1u << 20;
    assert_int_equal(rig_verb(rig, ENGINE_RESIDENT_POINT, words, 5, bytes, 8, NULL, &reply),
                     -E2BIG);
    assert_non_null(strstr(rig->why.text, "LIMIT_KEPT_BYTES"));
    words[1] ^= 1;
    assert_int_equal(rig_verb(rig, ENGINE_RESIDENT_READ, words, 4, NULL, 0, bytes, &reply),
                     -EINVAL);
}

static void test_writes_leave_pointers_of_a_resident_object_alone(void **state)
{
    struct rig *rig = *state;
    size_t length;
    struct resident *resident = NULL;
    struct message why;
    const void *plan = rig_type_plan(rig, "struct pair { int a; token void *p[2]; int b; };",
                                     "struct pair", &length);
    assert_int_equal(resident_new(plan, length, &resident, &why), 0);
    assert_int_equal(resident_point(resident, 16, &why, &why), 0);
    uint8_t ones[32];
    uint8_t seen[32];
    memset(ones, 0x11, sizeof ones);
    resident_write(resident, 2, 28, ones);
    void *kept;
    memcpy(&kept, resident->object + 16, sizeof kept);
    assert_ptr_equal(kept, &why);
    resident_read(resident, 0, 32, seen);
    static const uint8_t wanted[32] = {
        [2] = 0x11,  [3] = 0x11,  [4] = 0x11,  [5] = 0x11,  [6] = 0x11,  [7] = 0x11,
        [24] = 0x11, [25] = 0x11, [26] = 0x11, [27] = 0x11, [28] = 0x11, [29] = 0x11};
    assert_memory_equal(seen, wanted, sizeof seen);
    resident_free(resident);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_file_is_a_handle_until_it_is_released, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_getline_grows_the_callers_line, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_line_that_is_passed_again_has_the_room_that_n_says,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_static_objects_have_one_handle, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_handles_reach_their_limit_by_name, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_handle_of_another_type_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_regex_lives_in_a_resident_object, set_up, tear_down),
        cmocka_unit_test(test_stream_is_fed_through_pointers_of_a_resident_object),
        cmocka_unit_test_setup_teardown(
            test_given_structs_are_read_and_followed_until_they_are_released, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_resident_requests_outside_the_object_are_refused,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_writes_leave_pointers_of_a_resident_object_alone,
                                        set_up, tear_down),
    };
    return cmocka_run_group_tests_name("objects", tests, NULL, NULL);
}
