/* SPDX-License-Identifier: Apache-2.0 */
/* The real keeper, and workers that do what they may not. */
#include "keeper/test_scene.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"

static struct scene scene;

static int open_scene(void **state)
{
    (void)state;
    scene_open(&scene, false);
    return 0;
}

static int close_scene(void **state)
{
    (void)state;
    scene_close(&scene);
    return 0;
}

static int error_of(const struct actor *actor, uint32_t act)
{
    return atomic_load(&actor->page->error[act]);
}

static void test_opening_outside_the_grants_is_refused_and_listed_with_its_path(void **state)
{
    (void)state;
    struct actor actor;
    char script[256];
    (void)snprintf(script, sizeof script, "open:%s/../%s/there;create:%s/new;open:%s/missing",
                   scene.path, strrchr(scene.path, '/') + 1, scene.path, scene.path);
    int fd = openat(scene.directory, "there", O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    (void)close(fd);
    scene_start(&scene, script, &actor);
    actor_await_done(&actor, 3);
    assert_int_equal(error_of(&actor, 0), EACCES);
    assert_int_equal(error_of(&actor, 1), EACCES);
    assert_int_equal(error_of(&actor, 2), ENOENT); /* nothing was reached for */
    assert_int_equal(lane_violation_count(actor.h), 2);
    char text[128];
    struct lane_act act = actor_violation(&actor, 1);
    (void)snprintf(text, sizeof text, "openat %s/there", scene.path);
    assert_string_equal(act.act, text);
    (void)snprintf(text, sizeof text, "read:%s/there", scene.path);
    assert_string_equal(act.grant, text);
    assert_int_equal(act.error, EACCES);
    assert_int_equal(act.system_call, SYS_openat);
    act = actor_violation(&actor, 2);
    (void)snprintf(text, sizeof text, "write:%s/new", scene.path);
    assert_string_equal(act.grant, text);
    assert_int_not_equal(faccessat(scene.directory, "new", F_OK, 0), 0);
    actor_close(&actor);
}

static void test_links_and_working_directories_are_followed(void **state)
{
    (void)state;
    struct actor actor;
    char script[256];
    char text[128];
    assert_int_equal(symlinkat("/etc/shadow", scene.directory, "link"), 0);
    assert_int_equal(symlinkat("/dev/null", scene.directory, "allowed"), 0);
    (void)snprintf(script, sizeof script, "chdir:%s;open:./link;open:allowed;mkdir:x", scene.path);
    scene_start(&scene, script, &actor);
    actor_await_done(&actor, 4);
    assert_int_equal(error_of(&actor, 1), EACCES);
    assert_string_equal(actor_violation(&actor, 1).grant, "read:/etc/shadow");
    assert_string_equal(actor_violation(&actor, 1).act, "openat /etc/shadow");
    assert_int_equal(error_of(&actor, 3), EACCES);
    (void)snprintf(text, sizeof text, "mkdirat %s/x", scene.path);
    assert_string_equal(actor_violation(&actor, lane_violation_count(actor.h)).act, text);
    actor_close(&actor);
}

static void test_name_that_ends_where_nothing_is_goes_on_to_the_kernel(void **state)
{
    (void)state;
    struct actor actor;
    scene_start(&scene, "half:/etc/shadow", &actor);
    actor_await_done(&actor, 1);
    assert_int_equal(error_of(&actor, 0), EFAULT);
    assert_int_equal(lane_violation_count(actor.h), 0);
    actor_close(&actor);
}

static void test_other_calls_are_refused_with_the_grant_that_they_want(void **state)
{
    (void)state;
    static const struct {
        const char *act, *grant;
        int error;
    } expected[] = {{"socket", "connect:PORT", EPERM},
                    {"execve /usr/bin/env", "processes", EPERM},
                    {"keyctl", "syscall:keyctl", EPERM}};
    struct actor actor;
    scene_start(&scene, "socket;exec:/usr/bin/env;forbidden:1", &actor);
    actor_await_done(&actor, 3);
    for (uint32_t i = 0; i < 3; i++) {
        struct lane_act act = actor_violation(&actor, i + 1);
        assert_int_equal(error_of(&actor, i), expected[i].error);
        assert_string_equal(act.act, expected[i].act);
        assert_string_equal(act.grant, expected[i].grant);
        assert_int_equal(act.error, expected[i].error);
        assert_int_equal(act.seq, 1);
    }
    actor_close(&actor);
}

static void test_policy_that_kills_ends_the_worker_with_a_sentence(void **state)
{
    (void)state;
    static const struct {
        const char *script, *text;
    } acts[] = {
        {"open:/etc/shadow", "the library called openat /etc/shadow, which its policy forbids; "
                             "read:/etc/shadow would allow it"},
        {"forbidden:1", "the library called keyctl, which its policy forbids; "
                        "syscall:keyctl would allow it"},
    };
    scene.policy.on_violation = POLICY_KILL;
    for (size_t i = 0; i < sizeof acts / sizeof acts[0]; i++) {
        struct actor actor;
        struct lane_death death;
        uint32_t seq = 0;
        scene_start(&scene, acts[i].script, &actor);
        assert_int_equal(actor_await_verdict(&actor, &death), LANE_WORKER_DENIED);
        assert_string_equal(death.text, acts[i].text);
        assert_int_equal(lane_verdict(actor.lane, &seq, NULL), LANE_WORKER_DENIED);
        assert_int_equal(seq, 1);
        assert_int_equal(actor_violation(&actor, 1).error, 0);
        assert_true(lane_await_gone(actor.lane, clock_after_ns(SCENE_PATIENCE_NS)));
        assert_int_equal(atomic_load(&actor.page->done), 0);
        actor_close(&actor);
    }
}

static void test_one_thread_more_than_allowed_is_refused(void **state)
{
    (void)state;
    struct actor actor;
    struct policy policy;
    policy_init(&policy, POLICY_STRICT);
    char script[64];
    char grant[64];
    (void)snprintf(script, sizeof script, "threads:%u;threads:1", policy.threads - 1);
    (void)snprintf(grant, sizeof grant, "threads:%u", policy.threads + 1);
    scene_start(&scene, script, &actor);
    actor_await_done(&actor, 2);
    assert_int_equal(error_of(&actor, 0), 0);
    assert_int_equal(error_of(&actor, 1), EAGAIN);
    assert_string_equal(actor_violation(&actor, 1).grant, grant);
    actor_close(&actor);
}

static void test_list_keeps_the_last_eight(void **state)
{
    (void)state;
    struct actor actor;
    struct lane_act act;
    scene_start(&scene, "socket;forbidden:9", &actor);
    actor_await_done(&actor, 2);
    assert_int_equal(lane_violation_count(actor.h), 10);
    assert_false(lane_violation_read(actor.h, 2, &act));
    for (uint32_t number = 3; number <= 10; number++) {
        assert_string_equal(actor_violation(&actor, number).act, "keyctl");
    }
    actor_close(&actor);
}

static void test_crash_is_told_with_its_address(void **state)
{
    (void)state;
    static const struct {
        const char *script, *text;
        int signal;
    } crashes[] = {{"crash:w10", "segmentation fault writing address 0x10", SIGSEGV},
                   {"crash:r2000", "segmentation fault reading address 0x2000", SIGSEGV},
                   {"crash:a", "signal 6 (Aborted)", SIGABRT}};
    for (size_t i = 0; i < sizeof crashes / sizeof crashes[0]; i++) {
        struct actor actor;
        struct lane_death death;
        scene_start(&scene, crashes[i].script, &actor);
        assert_int_equal(actor_await_verdict(&actor, &death), LANE_DIED);
        assert_int_equal(death.code, CLD_KILLED);
        assert_int_equal(death.status, crashes[i].signal);
        assert_string_equal(death.text, crashes[i].text);
        assert_true(lane_await_gone(actor.lane, clock_after_ns(SCENE_PATIENCE_NS)));
        actor_close(&actor);
    }
}

static void test_alarm_with_nothing_behind_it_harms_its_own_worker_alone(void **state)
{
    (void)state;
    struct actor actor;
    struct lane_death death;
    scene_start(&scene, "lie:11", &actor);
    assert_int_equal(actor_await_verdict(&actor, &death), LANE_DIED);
    assert_int_equal(death.status, SIGSEGV);
    assert_string_equal(death.text, "signal 11 (Segmentation fault)");
    actor_close(&actor);
    scene_start(&scene, "lie:4711", &actor);
    assert_int_equal(actor_await_verdict(&actor, &death), LANE_DIED);
    assert_int_equal(death.status, 0);
    assert_string_equal(death.text, "it reported a crash without a signal");
    actor_close(&actor);
}

static void test_exit_is_told_with_its_status(void **state)
{
    (void)state;
    struct actor actor;
    struct lane_death death;
    scene_start(&scene, "exit:7", &actor);
    assert_int_equal(actor_await_verdict(&actor, &death), LANE_DIED);
    assert_int_equal(death.code, CLD_EXITED);
    assert_int_equal(death.status, 7);
    assert_true(lane_await_gone(actor.lane, clock_after_ns(SCENE_PATIENCE_NS)));
    actor_close(&actor);
}

static void test_worker_that_dies_while_its_notice_waits_is_reaped(void **state)
{
    (void)state;
    for (int i = 0; i < 20; i++) {
        struct actor actor;
        struct lane_death death;
        scene_start(&scene, "die:4", &actor);
        assert_int_equal(actor_await_verdict(&actor, &death), LANE_DIED);
        assert_int_equal(death.status, SIGKILL);
        assert_true(lane_await_gone(actor.lane, clock_after_ns(SCENE_PATIENCE_NS)));
        actor_close(&actor);
    }
}

static void test_worker_that_closes_everything_is_still_listened_to(void **state)
{
    (void)state;
    struct actor actor;
    struct lane_death death;
    scene_start(&scene, "close;forbidden:1;exit:3", &actor);
    assert_int_equal(actor_await_verdict(&actor, &death), LANE_DIED);
    assert_int_equal(death.status, 3);
    assert_int_equal(lane_violation_count(actor.h), 1);
    actor_close(&actor);
}

/* Of 256 + 64 refusals the last 64 wait for a millisecond each, and more. */
static void test_flood_is_slowed_down(void **state)
{
    (void)state;
    struct actor actor;
    scene_start(&scene, "forbidden:256;forbidden:64", &actor);
    actor_await_done(&actor, 2);
    uint64_t free_ns = atomic_load(&actor.page->took_ns[0]);
    uint64_t slow_ns = atomic_load(&actor.page->took_ns[1]);
    assert_true(slow_ns >= 63 * CLOCK_MS_NS);
    assert_true(free_ns / 4 < slow_ns);
    actor_close(&actor);
}

static uint64_t deadline_beside_floods(void)
{
    struct actor late;
    struct lane_event event;
    struct lane_message message = {.verb = LANE_CALL, .tag = 1};
    uint32_t seq;
    scene_start(&scene, "chdir:/;wait", &late);
    actor_await_done(&late, 1);
    uint64_t deadline = clock_after_ns(30 * CLOCK_MS_NS);
    assert_int_equal(lane_submit(late.lane, &message, deadline, true, &seq), 0);
    scene_send(&scene, &late, ERRAND_WATCH);
    assert_int_equal(
        lane_await(late.lane, seq, clock_after_ns(SCENE_PATIENCE_NS), NULL, NULL, &event),
        LANE_VERDICT);
    uint64_t now = clock_now_ns();
    assert_int_equal(lane_verdict(late.lane, NULL, NULL), LANE_DEADLINE);
    assert_true(now >= deadline);
    actor_close(&late);
    return now - deadline;
}

/* The best of some: this machine may do other things, too. */
static void test_flood_delays_no_start_and_no_deadline_of_others(void **state)
{
    (void)state;
    struct actor floods[4];
    uint64_t best = CLOCK_NEVER;
    uint64_t best_start = CLOCK_NEVER;
    for (uint32_t i = 0; i < 4; i++) {
        scene_start(&scene, "flood:8;wait", &floods[i]);
        actor_await_violations(&floods[i], 400);
    }
    for (uint32_t i = 0; i < 8; i++) {
        uint64_t begun = clock_now_ns();
        uint64_t late_ns = deadline_beside_floods();
        uint64_t start_ns = clock_now_ns() - begun - late_ns - 30 * CLOCK_MS_NS;
        best = late_ns < best ? late_ns : best;
        best_start = start_ns < best_start ? start_ns : best_start;
    }
    assert_in_range(best, 0, 5 * CLOCK_MS_NS);
    assert_in_range(best_start, 0, 50 * CLOCK_MS_NS);
    for (uint32_t i = 0; i < 4; i++) {
        actor_close(&floods[i]);
    }
}

static void test_listener_that_cannot_be_sent_is_taken_where_it_is(void **state)
{
    (void)state;
    struct actor actor;
    scene_start(&scene, "here;socket;exit:7", &actor);
    struct lane_death death;
    assert_int_equal(actor_await_verdict(&actor, &death), LANE_DIED);
    assert_int_equal(error_of(&actor, 0), 0);
    assert_int_equal(error_of(&actor, 1), EPERM);
    assert_string_equal(actor_violation(&actor, 1).grant, "connect:PORT");
    actor_close(&actor);
}

/* The worker goes on: it has a filter that nobody listens to, and nothing was done to what it named. */
static void test_what_is_no_listener_is_not_taken(void **state)
{
    (void)state;
    static const struct {
        const char *script;
        int error;
    } tries[] = {
        {"here:0;socket", EBADMSG}, /* /dev/null */
        {"here:3;socket", EBADMSG}, /* H */
        {"here:5;socket", EBADMSG}, /* the start socket */
        {"here:255;socket", EBADF},
    };
    for (size_t i = 0; i < sizeof tries / sizeof tries[0]; i++) {
        struct actor actor;
        scene_start(&scene, tries[i].script, &actor);
        actor_await_done(&actor, 2);
        assert_int_equal(error_of(&actor, 0), tries[i].error);
        assert_int_equal(error_of(&actor, 1), ENOSYS);
        assert_int_equal(lane_violation_count(actor.h), 0);
        actor_close(&actor);
    }
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, open_scene, close_scene)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_opening_outside_the_grants_is_refused_and_listed_with_its_path),
        CASE(test_links_and_working_directories_are_followed),
        CASE(test_name_that_ends_where_nothing_is_goes_on_to_the_kernel),
        CASE(test_other_calls_are_refused_with_the_grant_that_they_want),
        CASE(test_policy_that_kills_ends_the_worker_with_a_sentence),
        CASE(test_one_thread_more_than_allowed_is_refused),
        CASE(test_list_keeps_the_last_eight),
        CASE(test_crash_is_told_with_its_address),
        CASE(test_alarm_with_nothing_behind_it_harms_its_own_worker_alone),
        CASE(test_exit_is_told_with_its_status),
        CASE(test_worker_that_dies_while_its_notice_waits_is_reaped),
        CASE(test_worker_that_closes_everything_is_still_listened_to),
        CASE(test_listener_that_cannot_be_sent_is_taken_where_it_is),
        CASE(test_what_is_no_listener_is_not_taken),
        CASE(test_flood_is_slowed_down),
        CASE(test_flood_delays_no_start_and_no_deadline_of_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
