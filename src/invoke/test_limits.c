/* SPDX-License-Identifier: Apache-2.0 */
#include "invoke/engine.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "invoke/test_rig.h"

#define KEPT_BYTES 4096u

static int set_up(void **state)
{
    *state = rig_new(NULL, 4, 64, KEPT_BYTES);
    return *state ? 0 : -1;
}

static int tear_down(void **state)
{
    rig_free(*state);
    return 0;
}

static struct cordon_value open_file(struct rig *rig, uint32_t f)
{
    struct frame_result result;
    assert_int_equal(rig_call(rig, f, NULL, 0, &result), 0);
    assert_int_equal(result.value.kind, CORDON_VALUE_HANDLE);
    return result.value;
}

static void test_kept_memory_ends_with_its_handle_and_has_a_limit(void **state)
{
    struct rig *rig = *state;
    struct frame_result result;
    char buffer[1500] = "";
    struct cordon_value files[3];
    uint32_t open_fn = rig_bind(rig, "struct file *tmpfile(void)");
    uint32_t close_fn = rig_bind(rig, "int fclose(release struct file *f)");
    uint32_t put_fn = rig_bind(rig, "int fputs(const char *s, struct file *f)");
    uint32_t buffer_fn = rig_bind(rig, "int setvbuf(struct file *f, kept(until release f) in char "
                                       "buffer[size], int mode, size_t size)");
    struct cordon_value memory = cordon_in(buffer, sizeof buffer);
    for (int i = 0; i < 3; i++) {
        files[i] = open_file(rig, open_fn);
    }
    for (int i = 0; i < 2; i++) {
        assert_int_equal(rig_number(rig, buffer_fn, RIG_ARGS(files[i], memory, cordon_int(0))), 0);
        assert_true(rig_number(rig, put_fn, RIG_ARGS(cordon_string("x"), files[i])) >= 0);
    }
    assert_int_equal(rig_call(rig, buffer_fn, RIG_ARGS(files[2], memory, cordon_int(0)), &result),
                     -E2BIG);
    assert_non_null(strstr(rig->why.text, "LIMIT_KEPT_BYTES"));
    assert_int_equal(rig_number(rig, close_fn, RIG_ARGS(files[0])), 0);
    assert_int_equal(rig_number(rig, buffer_fn, RIG_ARGS(files[2], memory, cordon_int(0))), 0);
    assert_int_equal(rig_number(rig, close_fn, RIG_ARGS(files[1])), 0);
    assert_int_equal(rig_number(rig, close_fn, RIG_ARGS(files[2])), 0);
}

static void test_released_object_that_comes_back_has_a_new_handle(void **state)
{
    struct rig *rig = *state;
    struct frame_result result;
    uint32_t open_fn = rig_bind(rig, "struct file *tmpfile(void)");
    uint32_t reopen_fn = rig_bind(rig, "struct file *freopen(const char *path, const char *mode, "
                                       "release struct file *f)");
    uint32_t getc_fn = rig_bind(rig, "int fgetc(struct file *f)");
    uint32_t close_fn = rig_bind(rig, "int fclose(release struct file *f)");
    struct cordon_value first = open_file(rig, open_fn);
    assert_int_equal(rig_call(rig, reopen_fn,
                              RIG_ARGS(cordon_string("/proc/self/comm"), cordon_string("r"), first),
                              &result),
                     0);
    struct cordon_value second = result.value;
    assert_int_equal(rig_call(rig, getc_fn, RIG_ARGS(first), &result), -ESTALE);
    assert_true(rig_number(rig, getc_fn, RIG_ARGS(second)) > 0);
    assert_int_equal(rig_number(rig, close_fn, RIG_ARGS(second)), 0);
}

static void test_result_that_does_not_fit_is_refused_by_name(void **state)
{
    struct rig *rig = *state;
    struct frame_result result;
    char text[3000];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    uint32_t f = rig_bind(rig, "owned(free) char *strdup(const char *s)");
    rig->reply_room = 1000;
    assert_int_equal(rig_call(rig, f, RIG_ARGS(cordon_string(text)), &result), -ENOSPC);
    assert_non_null(strstr(rig->why.text, "LIMIT_DYNAMIC_ROOM"));
    rig->reply_room = 0;
    assert_int_equal(rig_call(rig, f, RIG_ARGS(cordon_string(text)), &result), 0);
    assert_string_equal(result.value.memory, text);
    free(result.owned);
}

static int never_asked(void *context, const struct cordon_value *args,
                       struct cordon_value *ret_result)
{
    (void)context;
    (void)args;
    (void)ret_result;
    fail();
    return 0;
}

static void test_callback_that_cannot_be_carried_is_told_after_the_call(void **state)
{
    struct rig *rig = *state;
    struct frame_result result;
    int numbers[2] = {2, 1};
    uint32_t f = rig_bind(rig, "void qsort(inout void base[n * size], size_t n, size_t size, "
                               "int (*compare)(const void a[size], const void b[size]) fails(0))");
    rig->callback_room = 64;
    assert_true(rig_call(rig, f,
                         RIG_ARGS(cordon_out(numbers, sizeof numbers), cordon_uint(2),
                                  cordon_uint(4), rig_callback(rig, never_asked, NULL)),
                         &result) < 0);
    assert_non_null(strstr(rig->why.text, "callback 'compare'"));
    /* The next call is not blamed. */
    uint32_t abs_fn = rig_bind(rig, "int abs(int x)");
    assert_int_equal(rig_number(rig, abs_fn, RIG_ARGS(cordon_int(-3))), 3);
}

static void raise_after_the_call(struct rig *rig)
{
    (void)rig_number(rig, 0, RIG_ARGS(cordon_int(SIGUSR1), rig_callback(rig, never_asked, NULL)));
    (void)rig_number(rig, 1, RIG_ARGS(cordon_int(SIGUSR1)));
}

static void test_trampoline_whose_call_is_over_abandons(void **state)
{
    struct rig *rig = *state;
    assert_int_equal(rig_bind(rig, "token void *signal(int number, void (*handler)(int number))"),
                     0);
    assert_int_equal(rig_bind(rig, "int raise(int number)"), 1);
    assert_int_equal(rig_in_child(raise_after_the_call, rig), RIG_ABANDONED);
}

static void test_no_page_is_writable_and_executable(void **state)
{
    char line[512];
    unsigned both = 0;
    unsigned executable = 0;
    FILE *maps = fopen("/proc/self/maps", "re");
    (void)state;
    assert_non_null(maps);
    while (fgets(line, sizeof line, maps)) {
        both += strstr(line, " rwx") ? 1 : 0;
        executable += strstr(line, "cordon-trampolines") && strstr(line, " r-x") ? 1 : 0;
    }
    (void)fclose(maps);
    if (!executable) {
        skip(); /* memfd, or executable shared memory, is forbidden here */
    }
    assert_int_equal(both, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_kept_memory_ends_with_its_handle_and_has_a_limit,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_released_object_that_comes_back_has_a_new_handle,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_result_that_does_not_fit_is_refused_by_name, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_callback_that_cannot_be_carried_is_told_after_the_call,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_trampoline_whose_call_is_over_abandons, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_no_page_is_writable_and_executable, set_up, tear_down),
    };
    return cmocka_run_group_tests_name("limits", tests, NULL, NULL);
}
