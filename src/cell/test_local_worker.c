/* SPDX-License-Identifier: Apache-2.0 */
#include "cell/local_worker.h"

#include <errno.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/limits.h"
#include "cell/test_child.h"
#include "cell/test_library.h"
#include "frame/frame.h"
#include "invoke/engine.h"

#define MEMORY_BYTES  (1u << 20)
#define PATIENCE_NS   (5 * CLOCK_SECOND_NS)
#define IMPATIENCE_NS (20 * CLOCK_MS_NS)
#define CALLBACK_ID   7u

/* ---- A host ------------------------------------------------------------------------------------ */

struct host {
    struct lane *lane;
    struct local_worker *worker;
};

static int try_open(struct host *host, struct message *why)
{
    struct lane_options lane_options = {
        .h_bytes = MEMORY_BYTES,
        .w_bytes = MEMORY_BYTES,
        .wake = LANE_WAKE_FUTEX,
        .private_memory = true,
    };
    CHECK(lane_open(&lane_options, &host->lane) == 0);
    struct local_worker_options options = {
        .lane = host->lane,
        .h_bytes = MEMORY_BYTES,
        .w_bytes = MEMORY_BYTES,
        .resolve = library_resolve,
    };
    int r = local_worker_start(&options, &host->worker, why);
    if (r < 0) {
        lane_close(host->lane);
    }
    return r;
}

static struct host open_host(void)
{
    struct host host;
    CHECK(try_open(&host, NULL) == 0);
    return host;
}

static void close_host(struct host *host)
{
    (void)lane_condemn(host->lane, LANE_CLOSED, 0);
    CHECK(local_worker_stop(host->worker, PATIENCE_NS));
    CHECK(lane_await_gone(host->lane, 0));
    lane_close(host->lane);
}

static uint32_t submit(struct host *host, const struct lane_message *message)
{
    uint32_t seq;
    CHECK(lane_submit(host->lane, message, CLOCK_NEVER, true, &seq) == 0);
    return seq;
}

static int await(struct host *host, uint32_t seq, struct lane_event *ret_event)
{
    return lane_await(host->lane, seq, clock_after_ns(PATIENCE_NS), NULL, NULL, ret_event);
}

static void bind(struct host *host, enum library_function function)
{
    size_t bytes;
    const void *plan = library_plan(function, &bytes);
    struct lane_room room;
    struct lane_event event;
    CHECK(lane_room_new(host->lane, (uint32_t)bytes, 1024, &room) == 0);
    memcpy(lane_room_h(host->lane, &room), plan, bytes);
    struct lane_message message = {
        .verb = LANE_CALL_BYTES,
        .tag = ENGINE_BIND,
        .words = {lane_place(room.h_at, (uint32_t)bytes), lane_place(room.w_at, room.w_bytes),
                  (uint64_t)function},
    };
    uint32_t seq = submit(host, &message);
    CHECK(await(host, seq, &event) == LANE_CAME);
    CHECK(event.verb == LANE_RETURN && event.status == 0);
    lane_collect(host->lane, seq);
    lane_room_free(host->lane, &room);
}

static struct lane_message call_of(enum library_function function, uint64_t first, uint64_t second)
{
    return (struct lane_message){.verb = LANE_CALL, .tag = function, .words = {first, second}};
}

/* Bind and begin. */
static uint32_t begin(struct host *host, enum library_function function, uint64_t first,
                      uint64_t second)
{
    bind(host, function);
    struct lane_message message = call_of(function, first, second);
    return submit(host, &message);
}

/* The int that call @seq returns. */
static int result_of(struct host *host, uint32_t seq, int *ret_errno)
{
    struct lane_event event;
    CHECK(await(host, seq, &event) == LANE_CAME);
    CHECK(event.verb == LANE_RETURN && event.status == 0);
    if (ret_errno != NULL) {
        *ret_errno = (int)event.tag;
    }
    lane_collect(host->lane, seq);
    return (int)event.words[0];
}

static int call(struct host *host, enum library_function function, int value)
{
    return result_of(host, begin(host, function, (uint64_t)(int64_t)value, 0), NULL);
}

/* ---- Calls ------------------------------------------------------------------------------------- */

static void calls(void)
{
    struct host host = open_host();
    int error_number;
    CHECK(call(&host, LIBRARY_TWICE, 21) == 42);
    CHECK(call(&host, LIBRARY_TWICE, -4) == -8);
    CHECK(result_of(&host, begin(&host, LIBRARY_SET_ERRNO, EDOM, 0), &error_number) == -1);
    CHECK(error_number == EDOM);
    close_host(&host);
}

static void test_thread_serves_calls_and_is_gone_after_stop(void **state)
{
    (void)state;
    assert_int_equal(in_child(calls), 0);
}

static void surroundings(void)
{
    struct host host = open_host();
    CHECK(call(&host, LIBRARY_NAMED, 0) == 1);
    static const int asynchronous[] = {SIGTERM, SIGINT, SIGUSR1, SIGCHLD, SIGALRM, SIGURG};
    for (size_t i = 0; i < sizeof(asynchronous) / sizeof(asynchronous[0]); i++) {
        CHECK(call(&host, LIBRARY_BLOCKS, asynchronous[i]) == 1);
    }
    CHECK(call(&host, LIBRARY_BLOCKS, SIGSEGV) == 0);
    close_host(&host);
}

static void test_thread_is_named_and_takes_no_signals_from_the_host(void **state)
{
    (void)state;
    assert_int_equal(in_child(surroundings), 0);
}

/* ---- Callbacks --------------------------------------------------------------------------------- */

static uint32_t begin_callback(struct host *host, enum library_function function,
                               struct lane_event *ret_event)
{
    uint32_t seq = begin(host, function, CALLBACK_ID, 20);
    CHECK(await(host, seq, ret_event) == LANE_CAME);
    CHECK(ret_event->verb == LANE_CALLBACK && ret_event->tag == CALLBACK_ID);
    return seq;
}

static void answer(struct host *host, uint32_t seq, int32_t status, uint64_t word)
{
    struct lane_message message = {
        .verb = LANE_CALLBACK_RETURN,
        .words = {word},
        .status_bytes = (uint64_t)(uint32_t)status << 32,
    };
    CHECK(lane_continue(host->lane, seq, &message) == 0);
}

static void callback_with_nested_call(void)
{
    struct host host = open_host();
    struct lane_event event;
    bind(&host, LIBRARY_TWICE);
    uint32_t seq = begin_callback(&host, LIBRARY_APPLY, &event);
    CHECK(event.words[1] >> 32 == 1 && event.words[2] == 20);
    struct lane_message nested = call_of(LIBRARY_TWICE, event.words[2], 0);
    CHECK(lane_continue(host.lane, seq, &nested) == 0);
    CHECK(await(&host, seq, &event) == LANE_CAME);
    CHECK(event.verb == LANE_RETURN && event.words[0] == 40);
    answer(&host, seq, 0, event.words[0]);
    CHECK(result_of(&host, seq, NULL) == 41);
    CHECK(call(&host, LIBRARY_TWICE, 1) == 2);
    close_host(&host);
}

static void test_callback_reaches_the_host_and_may_call_back(void **state)
{
    (void)state;
    assert_int_equal(in_child(callback_with_nested_call), 0);
}

static void callback_with_six_words(void)
{
    struct host host = open_host();
    struct lane_event event;
    uint32_t seq = begin_callback(&host, LIBRARY_APPLY_SIX, &event);
    struct lane_room place = {.w_at = (uint32_t)event.words[0],
                              .w_bytes = (uint32_t)(event.words[0] >> 32)};
    struct frame_header header;
    uint64_t words[6];
    CHECK(place.w_bytes == sizeof(header) + sizeof(words));
    const void *frame = (const void *)(uintptr_t)lane_room_w(host.lane, &place);
    memcpy(&header, frame, sizeof(header));
    memcpy(words, (const uint8_t *)frame + sizeof(header), sizeof(words));
    CHECK(header.magic == FRAME_MAGIC && header.word_count == 6);
    for (uint64_t i = 0; i < 6; i++) {
        CHECK(words[i] == i + 1);
    }
    answer(&host, seq, 0, 99);
    CHECK(result_of(&host, seq, NULL) == 99);
    close_host(&host);
}

static void test_callback_with_more_words_than_the_mail_has_travels_as_a_frame(void **state)
{
    (void)state;
    assert_int_equal(in_child(callback_with_six_words), 0);
}

static void callback_fails_as_declared(void)
{
    struct host host = open_host();
    struct lane_event event;
    uint32_t seq = begin_callback(&host, LIBRARY_APPLY_SAFE, &event);
    answer(&host, seq, -ECANCELED, 0);
    CHECK(result_of(&host, seq, NULL) == -4);
    close_host(&host);
}

static void test_failed_callback_returns_its_declared_value(void **state)
{
    (void)state;
    assert_int_equal(in_child(callback_fails_as_declared), 0);
}

static void callback_fails_without_value(void)
{
    struct host host = open_host();
    struct lane_event event;
    uint32_t blamed;
    uint32_t seq = begin_callback(&host, LIBRARY_APPLY, &event);
    answer(&host, seq, -ECANCELED, 0);
    CHECK(await(&host, seq, &event) == LANE_VERDICT);
    CHECK(lane_verdict(host.lane, &blamed, NULL) == LANE_FAILED);
    CHECK(blamed == seq);
    close_host(&host);
}

static void test_failed_callback_without_declared_value_ends_the_lane(void **state)
{
    (void)state;
    assert_int_equal(in_child(callback_fails_without_value), 0);
}

static void callback_from_another_thread(void)
{
    struct host host = open_host();
    struct lane_event event;
    uint32_t seq = begin(&host, LIBRARY_APPLY_THREAD, CALLBACK_ID, 0);
    CHECK(await(&host, seq, &event) == LANE_VERDICT);
    CHECK(lane_verdict(host.lane, NULL, NULL) == LANE_FAILED);
    CHECK(!local_worker_stop(host.worker, IMPATIENCE_NS)); /* it joins a thread that was stopped */
}

static void test_callback_from_a_thread_of_the_library_ends_the_lane_not_the_host(void **state)
{
    (void)state;
    assert_int_equal(in_child(callback_from_another_thread), 0);
}

static void verdict_inside_callback(void)
{
    struct host host = open_host();
    struct lane_event event;
    uint32_t seq = begin_callback(&host, LIBRARY_APPLY, &event);
    CHECK(lane_condemn(host.lane, LANE_DEADLINE, seq));
    close_host(&host);
    CHECK(local_worker_quarantined() == 0);
}

static void test_verdict_during_a_callback_frees_the_thread(void **state)
{
    (void)state;
    assert_int_equal(in_child(verdict_inside_callback), 0);
}

/* ---- Faults ------------------------------------------------------------------------------------ */

static void expect_death(enum library_function function, int signal)
{
    struct host host = open_host();
    struct lane_event event;
    struct lane_death death;
    uint32_t blamed;
    CHECK(call(&host, LIBRARY_TWICE, 3) == 6);
    uint32_t seq = begin(&host, function, 1, 0);
    CHECK(await(&host, seq, &event) == LANE_VERDICT);
    CHECK(lane_verdict(host.lane, &blamed, &death) == LANE_DIED);
    CHECK(blamed == seq);
    CHECK(death.code == CLD_KILLED && death.status == signal);
    CHECK((strstr(death.text, "stack overflow") != NULL) == (function == LIBRARY_OVERFLOW));
    close_host(&host);
}

static void each_death(void)
{
    expect_death(LIBRARY_NULL_READ, SIGSEGV);
    expect_death(LIBRARY_BUS, SIGBUS);
    expect_death(LIBRARY_FPE, SIGFPE);
    expect_death(LIBRARY_ILL, SIGILL);
    expect_death(LIBRARY_ABORT, SIGABRT);
    expect_death(LIBRARY_OVERFLOW, SIGSEGV);
    expect_death(LIBRARY_ABORT, SIGABRT);
}

static void test_fault_gives_the_verdict_died_with_its_signal(void **state)
{
    (void)state;
    assert_int_equal(in_child(each_death), 0);
}

static void fault_in_nested_call(void)
{
    struct host host = open_host();
    struct lane_event event;
    struct lane_death death;
    bind(&host, LIBRARY_NULL_READ);
    uint32_t seq = begin_callback(&host, LIBRARY_APPLY, &event);
    struct lane_message nested = call_of(LIBRARY_NULL_READ, 0, 0);
    CHECK(lane_continue(host.lane, seq, &nested) == 0);
    CHECK(await(&host, seq, &event) == LANE_VERDICT);
    CHECK(lane_verdict(host.lane, NULL, &death) == LANE_DIED);
    CHECK(death.status == SIGSEGV);
    close_host(&host);
}

static void test_fault_in_a_nested_call_ends_the_whole_conversation(void **state)
{
    (void)state;
    assert_int_equal(in_child(fault_in_nested_call), 0);
}

/* ---- Quarantine -------------------------------------------------------------------------------- */

static void await_spinning(int count)
{
    uint64_t until_ns = clock_after_ns(PATIENCE_NS);
    while (library_spinning < count) {
        CHECK(clock_now_ns() < until_ns);
        (void)sched_yield();
    }
}

static void await_no_quarantine(void)
{
    uint64_t until_ns = clock_after_ns(PATIENCE_NS);
    while (local_worker_quarantined() > 0) {
        CHECK(clock_now_ns() < until_ns);
        (void)sched_yield();
    }
}

static void run_away(uint32_t count)
{
    struct host host = open_host();
    uint32_t seq = begin(&host, LIBRARY_SPIN, 0, 0);
    await_spinning((int)count);
    CHECK(lane_condemn(host.lane, LANE_DEADLINE, seq));
    CHECK(!local_worker_stop(host.worker, IMPATIENCE_NS));
    CHECK(local_worker_quarantined() == count);
}

static void come_back(void)
{
    run_away(1);
    library_released = 1;
    await_no_quarantine();
    struct host host = open_host();
    CHECK(call(&host, LIBRARY_TWICE, 5) == 10);
    close_host(&host);
}

static void test_runaway_thread_is_quarantined_until_it_comes_back(void **state)
{
    (void)state;
    assert_int_equal(in_child(come_back), 0);
}

static void reach_limit(void)
{
    struct host host;
    struct message why = {{0}};
    for (uint32_t count = 1; count <= LIMIT_QUARANTINED_THREADS; count++) {
        run_away(count);
    }
    CHECK(try_open(&host, &why) == -EAGAIN);
    CHECK(strstr(why.text, "LIMIT_QUARANTINED_THREADS") != NULL);
    library_released = 1;
    await_no_quarantine();
    host = open_host();
    close_host(&host);
}

static void test_start_is_refused_by_name_when_too_many_threads_ran_away(void **state)
{
    (void)state;
    assert_int_equal(in_child(reach_limit), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_thread_serves_calls_and_is_gone_after_stop),
        cmocka_unit_test(test_thread_is_named_and_takes_no_signals_from_the_host),
        cmocka_unit_test(test_callback_reaches_the_host_and_may_call_back),
        cmocka_unit_test(test_callback_with_more_words_than_the_mail_has_travels_as_a_frame),
        cmocka_unit_test(test_failed_callback_returns_its_declared_value),
        cmocka_unit_test(test_failed_callback_without_declared_value_ends_the_lane),
        cmocka_unit_test(test_callback_from_a_thread_of_the_library_ends_the_lane_not_the_host),
        cmocka_unit_test(test_verdict_during_a_callback_frees_the_thread),
        cmocka_unit_test(test_fault_gives_the_verdict_died_with_its_signal),
        cmocka_unit_test(test_fault_in_a_nested_call_ends_the_whole_conversation),
        cmocka_unit_test(test_runaway_thread_is_quarantined_until_it_comes_back),
        cmocka_unit_test(test_start_is_refused_by_name_when_too_many_threads_ran_away),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
