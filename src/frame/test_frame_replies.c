/* SPDX-License-Identifier: Apache-2.0 */
/* Forged replies, and what is left of them: refused by a sentence, or cut where the caller's memory ends. */
#include "frame/test_trip.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* A call that went well, whose reply waits to be forged. */
static void check_lie(struct trip *trip, const struct cordon_value *args, size_t count,
                      const char *sentence)
{
    assert_int_equal(trip_decode(trip, args, count), -EBADMSG);
    assert_string_equal(trip->why.text, sentence);
    assert_null(trip->result.owned);
    assert_int_equal(trip->result.value.kind, CORDON_VALUE_NULL);
}

static int no_handle(void *context, const struct cordon_plan_type *type, uint64_t word,
                     struct cordon_handle *ret_handle)
{
    (void)context, (void)type, (void)word, (void)ret_handle;
    return -ESTALE;
}

static void test_handles_that_the_host_does_not_know_are_refused(void **state)
{
    (void)state;
    TRIP(result, "struct db *db_open(int x)");
    trip_perform(&result, NULL, ARGS(cordon_int(1)));
    result.host.word_to_handle = no_handle;
    result.reply_words[0] = 7ull << 32 | 1;
    check_lie(&result, ARGS(cordon_int(1)), "reply of 'db_open' holds no valid handle");
    trip_close(&result);
    TRIP(output, "void db_open(out struct db **db, out int *more)");
    struct cordon_handle handle = {9, 9, 9, 9};
    int32_t more = 9;
    const struct cordon_value args[] = {cordon_out(&handle, 1), cordon_out(&more, 1)};
    trip_perform(&output, NULL, args, 2);
    output.host.word_to_handle = no_handle;
    output.reply_words[0] = 7ull << 32 | 1;
    check_lie(&output, args, 2, "reply of 'db_open' holds no valid handle");
    assert_int_equal(handle.generation, 9);
    assert_int_equal(more, 9);
    trip_close(&output);
}

/* The worker decodes what the host answered to a callback: there, handles are objects. */
static void test_worker_decodes_handles_to_its_objects(void **state)
{
    (void)state;
    TRIP(trip, "void db_open(out struct db **db)");
    void *object = NULL;
    const struct cordon_value args[] = {cordon_out(&object, 1)};
    trip_perform(&trip, NULL, args, 1);
    trip.host = trip.worker;
    trip.reply_words[0] = 7ull << 32 | 0x40;
    MUST(trip, trip_decode(&trip, args, 1));
    assert_int_equal((uint32_t)(uintptr_t)object, 0x40);
    trip.reply_words[0] = 6ull << 32 | 0x80;
    assert_int_equal(trip_decode(&trip, args, 1), -116);
    assert_int_equal((uint32_t)(uintptr_t)object, 0x40);
    trip_close(&trip);
}

static void test_results_beyond_their_type_are_refused(void **state)
{
    (void)state;
    TRIP(mailbox, "int8_t f(int x)");
    trip_perform(&mailbox, NULL, ARGS(cordon_int(1)));
    mailbox.reply_words[0] = 128;
    check_lie(&mailbox, ARGS(cordon_int(1)), "reply of 'f' holds a number beyond its type");
    trip_close(&mailbox);
    TRIP(within, "within(s) char *f(const char *s)");
    trip_perform(&within, NULL, ARGS(cordon_string("four")));
    within.reply_words[0] = 7;
    check_lie(&within, ARGS(cordon_string("four")),
              "reply of 'f' points outside the argument that it belongs to");
    within.reply_words[0] = 6;
    MUST(within, trip_decode(&within, ARGS(cordon_string("four"))));
    assert_int_equal(within.result.value.u, 5);
    trip_close(&within);
}

static void test_pointer_within_null_is_refused(void **state)
{
    (void)state;
    TRIP(trip, "within(s) char *f(nullable const char *s)");
    trip_perform(&trip, NULL, ARGS(cordon_null()));
    trip.reply_words[0] = 2;
    check_lie(&trip, ARGS(cordon_null()),
              "reply of 'f' points outside the argument that it belongs to");
    trip_close(&trip);
    TRIP(room, "within(s) char *f(out char s[cap], size_t cap)");
    char s[8];
    const struct cordon_value args[] = {cordon_out(s, 8), cordon_uint(8)};
    trip_perform(&room, NULL, args, 2);
    room.reply_words[0] = 9;
    MUST(room, trip_decode(&room, args, 2));
    room.reply_words[0] = 10;
    check_lie(&room, args, 2, "reply of 'f' points outside the argument that it belongs to");
    trip_close(&room);
}

static void test_reply_without_memory_is_refused(void **state)
{
    (void)state;
    TRIP(trip, "void f(out uint8_t b[8])");
    uint8_t b[8] = {9};
    const struct cordon_value args[] = {cordon_out(b, 8)};
    trip_perform(&trip, NULL, args, 1);
    assert_int_equal(frame_decode(trip.plan, 0, args, 1, &trip.host, &trip.space, &trip.sent,
                                  trip.reply_words, NULL, &trip.result, &trip.why),
                     -EBADMSG);
    assert_string_equal(trip.why.text, "reply of 'f' has no memory");
    assert_int_equal(b[0], 9);
    trip_close(&trip);
}

static void test_words_need_no_space(void **state)
{
    (void)state;
    TRIP(trip, "int f(out int *x, const int *y)");
    int32_t x = 0;
    int32_t y = 5;
    const struct cordon_value args[] = {cordon_out(&x, 1), cordon_in(&y, 1)};
    trip_perform(&trip, NULL, args, 2);
    trip.reply_words[1] = 77;
    assert_int_equal(frame_decode(trip.plan, 0, args, 2, &trip.host, NULL, &trip.sent,
                                  trip.reply_words, NULL, &trip.result, &trip.why),
                     0);
    assert_int_equal(x, 77);
    assert_int_equal(y, 5);
    trip_close(&trip);
}

/* What the request laid out is all that is read, whatever the plan says. */
static void test_nothing_is_read_behind_the_replys_buffers(void **state)
{
    (void)state;
    static const char *const prototypes[] = {
        "void f(out uint8_t b[32])",
        "void f(out char b[cap], size_t cap)",
        "struct s { const char *s; int64_t n[3]; }; void f(out struct s *b)",
    };
    for (size_t i = 0; i < 3; i++) {
        TRIP(trip, prototypes[i]);
        uint8_t b[32] = {9};
        const struct cordon_value args[] = {cordon_out(b, i == 0   ? 32
                                                          : i == 1 ? 32
                                                                   : 1),
                                            cordon_uint(32)};
        trip_perform(&trip, NULL, args, trip.function->passed_count);
        trip.sent.reply_fixed = 32;
        MUST(trip, trip_decode(&trip, args, trip.function->passed_count));
        assert_int_equal(b[0], 9);
        trip_close(&trip);
    }
}

static void test_callers_null_takes_nothing(void **state)
{
    (void)state;
    TRIP(trip, "struct box { char *label; }; void f(nullable out uint8_t b[4], nullable out int *x,"
               " inout struct box *c)");
    char text[] = "text";
    char *label = text;
    const struct cordon_value args[] = {cordon_null(), cordon_null(), cordon_out(&label, 1)};
    trip_perform(&trip, NULL, args, 3);
    MUST(trip, trip_decode(&trip, args, 3));
    label = NULL; /* the caller took it away meanwhile */
    assert_int_equal(trip_decode(&trip, args, 3), -EFAULT);
    assert_null(label);
    assert_string_equal(text, "text");
    trip_close(&trip);
}

static void test_large_struct_by_value_is_owned(void **state)
{
    (void)state;
    TRIP(trip, "struct s { int64_t n[9]; }; struct s f(int x)");
    trip_perform(&trip, NULL, ARGS(cordon_int(1)));
    MUST(trip, trip_decode(&trip, ARGS(cordon_int(1))));
    assert_non_null(trip.result.owned);
    assert_ptr_equal(trip.result.value.memory, trip.result.owned);
    uint64_t good = trip.reply_words[0];
    trip.reply_words[0] = (good & UINT32_MAX) | 2ull << 32;
    free(trip.result.owned);
    trip.result.owned = NULL;
    check_lie(&trip, ARGS(cordon_int(1)), "reply of 'f' holds a result that is not there");
    trip_close(&trip);
}

static void test_va_list_before_an_output_moves_its_position(void **state)
{
    (void)state;
    TRIP(trip, "int f(const char *format, va_list list, out int *x)");
    int32_t x = 0;
    const struct cordon_value args[] = {cordon_string("%d%d"), cordon_int(1), cordon_int(2),
                                        cordon_out(&x, 1)};
    trip_perform(&trip, NULL, args, 4);
    trip.reply_words[1] = 78;
    MUST(trip, trip_decode(&trip, args, 4));
    assert_int_equal(x, 78);
    trip_close(&trip);
}

static void test_dots_without_arguments_are_decoded(void **state)
{
    (void)state;
    TRIP(trip, "int f(const char *format, ...)");
    trip_perform(&trip, NULL, ARGS(cordon_string("")));
    MUST(trip, trip_decode(&trip, ARGS(cordon_string(""))));
    trip_close(&trip);
}

/* Members that are no memory: handles and callbacks. */
static void test_members_in_words_come_back_judged(void **state)
{
    (void)state;
    TRIP(trip, "struct m { struct db *db; int (*cb)(int); const char *s; };"
               "void f(inout struct m *m, out struct m *fresh, const struct m *in)");
    void *m[3] = {NULL, (void *)0x5, NULL};
    void *fresh[3] = {(void *)1, (void *)2, (void *)3};
    const struct cordon_value args[] = {cordon_out(m, 1), cordon_out(fresh, 1), cordon_in(m, 1)};
    MUST(trip, trip_encode(&trip, args, 3));
    MUST(trip, trip_accept_by(&trip, &trip.worker));
    MUST(trip, trip_answer(&trip, NULL));
    uint64_t forged[3] = {7ull << 32 | 1, 0x4141, 5};
    memcpy(trip.reply + (trip.sent.words[0] >> 32), forged, sizeof forged);
    memcpy(trip.reply + (trip.sent.words[1] >> 32), forged, sizeof forged);
    MUST(trip, trip_decode(&trip, args, 3));
    assert_int_equal((uintptr_t)m[0], 7ull << 32 | 1);
    assert_ptr_equal(m[1], (void *)0x5); /* what the caller made of it */
    assert_null(m[2]);
    assert_int_equal((uintptr_t)fresh[0], 7ull << 32 | 1);
    assert_null(fresh[1]);
    assert_null(fresh[2]);
    trip.host = trip.worker;
    forged[0] = 6ull << 32;
    memcpy(trip.reply + (trip.sent.words[1] >> 32), forged, sizeof forged);
    assert_int_equal(trip_decode(&trip, args, 3), -116);
    trip_close(&trip);
}

static void test_string_in_the_arena_moves_within_it(void **state)
{
    (void)state;
    TRIP(trip, "struct box { const char *label; }; void f(inout struct box *b)");
    char *label = (char *)trip.arena + TRIP_ARENA - 8;
    memcpy(label, "text", 5);
    char *box = label;
    const struct cordon_value args[] = {cordon_out(&box, 1)};
    trip_perform(&trip, NULL, args, 1);
    memset(label, 'x', 16); /* its end is gone: it ends where the arena does */
    uint8_t *reply = trip.reply + (trip.sent.words[0] >> 32);
    memcpy(reply, &(uint64_t){9}, 8);
    MUST(trip, trip_decode(&trip, args, 1));
    assert_ptr_equal(box, label + 8);
    box = label;
    memcpy(reply, &(uint64_t){11}, 8);
    MUST(trip, trip_decode(&trip, args, 1));
    assert_ptr_equal(box, label);
    trip_close(&trip);
}

static void test_list_in_the_arena_has_an_inside(void **state)
{
    (void)state;
    TRIP(trip, "within(words) char *f(const char *words[null])");
    char **words = (char **)(void *)(trip.arena + TRIP_ARENA - 24);
    words[0] = words[1] = (char *)trip.arena;
    words[2] = NULL;
    const struct cordon_value args[] = {cordon_in(words, 2)};
    MUST(trip, trip_encode(&trip, args, 1));
    trip.reply_words[0] = 17;
    MUST(trip, trip_decode(&trip, args, 1));
    assert_int_equal(trip.result.value.u, 16);
    words[2] = (char *)trip.arena; /* without an end: that of the arena */
    trip.reply_words[0] = 25;
    MUST(trip, trip_decode(&trip, args, 1));
    trip.reply_words[0] = 26;
    check_lie(&trip, args, 1, "reply of 'f' points outside the argument that it belongs to");
    trip_close(&trip);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_handles_that_the_host_does_not_know_are_refused),
        cmocka_unit_test(test_worker_decodes_handles_to_its_objects),
        cmocka_unit_test(test_results_beyond_their_type_are_refused),
        cmocka_unit_test(test_pointer_within_null_is_refused),
        cmocka_unit_test(test_reply_without_memory_is_refused),
        cmocka_unit_test(test_words_need_no_space),
        cmocka_unit_test(test_nothing_is_read_behind_the_replys_buffers),
        cmocka_unit_test(test_callers_null_takes_nothing),
        cmocka_unit_test(test_large_struct_by_value_is_owned),
        cmocka_unit_test(test_va_list_before_an_output_moves_its_position),
        cmocka_unit_test(test_dots_without_arguments_are_decoded),
        cmocka_unit_test(test_members_in_words_come_back_judged),
        cmocka_unit_test(test_string_in_the_arena_moves_within_it),
        cmocka_unit_test(test_list_in_the_arena_has_an_inside),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
