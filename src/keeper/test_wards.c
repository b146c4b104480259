/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "keeper/wards.h"
#include "lane/host.h"

/* The host's and the keeper's side of one lane, in one process. */
struct scene {
    struct lane *lane;
    struct ward_fds fds;
    struct errand errand;
};

static struct wards wards;

static void scene_open(struct scene *scene)
{
    struct lane_options options = {.wake = LANE_WAKE_FUTEX};
    assert_int_equal(lane_open(&options, &scene->lane), 0);
    scene->fds = (struct ward_fds){.h = lane_peek_h_fd(scene->lane),
                                   .w = lane_peek_w_fd(scene->lane),
                                   .event = -1,
                                   .bell = -1,
                                   .recording = -1,
                                   .arena = -1,
                                   .card = -1,
                                   .reports = -1};
    scene->errand = (struct errand){
        .kind = ERRAND_START, .worker = WARDS_MAX + 1, .start_timeout_ns = CLOCK_SECOND_NS};
}

static void expect_refusal(struct scene *scene, const char *sentence)
{
    struct lane_death death;
    uint32_t seq;
    assert_null(wards_start(&wards, &scene->errand, &scene->fds));
    assert_true(lane_await_gone(scene->lane, clock_after_ns(CLOCK_SECOND_NS)));
    assert_int_equal(lane_verdict(scene->lane, &seq, &death), LANE_START_FAILED);
    assert_string_equal(death.text, sentence);
    lane_close(scene->lane);
}

static void test_one_worker_more_than_the_limit_is_refused(void **state)
{
    (void)state;
    struct scene scene;
    wards_init(&wards, -1, 0);
    for (uint32_t i = 0; i < WARDS_MAX; i++) {
        wards.ward[i] = (struct ward){.state = WARD_ENDING, .worker = i};
    }
    wards.top = WARDS_MAX;
    scene_open(&scene);
    expect_refusal(&scene, "too many workers: the limit WARDS_MAX is 2048");
}

static void test_name_in_use_is_refused(void **state)
{
    (void)state;
    struct scene scene;
    wards_init(&wards, -1, 0);
    wards.ward[0] = (struct ward){.state = WARD_SERVING, .worker = 7};
    wards.top = 1;
    scene_open(&scene);
    scene.errand.worker = 7;
    expect_refusal(&scene, "worker 7 is there already");
}

static void test_program_that_cannot_be_run_is_told(void **state)
{
    (void)state;
    struct scene scene;
    OWN_FD program = open("/etc/passwd", O_RDONLY | O_CLOEXEC);
    wards_init(&wards, program, 0);
    scene_open(&scene);
    expect_refusal(&scene, "the worker program cannot be run: Permission denied");
    assert_int_equal(wards.ward[0].state, WARD_NOTHING);
    assert_true(wards_due_ns(&wards) == CLOCK_NEVER);
}

static void test_memory_that_is_no_lane_is_refused(void **state)
{
    (void)state;
    OWN_FD file = open("/etc/passwd", O_RDONLY | O_CLOEXEC);
    struct ward_fds fds = {.h = file,
                           .w = file,
                           .event = -1,
                           .bell = -1,
                           .arena = -1,
                           .card = -1,
                           .reports = -1,
                           .recording = -1};
    assert_int_equal(ward_refuse(&fds, "nobody hears this"), -EBADMSG);
    struct errand errand = {.kind = ERRAND_START, .worker = 1};
    wards_init(&wards, -1, 0);
    assert_null(wards_start(&wards, &errand, &fds));
    assert_null(wards_find(&wards, 1));
}

/* A worker that says nothing and ends: /bin/true in its place. */
static void test_silent_end_is_a_failed_start_with_its_status(void **state)
{
    (void)state;
    struct scene scene;
    struct lane_death death;
    uint32_t seq;
    OWN_FD program = open("/bin/true", O_RDONLY | O_CLOEXEC);
    wards_init(&wards, program, ERRAND_SECCOMP);
    scene_open(&scene);
    struct ward *ward = wards_start(&wards, &scene.errand, &scene.fds);
    assert_non_null(ward);
    assert_ptr_equal(wards_find_pid(&wards, ward->pid), ward);
    assert_true(wards_due_ns(&wards) <= clock_after_ns(CLOCK_SECOND_NS));
    ward_step(ward, WARD_EXIT); /* waits for it */
    assert_int_equal(ward->state, WARD_NOTHING);
    assert_int_equal(lane_verdict(scene.lane, &seq, &death), LANE_START_FAILED);
    assert_non_null(strstr(death.text, "ended the process with status 0"));
    assert_true(lane_await_gone(scene.lane, 0));
    lane_close(scene.lane);
}

static void test_end_of_a_worker_is_verdict_then_kill_then_gone(void **state)
{
    (void)state;
    struct scene scene;
    struct lane_death death;
    uint32_t seq;
    OWN_FD program = open("/bin/cat", O_RDONLY | O_CLOEXEC);
    wards_init(&wards, program, ERRAND_SECCOMP);
    scene_open(&scene);
    struct ward *ward = wards_start(&wards, &scene.errand, &scene.fds);
    assert_non_null(ward);
    ward_step(ward, WARD_END);
    assert_int_equal(ward->state, WARD_ENDING);
    assert_int_equal(lane_verdict(scene.lane, &seq, &death), LANE_CLOSED);
    assert_false(lane_await_gone(scene.lane, 0));
    ward_step(ward, WARD_END);
    ward_step(ward, WARD_WATCH);
    ward_step(ward, WARD_EXIT);
    assert_true(lane_await_gone(scene.lane, 0));
    lane_close(scene.lane);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_worker_more_than_the_limit_is_refused),
        cmocka_unit_test(test_name_in_use_is_refused),
        cmocka_unit_test(test_program_that_cannot_be_run_is_told),
        cmocka_unit_test(test_memory_that_is_no_lane_is_refused),
        cmocka_unit_test(test_silent_end_is_a_failed_start_with_its_status),
        cmocka_unit_test(test_end_of_a_worker_is_verdict_then_kill_then_gone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
