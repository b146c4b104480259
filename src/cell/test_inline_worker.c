/* SPDX-License-Identifier: Apache-2.0 */
#include "cell/inline_worker.h"

#include <errno.h>
#include <malloc.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/limits.h"
#include "cell/lost.h"
#include "cell/test_child.h"
#include "cell/test_library.h"
#include "faults/faults.h"

#define CALLBACK_ID 7u

/* ---- A host ------------------------------------------------------------------------------------ */

struct host {
    struct inline_worker *worker;
    int (*on_callback)(struct host *host, struct engine_exchange *exchange);
    int asked;
    int inner_end; /* of a call from inside the callback */
    struct fault inner_fault;
};

static int ask(void *context, struct engine_exchange *exchange)
{
    struct host *host = context;
    CHECK(exchange->callback_id == CALLBACK_ID);
    host->asked++;
    return host->on_callback(host, exchange);
}

static void open_host(struct host *host,
                      int (*on_callback)(struct host *, struct engine_exchange *))
{
    *host = (struct host){.on_callback = on_callback};
    struct inline_worker_options options = {
        .resolve = library_resolve,
        .ask = ask,
        .ask_context = host,
    };
    CHECK(inline_worker_new(&options, &host->worker, NULL) == 0);
}

static int execute(struct host *host, const struct engine_request *request,
                   struct engine_reply *ret_reply, struct fault *ret_fault)
{
    memset(ret_reply, 0xee, sizeof(*ret_reply)); /* what was not filled shows */
    return inline_worker_execute(host->worker, request, ret_reply, ret_fault);
}

static void bind(struct host *host, enum library_function function)
{
    size_t bytes;
    const void *plan = library_plan(function, &bytes);
    uint64_t id = function;
    uint8_t text[1024];
    struct engine_reply reply;
    struct engine_request request = {
        .function_id = ENGINE_BIND,
        .word_count = 1,
        .words = &id,
        .bytes = plan,
        .byte_count = (uint32_t)bytes,
        .reply = text,
        .reply_bytes_max = sizeof(text),
    };
    CHECK(execute(host, &request, &reply, NULL) == INLINE_DONE);
    CHECK(reply.status == 0);
}

/* Bind and call with @first and @second as words. Returns the inline_end. */
static int begin(struct host *host, enum library_function function, uint64_t first, uint64_t second,
                 struct engine_reply *ret_reply, struct fault *ret_fault)
{
    uint64_t words[2] = {first, second};
    struct engine_request request = {.function_id = function, .word_count = 2, .words = words};
    return execute(host, &request, ret_reply, ret_fault);
}

static int call(struct host *host, enum library_function function, int value)
{
    struct engine_reply reply;
    bind(host, function);
    CHECK(begin(host, function, (uint64_t)(int64_t)value, 0, &reply, NULL) == INLINE_DONE);
    CHECK(reply.status == 0);
    return (int)reply.words[0];
}

/* ---- Calls ------------------------------------------------------------------------------------- */

static int no_callback(struct host *host, struct engine_exchange *exchange)
{
    (void)host;
    (void)exchange;
    CHECK(!"a callback was not expected");
    return -ECANCELED;
}

static void calls(void)
{
    struct host host;
    struct engine_reply reply;
    open_host(&host, no_callback);
    CHECK(call(&host, LIBRARY_TWICE, 21) == 42);
    bind(&host, LIBRARY_SET_ERRNO);
    CHECK(begin(&host, LIBRARY_SET_ERRNO, EDOM, 0, &reply, NULL) == INLINE_DONE);
    CHECK((int)reply.words[0] == -1 && reply.error_number == EDOM);
    inline_worker_free(host.worker);
}

static void test_calls_run_on_the_callers_thread(void **state)
{
    (void)state;
    assert_int_equal(in_child(calls), 0);
}

/* ---- Callbacks --------------------------------------------------------------------------------- */

static int answer_twice(struct host *host, struct engine_exchange *exchange)
{
    CHECK(exchange->request.word_count == 1);
    exchange->reply_words[0] = (uint64_t)call(host, LIBRARY_TWICE, (int)exchange->request.words[0]);
    return 0;
}

static void callback_with_nested_call(void)
{
    struct host host;
    struct engine_reply reply;
    open_host(&host, answer_twice);
    bind(&host, LIBRARY_APPLY);
    for (int i = 0; i < 3; i++) {
        CHECK(begin(&host, LIBRARY_APPLY, CALLBACK_ID, 20, &reply, NULL) == INLINE_DONE);
        CHECK(reply.status == 0 && (int)reply.words[0] == 41);
    }
    CHECK(host.asked == 3);
    inline_worker_free(host.worker);
}

static void test_callback_is_asked_and_may_call_again(void **state)
{
    (void)state;
    assert_int_equal(in_child(callback_with_nested_call), 0);
}

/* Call back again from inside, until the engine or the worker says no. */
static int answer_deeper(struct host *host, struct engine_exchange *exchange)
{
    struct engine_reply reply;
    CHECK(begin(host, LIBRARY_APPLY_SAFE, CALLBACK_ID, 0, &reply, NULL) == INLINE_DONE);
    exchange->reply_words[0] = reply.words[0];
    return 0;
}

static void callbacks_to_the_limit(void)
{
    struct host host;
    struct engine_reply reply;
    open_host(&host, answer_deeper);
    bind(&host, LIBRARY_APPLY_SAFE);
    CHECK(begin(&host, LIBRARY_APPLY_SAFE, CALLBACK_ID, 0, &reply, NULL) == INLINE_DONE);
    CHECK(host.asked == LIMIT_DEPTH);
    inline_worker_free(host.worker);
}

static void test_callbacks_nest_up_to_the_limit(void **state)
{
    (void)state;
    assert_int_equal(in_child(callbacks_to_the_limit), 0);
}

static int answer_canceled(struct host *host, struct engine_exchange *exchange)
{
    (void)host;
    (void)exchange;
    return -ECANCELED;
}

static void callback_fails_as_declared(void)
{
    struct host host;
    struct engine_reply reply;
    open_host(&host, answer_canceled);
    bind(&host, LIBRARY_APPLY_SAFE);
    CHECK(begin(&host, LIBRARY_APPLY_SAFE, CALLBACK_ID, 20, &reply, NULL) == INLINE_DONE);
    CHECK((int)reply.words[0] == -4);
    inline_worker_free(host.worker);
}

static void test_failed_callback_returns_its_declared_value(void **state)
{
    (void)state;
    assert_int_equal(in_child(callback_fails_as_declared), 0);
}

static void callback_fails_without_value(void)
{
    struct host host;
    struct engine_reply reply;
    open_host(&host, answer_canceled);
    bind(&host, LIBRARY_APPLY);
    for (int i = 0; i < 2; i++) { /* it stays broken */
        CHECK(begin(&host, LIBRARY_APPLY, CALLBACK_ID, 20, &reply, NULL) == INLINE_ABANDONED);
        CHECK(host.asked == 1);
    }
    inline_worker_free(host.worker);
}

static void test_failed_callback_without_declared_value_abandons_the_call(void **state)
{
    (void)state;
    assert_int_equal(in_child(callback_fails_without_value), 0);
}

static size_t heap_bytes(void)
{
    struct mallinfo2 heap = mallinfo2();
    return heap.uordblks + heap.hblkhd;
}

/* What was made for the calls that never come back, and the engine, are given back. */
static void abandoned_calls_again_and_again(void)
{
    size_t before = 0;
    for (int i = 0; i < 400; i++) {
        callback_fails_without_value();
        before = i == 20 ? heap_bytes() : before;
    }
    CHECK(heap_bytes() < before + 16384);
    CHECK(lost_count() == 0);
}

static int answer_by_abandoned_call(struct host *host, struct engine_exchange *exchange)
{
    struct engine_reply reply;
    (void)exchange;
    if (host->asked > 1) {
        return -ECANCELED;
    }
    host->inner_end = begin(host, LIBRARY_APPLY, CALLBACK_ID, 20, &reply, NULL);
    return 0;
}

static void abandoned_inside(void)
{
    size_t before = 0;
    for (int i = 0; i < 200; i++) {
        struct host host;
        struct engine_reply reply;
        open_host(&host, answer_by_abandoned_call);
        bind(&host, LIBRARY_APPLY);
        CHECK(begin(&host, LIBRARY_APPLY, CALLBACK_ID, 20, &reply, NULL) == INLINE_ABANDONED);
        CHECK(host.inner_end == INLINE_ABANDONED);
        inline_worker_free(host.worker);
        before = i == 20 ? heap_bytes() : before;
    }
    CHECK(heap_bytes() < before + 16384);
}

static void test_abandoned_calls_leave_no_memory_behind(void **state)
{
    (void)state;
    assert_int_equal(in_child(abandoned_calls_again_and_again), 0);
    assert_int_equal(in_child(abandoned_inside), 0);
}

/* ---- Faults ------------------------------------------------------------------------------------ */

static void expect_fault(enum library_function function, int signal)
{
    struct host host;
    struct engine_reply reply;
    struct fault fault = {0};
    open_host(&host, no_callback);
    bind(&host, function);
    for (int i = 0; i < 2; i++) { /* the second time nothing runs */
        fault.signal = 0;
        CHECK(begin(&host, function, 1, 0, &reply, &fault) == INLINE_FAULTED);
        CHECK(fault.signal == signal);
        CHECK(fault.stack_overflow == (function == LIBRARY_OVERFLOW));
    }
    inline_worker_free(host.worker);
    open_host(&host, no_callback);
    CHECK(call(&host, LIBRARY_TWICE, 4) == 8);
    inline_worker_free(host.worker);
}

static void each_fault(void)
{
    expect_fault(LIBRARY_NULL_READ, SIGSEGV);
    expect_fault(LIBRARY_BUS, SIGBUS);
    expect_fault(LIBRARY_FPE, SIGFPE);
    expect_fault(LIBRARY_ILL, SIGILL);
    expect_fault(LIBRARY_ABORT, SIGABRT);
    expect_fault(LIBRARY_OVERFLOW, SIGSEGV);
}

static void test_fault_is_returned_and_a_new_worker_serves_on(void **state)
{
    (void)state;
    assert_int_equal(in_child(each_fault), 0);
}

/* What a fault leaves cannot be freed: there is an end to it. */
static void faults_until_the_limit(void)
{
    struct host host;
    struct engine_reply reply;
    struct fault fault;
    struct message why = {""};
    for (uint32_t i = 0; i < LIMIT_LOST_WORKERS; i++) {
        open_host(&host, no_callback);
        bind(&host, LIBRARY_NULL_READ);
        CHECK(begin(&host, LIBRARY_NULL_READ, 1, 0, &reply, &fault) == INLINE_FAULTED);
        inline_worker_free(host.worker);
    }
    CHECK(lost_count() == LIMIT_LOST_WORKERS);
    struct inline_worker_options options = {.resolve = library_resolve, .ask = ask};
    CHECK(inline_worker_new(&options, &host.worker, &why) == -EAGAIN);
    CHECK(strstr(why.text, "LIMIT_LOST_WORKERS"));
}

static void test_after_many_faults_no_more_workers_are_started(void **state)
{
    (void)state;
    assert_int_equal(in_child(faults_until_the_limit), 0);
}

static int answer_by_faulting_call(struct host *host, struct engine_exchange *exchange)
{
    struct engine_reply reply;
    host->inner_end = begin(host, LIBRARY_NULL_READ, 0, 0, &reply, &host->inner_fault);
    exchange->reply_words[0] = 1; /* the callback goes on to its end, and its answer is not used */
    return 0;
}

static void fault_in_nested_call(void)
{
    struct host host;
    struct engine_reply reply;
    struct fault fault = {0};
    open_host(&host, answer_by_faulting_call);
    bind(&host, LIBRARY_APPLY);
    bind(&host, LIBRARY_NULL_READ);
    CHECK(begin(&host, LIBRARY_APPLY, CALLBACK_ID, 20, &reply, &fault) == INLINE_FAULTED);
    CHECK(host.inner_end == INLINE_FAULTED && host.inner_fault.signal == SIGSEGV);
    CHECK(fault.signal == SIGSEGV);
    inline_worker_free(host.worker);
}

static void test_fault_in_a_nested_call_ends_both_calls_but_not_the_callback(void **state)
{
    (void)state;
    assert_int_equal(in_child(fault_in_nested_call), 0);
}

static int answer_by_faulting(struct host *host, struct engine_exchange *exchange)
{
    (void)host;
    exchange->reply_words[0] = (uint64_t)fault_null_read(0);
    return 0;
}

static void fault_of_the_host(void)
{
    struct host host;
    struct engine_reply reply;
    struct fault fault;
    open_host(&host, answer_by_faulting);
    bind(&host, LIBRARY_APPLY);
    (void)begin(&host, LIBRARY_APPLY, CALLBACK_ID, 20, &reply, &fault);
}

static void test_fault_in_the_hosts_callback_is_the_hosts(void **state)
{
    (void)state;
    int status = in_child(fault_of_the_host);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGSEGV);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_calls_run_on_the_callers_thread),
        cmocka_unit_test(test_callback_is_asked_and_may_call_again),
        cmocka_unit_test(test_callbacks_nest_up_to_the_limit),
        cmocka_unit_test(test_failed_callback_returns_its_declared_value),
        cmocka_unit_test(test_failed_callback_without_declared_value_abandons_the_call),
        cmocka_unit_test(test_abandoned_calls_leave_no_memory_behind),
        cmocka_unit_test(test_after_many_faults_no_more_workers_are_started),
        cmocka_unit_test(test_fault_is_returned_and_a_new_worker_serves_on),
        cmocka_unit_test(test_fault_in_a_nested_call_ends_both_calls_but_not_the_callback),
        cmocka_unit_test(test_fault_in_the_hosts_callback_is_the_hosts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
