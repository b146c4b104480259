/* SPDX-License-Identifier: Apache-2.0 */
/* An engine that was sealed: what can still be asked of it, and what cannot. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "invoke/test_rig.h"

static const char text[] =
    "struct pair { int a; int b; }; struct other { long x; }; int abs(int j);";

static int ask(struct rig *rig, enum engine_verb verb, const void *bytes, size_t byte_count)
{
    static uint8_t sentence[512];
    struct engine_reply reply;
    return rig_verb(rig, verb, NULL, 0, bytes, (uint32_t)byte_count, sentence, &reply);
}

static void test_sealed_engine_confirms_what_is_bound_and_binds_nothing(void **state)
{
    struct rig *rig = *state;
    assert_int_equal(rig_try_bind(rig, 5, "int abs(int j)"), 0);
    assert_int_equal(ask(rig, ENGINE_SEAL, NULL, 0), 0);
    assert_int_equal(rig_try_bind(rig, 5, "int abs(int j)"), 0);
    assert_int_equal(rig_try_bind(rig, 5, "long labs(long j)"), -EPERM);
    assert_int_equal(rig_try_bind(rig, 6, "int abs(int j)"), -EPERM);
    assert_int_equal(rig_try_bind(rig, UINT32_MAX, "int abs(int j)"), -EPERM);
    assert_int_equal(rig_try_bind(rig, 7, "int getpid(void)"), -EPERM);
    assert_non_null(strstr(rig->why.text, "sealed"));
}

static void test_sealed_engine_makes_objects_of_declared_types_alone(void **state)
{
    struct rig *rig = *state;
    size_t bytes;
    const void *pair = rig_type_plan(rig, text, "struct pair", &bytes);
    assert_int_equal(ask(rig, ENGINE_TYPE, pair, bytes), 0);
    size_t other_bytes;
    const void *other = rig_type_plan(rig, text, "struct other", &other_bytes);
    assert_int_equal(ask(rig, ENGINE_RESIDENT_NEW, other, other_bytes), 0); /* not yet sealed */
    assert_int_equal(ask(rig, ENGINE_SEAL, NULL, 0), 0);
    assert_int_equal(ask(rig, ENGINE_RESIDENT_NEW, pair, bytes), 0);
    assert_int_equal(ask(rig, ENGINE_RESIDENT_NEW, pair, bytes - 1), -EPERM);
    assert_int_equal(ask(rig, ENGINE_RESIDENT_NEW, other, other_bytes), -EPERM);
    assert_int_equal(ask(rig, ENGINE_TYPE, other, other_bytes), -EPERM);
    assert_int_equal(ask(rig, ENGINE_RESIDENT_NEW, other, other_bytes), -EPERM);
}

static int set_up(void **state)
{
    *state = rig_new("", 8, 64, 4096);
    return *state ? 0 : -1;
}

static int tear_down(void **state)
{
    rig_free(*state);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_sealed_engine_confirms_what_is_bound_and_binds_nothing,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_sealed_engine_makes_objects_of_declared_types_alone,
                                        set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
