/* SPDX-License-Identifier: Apache-2.0 */
#include "invoke/engine.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/limits.h"
#include "invoke/test_rig.h"

static int set_up(void **state)
{
    *state = rig_new("libz.so.1", 8, 64, 4096);
    return *state ? 0 : -1;
}

static int tear_down(void **state)
{
    rig_free(*state);
    return 0;
}

static void test_integers_of_every_width_keep_their_sign(void **state)
{
    struct rig *rig = *state;
    uint32_t f = rig_bind(rig, "int abs(int x)");
    assert_int_equal(rig_number(rig, f, RIG_ARGS(cordon_int(-7))), 7);
    f = rig_bind(rig, "int toupper(int c)");
    assert_int_equal(rig_number(rig, f, RIG_ARGS(cordon_int('a'))), 'A');
    assert_int_equal(rig_number(rig, f, RIG_ARGS(cordon_int(-1))), -1);
    f = rig_bind(rig, "uint32_t htonl(uint32_t x)");
    assert_int_equal(rig_number(rig, f, RIG_ARGS(cordon_uint(0x010203ff))), 0xff030201);
    f = rig_bind(rig, "uint16_t htons(uint16_t x)");
    assert_int_equal(rig_number(rig, f, RIG_ARGS(cordon_uint(0x01ff))), 0xff01);
    f = rig_bind(rig, "long labs(long x)");
    assert_int_equal(rig_number(rig, f, RIG_ARGS(cordon_int(-1234567890123))), 1234567890123);
}

static void test_floats_and_mixed_arguments(void **state)
{
    struct rig *rig = *state;
    struct frame_result result;
    uint32_t pow_fn = rig_bind(rig, "double pow(double x, double y)");
    assert_int_equal(rig_call(rig, pow_fn, RIG_ARGS(cordon_float(2), cordon_float(10)), &result),
                     0);
    assert_true(result.value.kind == CORDON_VALUE_FLOAT && result.value.f == 1024.0);
    uint32_t sqrtf_fn = rig_bind(rig, "float sqrtf(float x)");
    assert_int_equal(rig_call(rig, sqrtf_fn, RIG_ARGS(cordon_float(6.25)), &result), 0);
    assert_true(result.value.f == 2.5);
    uint32_t ldexp_fn = rig_bind(rig, "double ldexp(double x, int e)");
    assert_int_equal(rig_call(rig, ldexp_fn, RIG_ARGS(cordon_float(3), cordon_int(-1)), &result),
                     0);
    assert_true(result.value.f == 1.5);
    int exponent = 0;
    uint32_t frexp_fn = rig_bind(rig, "double frexp(double x, out int *e)");
    assert_int_equal(
        rig_call(rig, frexp_fn, RIG_ARGS(cordon_float(12), cordon_out(&exponent, 1)), &result), 0);
    assert_true(result.value.f == 0.75 && exponent == 4);
}

static void test_short_call_passes_arrays_where_they_lie_and_nowhere_else(void **state)
{
    struct rig *rig = *state;
    static const _Alignas(16) uint8_t bytes[32] = "................123456789";
    struct engine_answer answer = {.word_count = 7};
    uint32_t id = rig->functions[rig_bind(rig, "unsigned long crc32(unsigned long crc, const "
                                               "uint8_t buf[len], unsigned len)")]
                      .id;
    uint64_t words[] = {0, 16, 9, 0, 0};
    assert_true(engine_execute_short(rig->engine, id, words, 5, bytes, sizeof bytes, &answer));
    assert_int_equal(answer.status, 0);
    assert_int_equal(answer.word_count, 1);
    assert_int_equal(answer.word, 0xcbf43926);
    const uint64_t lies[][2] = {
        {16, 17},       {32, 1}, {48, 0}, {8, 1}, {0, 33}, {16, UINT64_MAX}, {UINT64_MAX - 15, 16},
        {1ull << 32, 1}};
    for (size_t i = 0; i < sizeof lies / sizeof lies[0]; i++) {
        words[1] = lies[i][0];
        words[2] = lies[i][1];
        assert_false(engine_execute_short(rig->engine, id, words, 5, bytes, sizeof bytes, &answer));
    }
    /* Two words are too few; and a function of only scalars has no arrays. */
    assert_false(engine_execute_short(rig->engine, id, words, 2, bytes, sizeof bytes, &answer));
    id = rig->functions[rig_bind(rig, "int abs(int x)")].id;
    assert_false(engine_execute_short(rig->engine, id, words, 5, bytes, sizeof bytes, &answer));
}

static void test_arrays_go_in_and_come_back(void **state)
{
    struct rig *rig = *state;
    static const char text[] = "123456789";
    uint32_t crc = rig_bind(
        rig, "unsigned long crc32(unsigned long crc, const uint8_t buf[len], unsigned len)");
    assert_int_equal(rig_number(rig, crc, RIG_ARGS(cordon_uint(0), cordon_in(text, 9))),
                     0xcbf43926);
    uint32_t pack = rig_bind(rig, "int compress(out uint8_t dest[*dest_len], inout unsigned long "
                                  "*dest_len, const uint8_t source[len], unsigned long len)");
    uint32_t unpack =
        rig_bind(rig, "int uncompress(out uint8_t dest[*dest_len], inout unsigned "
                      "long *dest_len, const uint8_t source[len], unsigned long len)");
    uint8_t plain[5000];
    uint8_t packed[6000];
    uint8_t again[5000];
    memset(plain, 'x', sizeof plain);
    unsigned long packed_bytes = sizeof packed;
    unsigned long again_bytes = sizeof again;
    assert_int_equal(
        rig_number(rig, pack,
                   RIG_ARGS(cordon_out(packed, sizeof packed), cordon_out(&packed_bytes, 1),
                            cordon_in(plain, sizeof plain))),
        0);
    assert_true(packed_bytes > 0 && packed_bytes < 100);
    assert_int_equal(
        rig_number(rig, unpack,
                   RIG_ARGS(cordon_out(again, sizeof again), cordon_out(&again_bytes, 1),
                            cordon_in(packed, packed_bytes))),
        0);
    assert_int_equal(again_bytes, sizeof plain);
    assert_memory_equal(plain, again, sizeof plain);
}

static void test_strings_and_pointers_within_arguments(void **state)
{
    struct rig *rig = *state;
    struct frame_result result;
    uint32_t length = rig_bind(rig, "size_t strlen(const char *s)");
    assert_int_equal(rig_number(rig, length, RIG_ARGS(cordon_string("four"))), 4);
    uint32_t chr = rig_bind(rig, "within(s) char *strchr(const char *s, int c)");
    assert_int_equal(rig_number(rig, chr, RIG_ARGS(cordon_string("abcd"), cordon_int('c'))), 2);
    assert_int_equal(rig_call(rig, chr, RIG_ARGS(cordon_string("abcd"), cordon_int('z')), &result),
                     0);
    assert_int_equal(result.value.kind, CORDON_VALUE_NULL);
    char text[] = "one,two";
    uint64_t save = 0;
    uint32_t token =
        rig_bind(rig, "within(s) char *strtok_r(inout char *s, const char *delimiters, "
                      "out within(s) char **save)");
    assert_int_equal(rig_number(rig, token,
                                RIG_ARGS(cordon_out(text, sizeof text - 1), cordon_string(","),
                                         cordon_out(&save, 1))),
                     0);
    assert_string_equal(text, "one");
    assert_int_equal(save, 4);
    uint32_t number =
        rig_bind(rig, "long strtol(const char *s, out within(s) char **end, int base)");
    assert_int_equal(
        rig_number(rig, number,
                   RIG_ARGS(cordon_string("-12rest"), cordon_out(&save, 1), cordon_int(10))),
        -12);
    assert_int_equal(save, 3);
    uint32_t version = rig_bind(rig, "const char *zlibVersion(void)");
    assert_int_equal(rig_call(rig, version, NULL, 0, &result), 0);
    assert_memory_equal(result.value.memory, "1.", 2);
    free(result.owned);
    uint32_t duplicate = rig_bind(rig, "owned(free) char *strdup(const char *s)");
    assert_int_equal(rig_call(rig, duplicate, RIG_ARGS(cordon_string("copied")), &result), 0);
    assert_string_equal(result.value.memory, "copied");
    free(result.owned);
}

static void test_structs_by_value(void **state)
{
    struct rig *rig = *state;
    struct frame_result result;
    uint32_t f = rig_bind(rig, "struct div_s { int quot; int rem; }; "
                               "struct div_s div(int a, int b)");
    assert_int_equal(rig_call(rig, f, RIG_ARGS(cordon_int(17), cordon_int(-5)), &result), 0);
    const int *parts = result.value.memory;
    assert_int_equal(parts[0], -3);
    assert_int_equal(parts[1], 2);
    free(result.owned);
    f = rig_bind(rig, "struct ldiv_s { long quot; long rem; }; struct ldiv_s ldiv(long a, long b)");
    assert_int_equal(rig_call(rig, f, RIG_ARGS(cordon_int(100), cordon_int(7)), &result), 0);
    const long *longs = result.value.memory;
    assert_int_equal(longs[0], 14);
    assert_int_equal(longs[1], 2);
    free(result.owned);
    f = rig_bind(rig,
                 "struct in_addr { uint32_t s_addr; }; const char *inet_ntoa(struct in_addr a)");
    static const uint8_t address[4] = {192, 0, 2, 33};
    assert_int_equal(rig_call(rig, f, RIG_ARGS(cordon_in(address, 1)), &result), 0);
    assert_string_equal(result.value.memory, "192.0.2.33");
    free(result.owned);
    /* Too large for registers: the caller gives the memory. */
    f = rig_bind(rig, "struct mallinfo2 { size_t arena; size_t others[9]; }; "
                      "struct mallinfo2 mallinfo2(void)");
    assert_int_equal(rig_call(rig, f, NULL, 0, &result), 0);
    const size_t *sizes = result.value.memory;
    assert_int_equal(sizes[7] + sizes[8],
                     sizes[0]); /* in use + free = arena, all zero under ASan */
    free(result.owned);
}

static void test_errno_is_part_of_the_answer(void **state)
{
    struct rig *rig = *state;
    uint32_t close_fn = rig_bind(rig, "int close(int fd)");
    errno = EDOM;
    assert_int_equal(rig_number(rig, close_fn, RIG_ARGS(cordon_int(-1))), -1);
    assert_int_equal(rig->error_number, EBADF);
    uint32_t abs_fn = rig_bind(rig, "int abs(int x)");
    errno = EDOM;
    (void)rig_number(rig, abs_fn, RIG_ARGS(cordon_int(-1)));
    assert_int_equal(rig->error_number, 0);
    uint32_t access_fn = rig_bind(rig, "int access(const char *path, int mode)");
    assert_int_equal(
        rig_number(rig, access_fn, RIG_ARGS(cordon_string("/no/such/file"), cordon_int(0))), -1);
    assert_int_equal(rig->error_number, ENOENT);
    uint32_t log_fn = rig_bind(rig, "double log(double x)");
    struct frame_result result;
    assert_int_equal(rig_call(rig, log_fn, RIG_ARGS(cordon_float(-1)), &result), 0);
    assert_int_equal(rig->error_number, EDOM);
}

static void test_hidden_state_stays_between_calls(void **state)
{
    struct rig *rig = *state;
    uint32_t seed = rig_bind(rig, "void srand(unsigned seed)");
    uint32_t next = rig_bind(rig, "int rand(void)");
    struct frame_result result;
    assert_int_equal(rig_call(rig, seed, RIG_ARGS(cordon_uint(42)), &result), 0);
    int64_t first = rig_number(rig, next, NULL, 0);
    int64_t second = rig_number(rig, next, NULL, 0);
    srand(42);
    assert_int_equal(first, rand());
    assert_int_equal(second, rand());
}

static void test_bind_refuses_by_a_sentence(void **state)
{
    struct rig *rig = *state;
    assert_int_equal(rig_try_bind(rig, 1, "int crc33(int x)"), -ENOENT);
    assert_string_equal(rig->why.text, "no function 'crc33' in the library");
    assert_int_equal(rig_try_bind(rig, 1, "owned(sqlite3_fre) char *strdup(const char *s)"),
                     -ENOENT);
    assert_non_null(strstr(rig->why.text, "no function 'sqlite3_fre' in the library"));
    assert_int_equal(rig_try_bind(rig, LIMIT_FUNCTIONS, "int abs(int x)"), -E2BIG);
    assert_non_null(strstr(rig->why.text, "LIMIT_FUNCTIONS"));
    assert_int_equal(rig_try_bind(rig, LIMIT_FUNCTIONS - 1, "int abs(int x)"), 0);
    assert_int_equal(rig_try_bind(rig, LIMIT_FUNCTIONS - 1, "int abs(int x)"), 0);
    assert_int_equal(rig_try_bind(rig, LIMIT_FUNCTIONS - 1, "long labs(long x)"), -EEXIST);
    assert_non_null(strstr(rig->why.text, "'abs'"));
}

static void test_unbound_id_and_missing_words_are_refused(void **state)
{
    struct rig *rig = *state;
    uint8_t sentence[256];
    struct engine_reply reply;
    struct engine_request request = {
        .function_id = 99, .reply = sentence, .reply_bytes_max = sizeof sentence};
    engine_execute(rig->engine, &request, &reply);
    assert_int_equal(reply.status, -ENOENT);
    assert_non_null(memmem(sentence, reply.reply_bytes, "id 99", 5));
    assert_int_equal(rig_try_bind(rig, 3, "int abs(int x)"), 0);
    request.function_id = 3;
    engine_execute(rig->engine, &request, &reply);
    assert_int_equal(reply.status, -EBADMSG);
    request.reply = NULL;
    request.function_id = 0x7fff00ff;
    engine_execute(rig->engine, &request, &reply);
    assert_int_equal(reply.status, -EINVAL);
    assert_int_equal(reply.reply_bytes, 0);
}

static void test_bytes_that_are_no_plan_are_refused(void **state)
{
    struct rig *rig = *state;
    uint64_t id = 1;
    uint64_t noise[32] = {0x1234};
    struct engine_reply reply;
    assert_int_equal(rig_verb(rig, ENGINE_BIND, &id, 1, noise, sizeof noise, NULL, &reply),
                     -EBADMSG);
    assert_int_equal(rig_verb(rig, ENGINE_BIND, &id, 1, NULL, 0, NULL, &reply), -EINVAL);
    assert_int_equal(rig_verb(rig, ENGINE_BIND, &id, 0, noise, sizeof noise, NULL, &reply),
                     -EINVAL);
}

static void test_hello_tells_versions(void **state)
{
    struct rig *rig = *state;
    struct engine_reply reply;
    assert_int_equal(rig_verb(rig, ENGINE_HELLO, NULL, 0, NULL, 0, NULL, &reply), 0);
    assert_int_equal(reply.word_count, 3);
    assert_int_equal(reply.words[0], ENGINE_PROTOCOL);
    assert_int_equal((uint32_t)reply.words[1], CORDON_PLAN_VERSION);
    assert_int_equal(reply.words[2], getpid());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_integers_of_every_width_keep_their_sign, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_floats_and_mixed_arguments, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            test_short_call_passes_arrays_where_they_lie_and_nowhere_else, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_arrays_go_in_and_come_back, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_strings_and_pointers_within_arguments, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_structs_by_value, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_errno_is_part_of_the_answer, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_hidden_state_stays_between_calls, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_bind_refuses_by_a_sentence, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_unbound_id_and_missing_words_are_refused, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_bytes_that_are_no_plan_are_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_hello_tells_versions, set_up, tear_down),
    };
    return cmocka_run_group_tests_name("engine", tests, NULL, NULL);
}
