/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "policy/compile.h"
#include "policy/remedy.h"

static struct policy compiled(enum policy_preset preset, const char *const *grants)
{
    struct policy policy;
    struct message why = {.text = ""};
    struct policy_wish wish = {.preset = preset, .grants = grants};
    if (policy_compile(&wish, &policy, &why) != 0) {
        fail_msg("%s", why.text);
    }
    assert_true(policy_fits(&policy));
    return policy;
}

static void test_presets_are_sets_of_grants(void **state)
{
    (void)state;
    static const char *const files[] = {"read:/", "write:/", NULL};
    static const char *const network[] = {"connect:*", "bind:*", "udp", "resolver", NULL};
    static const char *const trusted[] = {"everything", NULL};
    static const char *const *const spelled[] = {NULL, files, network, trusted};
    static const enum policy_preset presets[] = {POLICY_STRICT, POLICY_FILES, POLICY_NETWORK,
                                                 POLICY_TRUSTED};
    for (size_t i = 0; i < sizeof presets / sizeof presets[0]; i++) {
        char preset[512];
        char grants[512];
        struct policy one = compiled(presets[i], NULL);
        struct policy other = compiled(POLICY_STRICT, spelled[i]);
        (void)policy_print(&one, preset, sizeof preset);
        (void)policy_print(&other, grants, sizeof grants);
        assert_string_equal(strchr(preset, ':'), strchr(grants, ':'));
    }
}

static void test_text_names_grants_and_limits_without_values(void **state)
{
    (void)state;
    static const char *const grants[] = {
        "read:/usr//share/", "connect:443", "env:SECRET=word", "syscall:personality", "iconv",
        "threads:8",         NULL};
    char text[512];
    struct policy policy = compiled(POLICY_STRICT, grants);
    size_t bytes = policy_print(&policy, text, sizeof text);
    assert_string_equal(text, "strict: iconv read:/usr/share connect:443 env:SECRET "
                              "syscall:personality on_violation:refuse memory_bytes:2147483648 "
                              "cpu_ms:3600000 file_bytes:1073741824 fds:256 threads:8");
    assert_int_equal(bytes, strlen(text));
    assert_int_equal(policy_print(&policy, text, 10), bytes);
    assert_string_equal(text, "strict: i");
}

static void test_paths_are_judged_by_their_parts(void **state)
{
    (void)state;
    static const char *const grants[] = {"read:/usr/share", "write:/tmp/x", "locale", NULL};
    struct policy policy = compiled(POLICY_STRICT, grants);
    assert_true(policy_may_open(&policy, "/usr/share", false));
    assert_true(policy_may_open(&policy, "/usr/share/dict/words", false));
    assert_false(policy_may_open(&policy, "/usr/share/dict/words", true));
    assert_false(policy_may_open(&policy, "/usr/shared", false));
    assert_false(policy_may_open(&policy, "/usr", false));
    assert_true(policy_may_open(&policy, "/tmp/x/y", true));
    assert_true(policy_may_open(&policy, "/tmp/x/y", false));
    assert_true(policy_may_open(&policy, "/usr/lib/locale/C.utf8/LC_CTYPE", false));
    assert_false(policy_may_open(&policy, "/etc/passwd", false));
}

static void test_limits_of_grants_are_named(void **state)
{
    (void)state;
    const char *grants[LIMIT_GRANTS + 2] = {NULL};
    struct policy policy;
    struct message why;
    struct policy_wish wish = {.grants = grants};
    for (size_t i = 0; i <= LIMIT_GRANTS; i++) {
        grants[i] = "connect:1";
    }
    assert_int_equal(policy_compile(&wish, &policy, &why), -E2BIG);
    assert_string_equal(why.text, "grant 'connect:1' is beyond LIMIT_GRANTS (64)");
    static char path[2100] = "read:";
    memset(path + 5, '/', sizeof path - 6);
    memset(path + 6, 'x', sizeof path - 7);
    grants[0] = grants[1] = path;
    grants[2] = NULL;
    assert_int_equal(policy_compile(&wish, &policy, &why), -E2BIG);
    assert_non_null(strstr(why.text, "LIMIT_GRANT_TEXT_BYTES (4096)"));
    wish = (struct policy_wish){.threads = LIMIT_THREADS_MAX + 1};
    assert_int_equal(policy_compile(&wish, &policy, &why), -EINVAL);
    assert_string_equal(why.text, "threads is 4097, LIMIT_THREADS_MAX is 4096");
    wish = (struct policy_wish){.fds = 3};
    assert_int_equal(policy_compile(&wish, &policy, &why), -EINVAL);
    assert_string_equal(why.text, "fds is 3, it may be 16 to 1048576");
}

/* Bytes from elsewhere: each field that could lead out of the bytes, or to nonsense. */
static void test_foreign_bytes_are_judged(void **state)
{
    (void)state;
    static const char *const grants[] = {"read:/usr", "env:A=b", "connect:1", NULL};
    const struct policy good = compiled(POLICY_STRICT, grants);
    struct policy bad = {0};
    assert_false(policy_fits(&bad));
#define EXPECT_BAD(change)                                                                         \
    do {                                                                                           \
        bad = good;                                                                                \
        change;                                                                                    \
        assert_false(policy_fits(&bad));                                                           \
    } while (0)
    EXPECT_BAD(bad.version++);
    EXPECT_BAD(bad.preset = POLICY_TRUSTED + 1);
    EXPECT_BAD(bad.on_violation = POLICY_KILL + 1);
    EXPECT_BAD(bad.groups = POLICY_GROUPS + 1);
    EXPECT_BAD(bad.threads = 0);
    EXPECT_BAD(bad.threads = LIMIT_THREADS_MAX + 1);
    EXPECT_BAD(bad.item_count = LIMIT_GRANTS + 1);
    EXPECT_BAD(bad.text_bytes = LIMIT_GRANT_TEXT_BYTES + 1);
    EXPECT_BAD(bad.items[0].kind = 99);
    EXPECT_BAD(bad.items[0].text_bytes = 0);
    EXPECT_BAD(bad.items[0].text_bytes++);
    EXPECT_BAD(bad.items[0].text_bytes = UINT16_MAX);
    EXPECT_BAD(bad.items[0].text_at = UINT16_MAX);
    EXPECT_BAD(bad.items[0].text_at++);
    EXPECT_BAD(bad.text[0] = 'x');
    EXPECT_BAD(bad.items[1].kind = POLICY_READ);
    EXPECT_BAD(bad.items[0].kind = POLICY_ENV);
    EXPECT_BAD(bad.text[bad.items[1].text_at] = '=');
    EXPECT_BAD(bad.items[2].text_bytes = 1);
    EXPECT_BAD(bad.cpu_ms = 0);
#undef EXPECT_BAD
}

static void expect_call(const char *name, uint64_t first, uint64_t second, const char *grant)
{
    char text[REMEDY_BYTES];
    const uint64_t args[6] = {first, second};
    remedy_for_call((uint32_t)syscall_number(name), args, text, sizeof text);
    assert_string_equal(text, grant);
}

static void expect_open(const char *path, bool writing, const char *grant)
{
    char text[REMEDY_BYTES];
    remedy_for_open(path, writing, text, sizeof text);
    assert_string_equal(text, grant);
}

static void test_remedies_are_the_smallest_grants(void **state)
{
    (void)state;
    assert_int_equal(syscall_number("openat"), SYS_openat);
    assert_string_equal(syscall_name(SYS_openat), "openat");
    assert_null(syscall_name(100000));
    expect_call("socket", AF_INET, SOCK_STREAM | SOCK_CLOEXEC, "connect:PORT");
    expect_call("socket", AF_INET6, SOCK_DGRAM, "udp");
    expect_call("socket", AF_UNIX, SOCK_STREAM, "unix");
    expect_call("socket", AF_PACKET, SOCK_RAW, "syscall:socket");
    expect_call("execve", 0, 0, "processes");
    expect_call("io_uring_setup", 0, 0, "syscall:io_uring_setup");
    expect_open("/usr/lib/locale/x", false, "locale");
    expect_open("/etc/resolv.conf", false, "resolver");
    expect_open("/dev/null", true, "device:/dev/null");
    expect_open("/etc/passwd", false, "read:/etc/passwd");
    expect_open("/etc/passwd", true, "write:/etc/passwd");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_presets_are_sets_of_grants),
        cmocka_unit_test(test_text_names_grants_and_limits_without_values),
        cmocka_unit_test(test_paths_are_judged_by_their_parts),
        cmocka_unit_test(test_limits_of_grants_are_named),
        cmocka_unit_test(test_foreign_bytes_are_judged),
        cmocka_unit_test(test_remedies_are_the_smallest_grants),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
