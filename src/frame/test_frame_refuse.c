/* SPDX-License-Identifier: Apache-2.0 */
#include "frame/test_trip.h"

#include "base/limits.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* What does not fit its prototype is refused by a sentence; what lies is refused without harm. */

static void check_refusal(const char *prototype, int error, const char *sentence,
                          const struct cordon_value *args, size_t count)
{
    struct trip trip;
    trip_open(&trip, prototype);
    assert_int_equal(trip_encode(&trip, args, count), error);
    assert_string_equal(trip.why.text, sentence);
    trip_close(&trip);
}

static void test_arguments_that_do_not_fit_are_named(void **state)
{
    (void)state;
    uint8_t bytes[64] = {0};
    check_refusal("int f(int8_t level)", -EINVAL,
                  "argument 1 'level' is 300; int8_t holds -128 to 127", ARGS(cordon_int(300)));
    check_refusal("int f(int x)", -EINVAL, "argument 1 'x' is 2.5; int32_t wants an integer",
                  ARGS(cordon_float(2.5)));
    check_refusal("int f(int x)", -EINVAL, "argument 1 'x' is a string; int32_t wants an integer",
                  ARGS(cordon_string("5")));
    check_refusal("int f(float x)", -EINVAL,
                  "argument 1 'x' is 1e+300; float holds up to 3.40282e+38",
                  ARGS(cordon_float(1e300)));
    check_refusal("int f(const char *s)", -EINVAL, "argument 1 's' is 5; string wants a string",
                  ARGS(cordon_int(5)));
    check_refusal("int f(const char *s)", -EINVAL,
                  "argument 1 's' is NULL, but must not be (not nullable)", ARGS(cordon_null()));
    check_refusal("int f(const char *s)", -EINVAL,
                  "argument 1 's' is a string with a NUL inside its 3 bytes",
                  ARGS(cordon_in("a\0b", 3)));
    check_refusal("int f(out int *x)", -EINVAL,
                  "argument 1 'x' is NULL, but must point to one int32_t", ARGS(cordon_null()));
    check_refusal("int f(out int *x)", -EINVAL,
                  "argument 1 'x' has room for no element, but one is needed",
                  ARGS(cordon_out(bytes, 0)));
    check_refusal("int f(int w, const uint8_t buf[w * 2])", -EINVAL,
                  "argument 2 'buf' is NULL, but must not be (not nullable)",
                  ARGS(cordon_int(3), cordon_null()));
}

static void test_host_pointers_do_not_cross_as_tokens(void **state)
{
    (void)state;
    struct trip trip;
    int on_the_host = 0;
    trip_open(&trip, "int f(token void *context, const char *s)");
    assert_int_equal(trip_encode(&trip, ARGS(cordon_in(&on_the_host, 1), cordon_string("x"))),
                     -EINVAL);
    assert_int_equal(trip_encode(&trip, ARGS(cordon_in(trip.arena, 1), cordon_string("x"))), 0);
    assert_int_equal(trip_encode(&trip, ARGS(cordon_uint(UINT64_MAX), cordon_string("x"))), 0);
    trip_close(&trip);
}

/* A worker may take the NUL of a string in the arena away: the host must not read on behind it. */
static void test_strings_are_not_read_beyond_the_arena(void **state)
{
    (void)state;
    struct trip trip;
    trip_open(&trip, "int join(const char *words[n], int n)");
    char *last = (char *)trip.arena + TRIP_ARENA - 4;
    memcpy(last, "abc", 4);
    const char *words[] = {last};
    const struct cordon_value args[] = {cordon_in(words, 1), cordon_int(1)};
    size_t count = trip.function->passed_count;
    assert_int_equal(trip_encode(&trip, args, count), 0);
    last[3] = 'd';
    assert_int_equal(trip_encode(&trip, args, count), -EINVAL);
    assert_string_equal(trip.why.text,
                        "argument 1 'words' has a member that is a string without an end");
    trip_close(&trip);
}

static void test_argument_counts_are_compared(void **state)
{
    (void)state;
    check_refusal("int add(int a, int b)", -EINVAL, "'add' takes 2 arguments, 1 given",
                  ARGS(cordon_int(1)));
    check_refusal("int add(int a, int b)", -EINVAL, "'add' takes 2 arguments, 3 given",
                  ARGS(cordon_int(1), cordon_int(2), cordon_int(3)));
    check_refusal("int log(const char *format, ...)", -EINVAL,
                  "'log' takes at least 1 argument, 0 given", NULL, 0);
}

static void test_lengths_that_do_not_fit_are_spelled_out(void **state)
{
    (void)state;
    uint8_t bytes[64] = {0};
    check_refusal("int f(int width, int height, const uint8_t buf[width * height * 4])", -EINVAL,
                  "argument 3 'buf' holds 10 elements, but its length width * height * 4 is 64",
                  ARGS(cordon_int(4), cordon_int(4), cordon_in(bytes, 10)));
    check_refusal("int f(int n, const uint8_t buf[(n + 1) * 4])", -EINVAL,
                  "argument 2 'buf' holds 1 element, but its length (n + 1) * 4 is 16",
                  ARGS(cordon_int(3), cordon_in(bytes, 1)));
    check_refusal("int f(out uint8_t buf[cap], int cap)", -EINVAL,
                  "argument 1 'buf' has room for 8 elements, but its length cap is 9",
                  ARGS(cordon_out(bytes, 8), cordon_int(9)));
    check_refusal("int f(int n, const uint8_t buf[n * 2])", -ERANGE,
                  "argument 2 'buf' has the length n * 2, which is negative",
                  ARGS(cordon_int(-1), cordon_in(bytes, 1)));
    check_refusal("int f(int64_t n, const uint8_t buf[n * 2])", -EOVERFLOW,
                  "argument 2 'buf' has the length n * 2, which overflows",
                  ARGS(cordon_int(INT64_MAX), cordon_in(bytes, 1)));
    check_refusal(
        "int dot(const int a[n], const int b[n], int n)", -EINVAL,
        "argument 2 'b' holds 3 elements, but argument 1 'a' holds 4: both have the length 'n'",
        ARGS(cordon_in(bytes, 4), cordon_in(bytes, 3)));
    check_refusal("int f(const uint8_t buf[n], uint8_t n)", -E2BIG,
                  "argument 1 'buf' holds 256 elements, more than its length 'n' (uint8_t) can say",
                  ARGS(cordon_in(bytes, 256)));
}

static void test_three_gigabytes_are_refused_by_the_limit_by_name(void **state)
{
    (void)state;
    check_refusal(
        "int f(const uint8_t buf[n], size_t n)", -E2BIG,
        "argument 1 'buf' needs 3221225472 bytes of the request, which holds 1048576 in all "
        "(LIMIT_FRAME_BYTES)",
        ARGS(cordon_in("", 3ull << 30)));
    char byte;
    check_refusal(
        "int f(out uint8_t buf[n], size_t n)", -E2BIG,
        "argument 1 'buf' needs 3221225472 bytes of the reply, which holds 1048576 in all "
        "(LIMIT_FRAME_BYTES)",
        ARGS(cordon_out(&byte, 3ull << 30), cordon_uint(3ull << 30)));
    check_refusal("int f(const char *s)", -E2BIG,
                  "argument 1 's' is a string of more than 16777216 bytes (LIMIT_STRING_BYTES)",
                  ARGS(cordon_in("", LIMIT_STRING_BYTES + 1ull)));
}

static void test_bytes_without_memory_ask_for_some(void **state)
{
    (void)state;
    struct trip trip;
    trip_open(&trip, "size_t strlen(const char *s)");
    trip.space.request = NULL;
    assert_int_equal(trip_encode(&trip, ARGS(cordon_string("x"))), -ENOBUFS);
    trip.space.request = trip.request;
    assert_int_equal(trip_encode(&trip, ARGS(cordon_string("x"))), 0);
    trip_close(&trip);
}

static void test_result_beyond_the_reply_names_the_limit(void **state)
{
    (void)state;
    struct trip trip;
    trip_open(&trip, "const char *name(int x)");
    trip.space.reply_bytes = 64;
    char name[64];
    memset(name, 'n', sizeof name - 1);
    name[63] = '\0';
    const char *result = name;
    assert_int_equal(trip_encode(&trip, ARGS(cordon_int(1))), 0);
    assert_int_equal(trip_accept(&trip), 0);
    assert_int_equal(trip_answer(&trip, &result), -ENOSPC);
    assert_non_null(strstr(trip.why.text, "LIMIT_DYNAMIC_ROOM"));
    trip_close(&trip);
}

/* Requests that a hostile sender makes. */
static void test_accept_refuses_places_outside_the_request(void **state)
{
    (void)state;
    struct trip trip;
    trip_open(&trip, "int f(const uint8_t a[n], inout uint8_t b[m], int n, int m)");
    uint8_t bytes[40] = {0};
    size_t count = trip.function->passed_count;
    const struct cordon_value args[] = {cordon_in(bytes, 40), cordon_out(bytes, 40), cordon_int(40),
                                        cordon_int(40)};
    const struct cordon_value filled[] = {cordon_in(bytes, 40), cordon_out(bytes, 40),
                                          cordon_int(40)};
    assert_int_equal(trip_encode(&trip, count == 4 ? args : filled, count), 0);
    assert_int_equal(trip_accept(&trip), 0);
    uint64_t in = trip.sent.words[0];
    uint64_t inout = trip.sent.words[1];
    const uint64_t bad[] = {1,
                            16,
                            48,
                            in + 1,
                            trip.sent.frame_bytes,
                            0x7ffffff0,
                            1ull << 31 | in,
                            in | 64ull << 32,
                            UINT64_MAX,
                            FRAME_IN_ARENA | 4096,
                            UINT64_MAX >> 1};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        trip.sent.words[0] = bad[i];
        assert_int_equal(trip_accept(&trip), -EBADMSG);
    }
    trip.sent.words[0] = in;
    const uint64_t bad_back[] = {inout & 0xffffffff, inout + (1ull << 32), inout + (64ull << 32),
                                 (inout & 0xffffffff) | 0x7ffffff0ull << 32};
    for (size_t i = 0; i < sizeof bad_back / sizeof bad_back[0]; i++) {
        trip.sent.words[1] = bad_back[i];
        assert_int_equal(trip_accept(&trip), -EBADMSG);
    }
    trip.sent.words[1] = inout;
    assert_int_equal(trip_accept(&trip), 0);
    trip_close(&trip);
}

static void test_accept_refuses_headers_of_other_frames(void **state)
{
    (void)state;
    struct trip trip;
    trip_open(&trip, "size_t strlen(const char *s)");
    assert_int_equal(trip_encode(&trip, ARGS(cordon_string("text"))), 0);
    struct frame_header good;
    memcpy(&good, trip.request, sizeof good);
    for (size_t byte = 0; byte < offsetof(struct frame_header, reply_fixed); byte++) {
        bool judged = byte < offsetof(struct frame_header, function_id) ||
                      byte >= offsetof(struct frame_header, layout_hash);
        trip.request[byte] ^= 0x80;
        assert_int_equal(trip_accept(&trip), judged ? -EBADMSG : 0);
        memcpy(trip.request, &good, sizeof good);
    }
    trip.sent.frame_bytes = 47;
    assert_int_equal(trip_accept(&trip), -EBADMSG);
    trip_close(&trip);
}

static void test_accept_refuses_strings_without_an_end(void **state)
{
    (void)state;
    struct trip trip;
    trip_open(&trip, "size_t strlen(const char *s)");
    assert_int_equal(trip_encode(&trip, ARGS(cordon_string("text"))), 0);
    trip.request[trip.sent.words[0] + 4] = 'x';
    assert_int_equal(trip_accept(&trip), -EBADMSG);
    trip_close(&trip);
}

static void test_accept_refuses_one_block_used_too_often(void **state)
{
    (void)state;
    struct trip trip;
    trip_open(&trip, "int join(const char *words[null])");
    static char long_word[4096];
    memset(long_word, 'w', sizeof long_word - 1);
    const char *words[513];
    for (size_t i = 0; i < 512; i++) {
        words[i] = "w";
    }
    words[0] = long_word;
    words[512] = NULL;
    assert_int_equal(trip_encode(&trip, ARGS(cordon_in(words, 512))), 0);
    assert_int_equal(trip_accept(&trip), 0);
    uint8_t *image = trip.request + trip.sent.words[0];
    for (size_t i = 1; i < 512; i++) {
        memcpy(image + 8 * i, image, 8);
    }
    assert_int_equal(trip_accept(&trip), -EBADMSG);
    assert_non_null(strstr(trip.why.text, "too many times"));
    trip_close(&trip);
}

static void test_accept_refuses_numbers_beyond_their_type(void **state)
{
    (void)state;
    struct trip trip;
    trip_open(&trip, "int f(bool a, uint8_t b)");
    assert_int_equal(trip_encode(&trip, ARGS(cordon_int(1), cordon_int(255))), 0);
    assert_int_equal(trip_accept(&trip), 0);
    trip.sent.words[0] = 2;
    assert_int_equal(trip_accept(&trip), -EBADMSG);
    trip.sent.words[0] = 1;
    trip.sent.words[1] = 256;
    assert_int_equal(trip_accept(&trip), -EBADMSG);
    trip_close(&trip);
}

/* Replies that a hostile worker makes. */
static void test_decode_refuses_results_that_are_not_there(void **state)
{
    (void)state;
    struct trip trip;
    trip_open(&trip, "const char *name(int x)");
    const char *result = "name";
    assert_int_equal(trip_encode(&trip, ARGS(cordon_int(1))), 0);
    assert_int_equal(trip_accept(&trip), 0);
    assert_int_equal(trip_answer(&trip, &result), 0);
    assert_int_equal(trip_decode(&trip, ARGS(cordon_int(1))), 0);
    uint64_t good = trip.reply_words[0];
    const uint64_t bad[] = {1,
                            1ull << 32,
                            UINT64_MAX,
                            good + (1ull << 32),
                            good + (1000ull << 32),
                            good | 0xffff0000,
                            trip.sent.reply_bytes_max | 4ull << 32};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        trip.reply_words[0] = bad[i];
        assert_int_equal(trip_decode(&trip, ARGS(cordon_int(1))), -EBADMSG);
        assert_null(trip.result.owned);
    }
    trip_close(&trip);
}

static void test_decode_writes_nothing_when_one_word_lies(void **state)
{
    (void)state;
    struct trip trip;
    trip_open(&trip, "int f(out int *a, out uint8_t *b)");
    int32_t a = 77;
    uint8_t b = 88;
    int64_t result = 0;
    const struct cordon_value args[] = {cordon_out(&a, 1), cordon_out(&b, 1)};
    assert_int_equal(trip_encode(&trip, args, 2), 0);
    assert_int_equal(trip_accept(&trip), 0);
    assert_int_equal(trip_answer(&trip, &result), 0);
    trip.reply_words[2] = 256;
    assert_int_equal(trip_decode(&trip, args, 2), -EBADMSG);
    assert_int_equal(a, 77);
    assert_int_equal(b, 88);
    trip.reply_words[2] = 0;
    trip.reply_words[0] = 1ull << 31; /* the result is no int either */
    assert_int_equal(trip_decode(&trip, args, 2), -EBADMSG);
    assert_int_equal(a, 77);
    trip_close(&trip);
}

static void test_decode_keeps_the_callers_pointers_whatever_comes_back(void **state)
{
    (void)state;
    struct trip trip;
    trip_open(&trip, "struct box { const char *label; int weight; };"
                     "void weigh(inout struct box *b)");
    struct {
        const char *label;
        int32_t weight;
    } box = {"label", 1};
    const struct cordon_value args[] = {cordon_out(&box, 1)};
    const char *label = box.label;
    const struct {
        uint64_t word;
        const char *label;
    } cases[] = {{UINT64_MAX, label}, {1, label},          {4, label + 3}, {7, label + 6},
                 {8, label},          {1ull << 63, label}, {0, NULL}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        box.label = label;
        assert_int_equal(trip_encode(&trip, args, 1), 0);
        assert_int_equal(trip_accept(&trip), 0);
        assert_int_equal(trip_answer(&trip, &(uint64_t){0}), 0);
        uint64_t at = trip.sent.words[0] >> 32;
        memcpy(trip.reply + at, &cases[i].word, 8);
        trip.reply[at + 8] = (uint8_t)i;
        assert_int_equal(trip_decode(&trip, args, 1), 0);
        assert_ptr_equal(box.label, cases[i].label);
        assert_int_equal(box.weight, i);
    }
    trip_close(&trip);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_arguments_that_do_not_fit_are_named),
        cmocka_unit_test(test_host_pointers_do_not_cross_as_tokens),
        cmocka_unit_test(test_strings_are_not_read_beyond_the_arena),
        cmocka_unit_test(test_argument_counts_are_compared),
        cmocka_unit_test(test_lengths_that_do_not_fit_are_spelled_out),
        cmocka_unit_test(test_three_gigabytes_are_refused_by_the_limit_by_name),
        cmocka_unit_test(test_bytes_without_memory_ask_for_some),
        cmocka_unit_test(test_result_beyond_the_reply_names_the_limit),
        cmocka_unit_test(test_accept_refuses_places_outside_the_request),
        cmocka_unit_test(test_accept_refuses_headers_of_other_frames),
        cmocka_unit_test(test_accept_refuses_strings_without_an_end),
        cmocka_unit_test(test_accept_refuses_one_block_used_too_often),
        cmocka_unit_test(test_accept_refuses_numbers_beyond_their_type),
        cmocka_unit_test(test_decode_refuses_results_that_are_not_there),
        cmocka_unit_test(test_decode_writes_nothing_when_one_word_lies),
        cmocka_unit_test(test_decode_keeps_the_callers_pointers_whatever_comes_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
