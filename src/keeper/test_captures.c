/* SPDX-License-Identifier: Apache-2.0 */
/* The real keeper: what is taken from workers before they end, and how often. */
#include "keeper/test_scene.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/clock.h"
#include "keeper/taking.h"
#include "report/registers.h"

static struct scene scene;

static int open_scene(void **state)
{
    (void)state;
    scene_open(&scene, true);
    return 0;
}

static int close_scene(void **state)
{
    (void)state;
    scene_close(&scene);
    return 0;
}

/* A capture, read; bytes to be freed. */
struct content {
    uint8_t *bytes;
    struct capture_reason reason;
    uint32_t counts[CAPTURE_KIND_COUNT];
    struct capture_thread blamed; /* the last that is */
    uint64_t blamed_stack;        /* where its bytes begin */
    uint64_t blamed_stack_bytes;
    uint64_t memory[4]; /* where memory was taken */
    char maps[64];      /* how they begin */
    char notes[512];
};

static void add_part(struct content *content, const struct capture_part *part)
{
    uint32_t count = content->counts[part->kind]++;
    if (part->kind == CAPTURE_THREAD) {
        struct capture_thread thread;
        assert_int_equal(part->bytes, sizeof thread);
        memcpy(&thread, part->data, sizeof thread);
        if (thread.flags & CAPTURE_THREAD_BLAMED) {
            content->blamed = thread;
        }
    } else if (part->kind == CAPTURE_STACK && part->tid == content->reason.tid) {
        content->blamed_stack = part->address;
        content->blamed_stack_bytes = part->bytes;
    } else if (part->kind == CAPTURE_MEMORY && count < 4) {
        content->memory[count] = part->address;
    } else if (part->kind == CAPTURE_MAPS) {
        (void)snprintf(content->maps, sizeof content->maps, "%.*s", 20, (const char *)part->data);
    } else if (part->kind == CAPTURE_NOTE) {
        size_t used = strlen(content->notes);
        (void)snprintf(content->notes + used, sizeof content->notes - used, "%.*s\n",
                       (int)part->bytes, (const char *)part->data);
    }
}

static void read_capture(uint32_t number, struct content *content)
{
    struct capture_reader reader;
    struct capture_part part;
    uint64_t bytes;
    int r;
    memset(content, 0, sizeof *content);
    content->bytes = scene_await_capture(&scene, number, &bytes);
    assert_int_equal(capture_read(&reader, content->bytes, bytes, &content->reason), 0);
    while ((r = capture_next(&reader, &part)) == 1) {
        add_part(content, &part);
    }
    assert_int_equal(r, 0);
}

static void test_crash_is_taken_with_registers_stack_and_memory(void **state)
{
    (void)state;
    struct actor actor;
    struct content content;
    scene_start(&scene, "threads:2;crash:w1234", &actor);
    assert_int_equal(actor_await_verdict(&actor, NULL), LANE_DIED);
    read_capture(0, &content);
    assert_int_equal(content.reason.why, CAPTURE_WHY_CRASH);
    assert_int_equal(content.reason.signal, SIGSEGV);
    assert_int_equal(content.reason.fault_address, 0x1234);
    assert_int_equal(content.reason.report_id, 1001);
    assert_string_equal(content.reason.text, "segmentation fault writing address 0x1234");
    assert_int_equal(content.counts[CAPTURE_THREAD], 3);
    assert_int_equal(content.counts[CAPTURE_STACK], 3);
    assert_int_equal(content.counts[CAPTURE_SIGINFO], 1);
    assert_int_equal(content.counts[CAPTURE_LANE], 1);
    assert_int_equal(content.counts[CAPTURE_STATUS], 1);
    assert_int_equal(content.counts[CAPTURE_LIMITS], 1);
    uint64_t pointer = content.blamed.registers[CAPTURE_REGISTER_SP];
    assert_true(content.blamed_stack <= pointer &&
                content.blamed_stack + content.blamed_stack_bytes > pointer + 256);
    uint64_t counter = content.blamed.registers[CAPTURE_REGISTER_PC];
    assert_true(content.memory[0] <= counter && counter - content.memory[0] <= 128);
    assert_non_null(strchr(content.maps, '-'));
    assert_non_null(strstr(content.notes, "nothing is mapped at 0x1234"));
    free(content.bytes);
    actor_close(&actor);
}

static void submit_late(const struct actor *actor, uint64_t *ret_deadline)
{
    struct lane_message message = {.verb = LANE_CALL, .tag = 17};
    uint32_t seq;
    *ret_deadline = clock_after_ns(20 * CLOCK_MS_NS);
    assert_int_equal(lane_submit(actor->lane, &message, *ret_deadline, true, &seq), 0);
    scene_send(&scene, actor, ERRAND_WATCH);
}

static void test_hang_is_taken_with_all_threads(void **state)
{
    (void)state;
    struct actor actor;
    struct content content;
    uint64_t deadline;
    scene_start(&scene, "threads:3;hang", &actor);
    actor_await_done(&actor, 2);
    submit_late(&actor, &deadline);
    assert_int_equal(actor_await_verdict(&actor, NULL), LANE_DEADLINE);
    read_capture(0, &content);
    assert_int_equal(content.reason.why, CAPTURE_WHY_HANG);
    assert_true(content.reason.flags & CAPTURE_HAS_CALL);
    assert_int_equal(content.reason.function_id, 17);
    assert_int_equal(content.reason.seq, 1);
    assert_int_equal(content.reason.deadline_ns, deadline);
    assert_true(content.reason.now_ns - deadline < CLOCK_SECOND_NS);
    assert_int_equal(content.counts[CAPTURE_THREAD], 4);
    assert_int_equal(content.counts[CAPTURE_STACK], 4);
    /* The thread that serves is in the loop. */
    uint64_t counter = content.blamed.registers[CAPTURE_REGISTER_PC];
    uint64_t loop = atomic_load(&actor.page->address);
    assert_true(counter >= loop && counter - loop < 256);
    assert_string_equal(content.notes, "");
    free(content.bytes);
    assert_true(lane_await_gone(actor.lane, clock_after_ns(SCENE_PATIENCE_NS)));
    actor_close(&actor);
}

static void test_exit_is_taken_from_the_thread_that_called_it(void **state)
{
    (void)state;
    struct actor actor;
    struct content content;
    scene_start(&scene, "exit:9", &actor);
    assert_int_equal(actor_await_verdict(&actor, NULL), LANE_DIED);
    read_capture(0, &content);
    assert_int_equal(content.reason.why, CAPTURE_WHY_EXIT);
    assert_int_equal(content.reason.status, 9);
    assert_int_equal(content.counts[CAPTURE_THREAD], 1);
    assert_int_equal(content.blamed.system_call, SYS_exit_group);
    free(content.bytes);
    actor_close(&actor);
}

static void test_forbidden_act_that_kills_is_taken(void **state)
{
    (void)state;
    struct actor actor;
    struct content content;
    scene.policy.on_violation = POLICY_KILL;
    scene_start(&scene, "open:/etc/shadow", &actor);
    assert_int_equal(actor_await_verdict(&actor, NULL), LANE_WORKER_DENIED);
    read_capture(0, &content);
    assert_int_equal(content.reason.why, CAPTURE_WHY_VIOLATION);
    assert_int_equal(content.reason.number, SYS_openat);
    assert_int_equal(content.reason.violations, 1);
    assert_string_equal(content.reason.text, "openat /etc/shadow");
    assert_string_equal(content.reason.grant, "read:/etc/shadow");
    assert_int_equal(content.blamed.system_call, SYS_openat);
    free(content.bytes);
    actor_close(&actor);
}

static void test_alarm_with_nothing_behind_it_is_taken_with_a_note(void **state)
{
    (void)state;
    struct actor actor;
    struct content content;
    scene_start(&scene, "lie:11", &actor);
    assert_int_equal(actor_await_verdict(&actor, NULL), LANE_DIED);
    read_capture(0, &content);
    assert_int_equal(content.counts[CAPTURE_SIGINFO], 0);
    assert_true(content.reason.flags & CAPTURE_CODE_UNKNOWN);
    assert_non_null(strstr(content.notes, "its registers cannot be read"));
    assert_int_equal(content.counts[CAPTURE_STACK], 1); /* by ptrace */
    free(content.bytes);
    actor_close(&actor);
}

/* As a host does that heard of the crash from the worker itself, sooner than the keeper. */
static void condemn_as_told(const struct actor *actor)
{
    struct lane_message message = {.verb = LANE_CALL, .tag = 17};
    struct lane_death death = {
        .code = CLD_KILLED, .status = SIGSEGV, .text = "segmentation fault reading address 0x10"};
    uint32_t seq;
    assert_int_equal(
        lane_submit(actor->lane, &message, clock_after_ns(SCENE_PATIENCE_NS), true, &seq), 0);
    assert_true(lane_condemn_crashed(actor->lane, seq, &death));
    scene_send(&scene, actor, ERRAND_END);
}

/* The crashed thread was held up between the host and the keeper for much longer than a worker is left lying. */
static void test_crash_that_the_keeper_hears_of_late_is_taken_as_the_fault(void **state)
{
    (void)state;
    struct actor actor;
    struct content content;
    scene_start(&scene, "late:20;crash:r10", &actor);
    actor_await_done(&actor, 1);
    condemn_as_told(&actor);
    read_capture(0, &content);
    assert_int_equal(content.reason.why, CAPTURE_WHY_CRASH);
    assert_int_equal(content.counts[CAPTURE_SIGINFO], 1);
    assert_int_equal(content.reason.code, SEGV_MAPERR);
    assert_int_equal(content.reason.fault_address, 0x10);
    assert_false(content.reason.flags & CAPTURE_CODE_UNKNOWN);
    free(content.bytes);
    actor_close(&actor);
}

/* It told its host alone, and the keeper never: it is waited for, but not for long, and no cause is made up. */
static void test_crash_that_the_keeper_never_hears_of_is_taken_without_a_code(void **state)
{
    (void)state;
    struct actor actor;
    struct content content;
    scene_start(&scene, "late:60000;crash:r10", &actor);
    actor_await_done(&actor, 1);
    condemn_as_told(&actor);
    uint64_t begun = clock_now_ns();
    assert_true(lane_await_gone(actor.lane, clock_after_ns(SCENE_PATIENCE_NS)));
    assert_true(clock_now_ns() - begun < 5 * CLOCK_SECOND_NS);
    read_capture(0, &content);
    assert_int_equal(content.reason.signal, SIGSEGV);
    assert_true(content.reason.flags & CAPTURE_CODE_UNKNOWN);
    assert_false(content.reason.flags & CAPTURE_HAS_FAULT);
    free(content.bytes);
    actor_close(&actor);
}

static void test_silent_death_is_taken_without_a_process(void **state)
{
    (void)state;
    struct actor actor;
    struct content content;
    scene_start(&scene, "die:1", &actor);
    assert_int_equal(actor_await_verdict(&actor, NULL), LANE_DIED);
    read_capture(0, &content);
    if (content.reason.why == CAPTURE_WHY_VIOLATION) { /* the notice was sooner than the end */
        free(content.bytes);
        read_capture(1, &content);
    }
    assert_int_equal(content.reason.why, CAPTURE_WHY_KILLED);
    assert_int_equal(content.reason.signal, SIGKILL);
    assert_int_equal(content.counts[CAPTURE_LANE], 1);
    assert_int_equal(content.counts[CAPTURE_MAPS], 0);
    free(content.bytes);
    actor_close(&actor);
}

static void test_workers_closed_by_their_host_are_not_taken(void **state)
{
    (void)state;
    struct actor actor;
    scene_start(&scene, "wait", &actor);
    scene_send(&scene, &actor, ERRAND_END);
    assert_true(lane_await_gone(actor.lane, clock_after_ns(SCENE_PATIENCE_NS)));
    actor_close(&actor);
    scene_start(&scene, "exit:1", &actor);
    struct content content;
    read_capture(0, &content); /* the first is that of the second */
    assert_int_equal(content.reason.worker, actor.worker);
    free(content.bytes);
    actor_close(&actor);
}

/* Whoever calls once, and ends, finds its report all the same. */
static void test_host_that_ends_at_once_leaves_its_reports(void **state)
{
    (void)state;
    struct actor actors[4];
    for (uint32_t i = 0; i < 4; i++) {
        scene_start(&scene, i % 2 ? "exit:7" : "crash:r0", &actors[i]);
    }
    for (uint32_t i = 0; i < 4; i++) {
        assert_int_equal(actor_await_verdict(&actors[i], NULL), LANE_DIED);
    }
    scene_leave(&scene);
    assert_int_equal(scene_count_captures(&scene), 4);
    for (uint32_t i = 0; i < 4; i++) {
        actor_close(&actors[i]);
    }
}

/* A storm: the burst is written, the rest counted, and told with the next. */
static void test_storm_of_crashes_makes_few_reports(void **state)
{
    (void)state;
    struct content content;
    uint64_t begun = clock_now_ns();
    for (uint32_t i = 0; i < 40; i++) {
        struct actor actor;
        scene_start(&scene, "crash:r0", &actor);
        assert_int_equal(actor_await_verdict(&actor, NULL), LANE_DIED);
        actor_close(&actor);
    }
    uint64_t most = 5 + (clock_now_ns() - begun) / (100 * CLOCK_MS_NS) + 1;
    read_capture(2, &content); /* some are written by now */
    free(content.bytes);
    (void)poll(NULL, 0, 600); /* until another burst may come: the limit itself is what is tested */
    uint32_t before = scene_count_captures(&scene);
    assert_true(before <= most && before < 40);
    struct actor actor;
    scene_start(&scene, "crash:r0", &actor);
    read_capture(before, &content);
    assert_int_equal(content.reason.worker, actor.worker);
    free(content.bytes);
    uint32_t missed = 0;
    for (uint32_t i = 0; i <= before; i++) {
        read_capture(i, &content);
        missed += content.reason.missed;
        free(content.bytes);
    }
    assert_int_equal(missed + before, 40);
    actor_close(&actor);
}

/* How long after its deadline a worker that waits has its verdict while another is taken. */
static uint64_t deadline_beside_a_capture(void)
{
    struct actor busy;
    struct actor other;
    uint64_t busy_deadline;
    uint64_t other_deadline;
    scene_start(&scene, "threads:7;hang", &busy);
    scene_start(&scene, "chdir:/;wait", &other);
    actor_await_done(&busy, 2);
    actor_await_done(&other, 1);
    submit_late(&busy, &busy_deadline);
    submit_late(&other, &other_deadline);
    struct lane_event event;
    assert_int_equal(
        lane_await(other.lane, 1, clock_after_ns(SCENE_PATIENCE_NS), NULL, NULL, &event),
        LANE_VERDICT);
    uint64_t late_ns = clock_now_ns() - other_deadline;
    assert_int_equal(actor_await_verdict(&busy, NULL), LANE_DEADLINE);
    assert_true(lane_await_gone(busy.lane, clock_after_ns(SCENE_PATIENCE_NS)));
    actor_close(&busy);
    actor_close(&other);
    return late_ns;
}

/* The best of some: a keeper that waited for threads to stand would be late each time. */
static void test_capture_delays_no_deadline_of_others(void **state)
{
    (void)state;
    uint64_t best = CLOCK_NEVER;
    for (int i = 0; i < 8; i++) {
        uint64_t late_ns = deadline_beside_a_capture();
        best = late_ns < best ? late_ns : best;
    }
    assert_in_range(best, 0, 5 * CLOCK_MS_NS);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, open_scene, close_scene)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_crash_is_taken_with_registers_stack_and_memory),
        CASE(test_hang_is_taken_with_all_threads),
        CASE(test_exit_is_taken_from_the_thread_that_called_it),
        CASE(test_forbidden_act_that_kills_is_taken),
        CASE(test_alarm_with_nothing_behind_it_is_taken_with_a_note),
        CASE(test_crash_that_the_keeper_hears_of_late_is_taken_as_the_fault),
        CASE(test_crash_that_the_keeper_never_hears_of_is_taken_without_a_code),
        CASE(test_silent_death_is_taken_without_a_process),
        CASE(test_workers_closed_by_their_host_are_not_taken),
        CASE(test_host_that_ends_at_once_leaves_its_reports),
        CASE(test_storm_of_crashes_makes_few_reports),
        CASE(test_capture_delays_no_deadline_of_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
