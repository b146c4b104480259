/* SPDX-License-Identifier: Apache-2.0 */
/* Reports of many cells at once: each is made, or the next one of its cell tells that it is missing. */
#include "keeper/reports.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"

#define CELLS (REPORTS_WAITING + 1) /* one is being written meanwhile */

struct scene {
    struct reports reports;
    int program;
    int directory;
    char path[64];
    int cards[CELLS];
};

static struct scene scene;

static int new_memory(off_t bytes)
{
    int fd = memfd_create("cordon-test", MFD_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, bytes), 0);
    return fd;
}

static int open_scene(void **state)
{
    (void)state;
    scene = (struct scene){.path = "/tmp/cordon-reports-XXXXXX"};
    scene.program = open(TEST_SCRIBE, O_RDONLY | O_CLOEXEC);
    assert_true(scene.program >= 0);
    assert_non_null(mkdtemp(scene.path));
    scene.directory = open(scene.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(scene.directory >= 0);
    for (uint32_t i = 0; i < CELLS; i++) {
        scene.cards[i] = new_memory(1);
    }
    reports_init(&scene.reports, scene.program);
    return 0;
}

/* How many there are; they are removed. */
static uint32_t count_written(void)
{
    uint32_t count = 0;
    DIR *folder = opendir(scene.path);
    assert_non_null(folder);
    for (struct dirent *entry = readdir(folder); entry; entry = readdir(folder)) {
        count += unlinkat(scene.directory, entry->d_name, 0) == 0;
    }
    (void)closedir(folder);
    return count;
}

static int close_scene(void **state)
{
    (void)state;
    (void)count_written();
    assert_int_equal(rmdir(scene.path), 0);
    for (uint32_t i = 0; i < CELLS; i++) {
        fd_release(&scene.cards[i]);
    }
    fd_release(&scene.directory);
    fd_release(&scene.program);
    return 0;
}

/* Until no program runs and none waits. */
static void write_all(void)
{
    while (scene.reports.child != 0) {
        siginfo_t info = {0};
        assert_int_equal(waitid(P_ALL, 0, &info, WEXITED | WNOWAIT | __WALL), 0);
        assert_true(reports_exited(&scene.reports, info.si_pid));
    }
    assert_int_equal(scene.reports.waiting, 0);
    assert_int_equal(scene.reports.waiting_bytes, 0);
}

static bool allow(uint32_t cell, enum reports_kind kind, uint32_t *ret_missed)
{
    return reports_allow(&scene.reports, kind, scene.cards[cell], -1, ret_missed);
}

static void make(off_t bytes)
{
    struct reports_fds fds = {.capture = new_memory(bytes),
                              .directory = fcntl(scene.directory, F_DUPFD_CLOEXEC, 0),
                              .card = -1,
                              .h = -1,
                              .recording = -1};
    reports_make(&scene.reports, &fds);
}

static void test_refusals_of_many_cells_at_once_are_all_reported(void **state)
{
    (void)state;
    uint32_t missed = 0;
    for (uint32_t i = 0; i < CELLS; i++) {
        assert_true(allow(i, REPORTS_REFUSAL, &missed));
        assert_int_equal(missed, 0);
        make(4096);
    }
    write_all();
    assert_false(allow(0, REPORTS_REFUSAL, &missed)); /* one of a kind in so long a time */
    assert_true(allow(0, REPORTS_RECYCLING, &missed));
    assert_int_equal(missed, 0);
    make(4096);
    write_all();
    assert_int_equal(count_written(), CELLS + 1);
}

/* What is allowed has a place, however many are taken at the same time; others are counted. */
static void test_what_has_no_place_is_told_by_the_next(void **state)
{
    (void)state;
    uint32_t missed = 0;
    uint32_t allowed = 0;
    while (allow(allowed, REPORTS_END, &missed)) {
        allowed++;
    }
    assert_int_equal(allowed, REPORTS_BYTES / CAPTURE_BYTES_MAX);
    uint32_t unlucky = allowed;
    assert_false(allow(unlucky, REPORTS_END, &missed));
    assert_false(allow(unlucky, REPORTS_REFUSAL, &missed));
    for (uint32_t i = 0; i < allowed; i++) {
        make(4096);
    }
    assert_true(allow(unlucky, REPORTS_REFUSAL, &missed)); /* that one had none */
    assert_int_equal(missed, 3);
    make(4096);
    write_all();
    assert_int_equal(count_written(), allowed + 1);
}

static void test_what_waits_is_bounded_by_its_bytes(void **state)
{
    (void)state;
    uint32_t missed = 0;
    uint32_t made = 0;
    OWN_FD program = open("/bin/true", O_RDONLY | O_CLOEXEC); /* nobody needs that much on a disk */
    scene.reports.program = program;
    for (; allow(made, REPORTS_END, &missed); made++) {
        make(CAPTURE_BYTES_MAX);
    }
    /* The first is being written. */
    assert_int_equal(made, REPORTS_BYTES / CAPTURE_BYTES_MAX + 1);
    write_all();
    assert_int_equal(scene.reports.promised, 0);
}

static void test_what_is_cancelled_is_told_by_the_next(void **state)
{
    (void)state;
    uint32_t missed = 0;
    assert_true(allow(0, REPORTS_END, &missed));
    reports_cancel(&scene.reports, scene.cards[0], -1, missed);
    assert_true(allow(0, REPORTS_END, &missed));
    assert_int_equal(missed, 1);
    reports_cancel(&scene.reports, scene.cards[0], -1, missed);
    assert_true(allow(0, REPORTS_END, &missed));
    assert_int_equal(missed, 2);
    make(4096);
    assert_true(allow(0, REPORTS_END, &missed));
    assert_int_equal(missed, 0);
    make(4096);
    write_all();
    assert_int_equal(count_written(), 2);
}

/* A program that cannot be run writes nothing. */
static void test_what_nobody_could_write_is_told_by_the_next(void **state)
{
    (void)state;
    uint32_t missed = 0;
    scene.reports.program = scene.directory;
    assert_true(allow(0, REPORTS_END, &missed));
    struct reports_fds fds = {.capture = new_memory(4096),
                              .directory = -1,
                              .card = fcntl(scene.cards[0], F_DUPFD_CLOEXEC, 0),
                              .h = -1,
                              .recording = -1};
    reports_make(&scene.reports, &fds);
    scene.reports.program = scene.program;
    assert_true(allow(0, REPORTS_END, &missed));
    assert_int_equal(missed, 1);
    make(4096);
    write_all();
    assert_int_equal(count_written(), 1);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, open_scene, close_scene)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_refusals_of_many_cells_at_once_are_all_reported),
        CASE(test_what_has_no_place_is_told_by_the_next),
        CASE(test_what_waits_is_bounded_by_its_bytes),
        CASE(test_what_is_cancelled_is_told_by_the_next),
        CASE(test_what_nobody_could_write_is_told_by_the_next),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
