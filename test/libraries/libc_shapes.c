/* SPDX-License-Identifier: Apache-2.0 */

/* The declaration language's shapes on the C library: callbacks, varargs, va_list, getline, readv, ... */
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <regex.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fd.h"
#include "libraries/subject.h"

static int compare_directly(const void *a, const void *b)
{
    int x;
    int y;
    memcpy(&x, a, sizeof x);
    memcpy(&y, b, sizeof y);
    return (x > y) - (x < y);
}

/* A comparison that also calls the cell from inside: abs() of the difference decides nothing. */
static int compare(void *context, struct cordon_session *session, const struct cordon_value *args,
                   size_t count, struct cordon_value *ret_value)
{
    const struct subject *c = context;
    assert_int_equal(count, 2);
    assert_int_equal(args[0].count, sizeof(int));
    if (c) {
        assert_ptr_equal(session, c->session);
        assert_int_equal(subject_int(c, "abs", ARGS(cordon_int(-5))), 5);
    }
    *ret_value = cordon_int(compare_directly(args[0].memory, args[1].memory));
    return 0;
}

static void test_qsort_and_bsearch_equal_direct_calls(const struct harness *harness)
{
    struct subject c = subject_open_interface(harness, "libc.cordon");
    for (int nested = 0; nested < 2; nested++) {
        struct cordon_callback *order = NULL;
        int ours[100], direct[100];
        for (int i = 0; i < 100; i++) {
            ours[i] = direct[i] = i * 7919 % 1000 - 500;
        }
        assert_int_equal(cordon_callback_new(compare, nested ? &c : NULL, &order), 0);
        qsort(direct, 100, sizeof(int), compare_directly);
        subject_void(&c, "qsort",
                     ARGS(cordon_out(ours, sizeof ours), cordon_uint(100), cordon_uint(sizeof(int)),
                          cordon_function_pointer(order)));
        assert_memory_equal(ours, direct, sizeof ours);
        for (int key = direct[3]; key < direct[3] + 3; key++) {
            const int *found = bsearch(&key, direct, 100, sizeof(int), compare_directly);
            struct cordon_result result = subject_result(
                &c, "bsearch",
                ARGS(cordon_in(&key, sizeof key), cordon_in(ours, sizeof ours), cordon_uint(100),
                     cordon_uint(sizeof(int)), cordon_function_pointer(order)));
            if (found) {
                assert_int_equal(result.value.kind, CORDON_VALUE_UINT);
                assert_int_equal(result.value.u, (found - direct) * (ptrdiff_t)sizeof(int));
            } else {
                assert_int_equal(result.value.kind, CORDON_VALUE_NULL);
            }
        }
        cordon_callback_free(order);
    }
    subject_close(&c);
}

static int give_up(void *context, struct cordon_session *session, const struct cordon_value *args,
                   size_t count, struct cordon_value *ret_value)
{
    (void)session, (void)args, (void)count, (void)ret_value;
    ++*(int *)context;
    return -ECANCELED;
}

static void test_failure_of_a_callback_is_the_calls_error(const struct harness *harness)
{
    struct subject c = subject_open(harness, "libc.so.6",
                                    "void qsort(int base[n], size_t n, size_t size,\n"
                                    "           int (*cmp)(const int *a, const int *b) fails(0));\n"
                                    "int abs(int j);",
                                    0);
    struct cordon_callback *order = NULL;
    int calls = 0;
    int numbers[4] = {4, 3, 2, 1};
    assert_int_equal(cordon_callback_new(give_up, &calls, &order), 0);
    struct cordon_value args[] = {cordon_out(numbers, 4), cordon_uint(sizeof(int)),
                                  cordon_function_pointer(order)};
    struct cordon_result result;
    assert_int_equal(cordon_session_call(c.session, harness_bind(c.cell, "qsort"), args, 3,
                                         CORDON_DEFAULT, &result),
                     -ECANCELED);
    assert_true(calls > 0);
    assert_int_equal(subject_int(&c, "abs", ARGS(cordon_int(-2))), 2);
    cordon_callback_free(order);
    subject_close(&c);
}

static void test_failure_without_a_declared_value_aborts(const struct harness *harness)
{
    struct subject c = subject_open_interface(harness, "libc.cordon");
    struct cordon_callback *order = NULL;
    int calls = 0;
    int numbers[4] = {4, 3, 2, 1};
    assert_int_equal(cordon_callback_new(give_up, &calls, &order), 0);
    struct cordon_value args[] = {cordon_out(numbers, sizeof numbers), cordon_uint(4),
                                  cordon_uint(sizeof(int)), cordon_function_pointer(order)};
    struct cordon_result result;
    int r = cordon_session_call(c.session, harness_bind(c.cell, "qsort"), args, 4, CORDON_DEFAULT,
                                &result);
    harness_expect(r, CORDON_ABORTED, &result);
    assert_int_equal(calls, 1);
    assert_int_equal(numbers[0], 4);
    assert_int_equal(subject_int(&c, "abs", ARGS(cordon_int(-2))), 2);
    cordon_callback_free(order);
    subject_close(&c);
}

static void test_formatting_equals_direct_calls(const struct harness *harness)
{
    struct subject c = subject_open_interface(harness, "libc.cordon");
    static const char *const names[] = {"snprintf", "vsnprintf"};
    char direct[128];
    int length =
        snprintf(direct, sizeof direct, "%d|%s|%.3f|%lu|%c|%5.1e|%zu|%lld|%x", -7, "text", 2.5,
                 18446744073709551615ul, 'c', 12345.678, (size_t)99, -9000000000ll, 0xbeefu);
    for (size_t i = 0; i < HARNESS_COUNT(names); i++) {
        char ours[128] = "";
        assert_int_equal(subject_int(&c, names[i],
                                     ARGS(cordon_out(ours, sizeof ours), cordon_uint(sizeof ours),
                                          cordon_string("%d|%s|%.3f|%lu|%c|%5.1e|%zu|%lld|%x"),
                                          cordon_int(-7), cordon_string("text"), cordon_float(2.5),
                                          cordon_typed(cordon_uint(UINT64_MAX), CORDON_TYPE_ULONG),
                                          cordon_int('c'), cordon_float(12345.678),
                                          cordon_typed(cordon_uint(99), CORDON_TYPE_SIZE),
                                          cordon_typed(cordon_int(-9000000000), CORDON_TYPE_LLONG),
                                          cordon_uint(0xbeef))),
                         length);
        assert_string_equal(ours, direct);
        char cut[4] = "";
        assert_int_equal(subject_int(&c, names[i],
                                     ARGS(cordon_out(cut, 4), cordon_uint(4), cordon_string("%s"),
                                          cordon_string("longer"))),
                         6);
        assert_string_equal(cut, "lon");
    }
    subject_close(&c);
}

/* The path of a small file that this user owns; removed by the caller. */
static void make_file(char *path, const char *content)
{
    OWN_FD fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(fchmod(fd, 0644), 0);
    assert_int_equal(write(fd, content, strlen(content)), strlen(content));
    fd_release(&fd);
}

static void test_getline_grows_the_callers_line(const struct harness *harness)
{
    static const char content[] = "one\na considerably longer second line\n\nend";
    struct subject c = subject_open_with_files(harness, "libc.cordon");
    char path[] = "/tmp/cordon-lines-XXXXXX";
    make_file(path, content);
    struct cordon_result opened =
        subject_result(&c, "fopen", ARGS(cordon_string(path), cordon_string("r")));
    if (opened.value.kind == CORDON_VALUE_NULL) {
        (void)unlink(path);
        harness_skip("the policy does not let the worker read %s", path);
    }
    char *line = NULL;
    size_t room = 0;
    const char *expected = content;
    while (*expected) {
        size_t length = strcspn(expected, "\n") + (strchr(expected, '\n') != NULL);
        char *before = line;
        assert_int_equal(subject_int(&c, "getline",
                                     ARGS(cordon_out(&line, 1), cordon_out(&room, 1),
                                          cordon_object(opened.value.handle))),
                         length);
        free(before);
        assert_int_equal(strlen(line), length);
        assert_memory_equal(line, expected, length);
        expected += length;
    }
    char *last = line;
    assert_int_equal(subject_int(&c, "getline",
                                 ARGS(cordon_out(&line, 1), cordon_out(&room, 1),
                                      cordon_object(opened.value.handle))),
                     -1);
    free(last);
    free(line);
    assert_int_equal(subject_int(&c, "fclose", ARGS(cordon_object(opened.value.handle))), 0);
    assert_int_equal(unlink(path), 0);
    subject_close(&c);
}

static void test_readv_fills_the_callers_pieces(const struct harness *harness)
{
    static const char *const grants[] = {"read:/proc/self", NULL};
    struct subject c = subject_open_granted(harness, "libc.cordon", grants);
    int64_t fd =
        subject_int(&c, "open", ARGS(cordon_string("/proc/self/status"), cordon_int(O_RDONLY)));
    assert_true(fd >= 0);
    char first[6] = ".....";
    char second[3] = "..";
    struct iovec pieces[2] = {{first, 5}, {second, 1}};
    assert_int_equal(subject_int(&c, "readv", ARGS(cordon_int(fd), cordon_in(pieces, 2))), 6);
    assert_string_equal(first, "Name:");
    assert_int_equal(second[1], '.');
    assert_int_equal(subject_int(&c, "close", ARGS(cordon_int(fd))), 0);
    subject_close(&c);
}

static void test_regex_lives_in_the_worker(const struct harness *harness)
{
    struct subject c = subject_open_interface(harness, "libc.cordon");
    static const char pattern[] = "([a-z]+)-([0-9]+)";
    static const char string[] = "see issue-42 there";
    struct cordon_error error = {{0}};
    struct cordon_handle regex;
    regex_t direct_regex;
    regmatch_t direct[3], ours[3];
    assert_int_equal(regcomp(&direct_regex, pattern, REG_EXTENDED), 0);
    assert_int_equal(regexec(&direct_regex, string, 3, direct, 0), 0);
    regfree(&direct_regex);
    assert_int_equal(cordon_object_new(c.session, "regex_t", &regex, &error), 0);
    assert_int_equal(
        subject_int(&c, "regcomp",
                    ARGS(cordon_object(regex), cordon_string(pattern), cordon_int(REG_EXTENDED))),
        0);
    assert_int_equal(subject_int(&c, "regexec",
                                 ARGS(cordon_object(regex), cordon_string(string), cordon_uint(3),
                                      cordon_out(ours, 3), cordon_int(0))),
                     0);
    assert_memory_equal(ours, direct, sizeof ours);
    assert_int_equal(subject_int(&c, "regexec",
                                 ARGS(cordon_object(regex), cordon_string("nothing"),
                                      cordon_uint(0), cordon_out(ours, 0), cordon_int(0))),
                     REG_NOMATCH);
    subject_void(&c, "regfree", ARGS(cordon_object(regex)));
    subject_close(&c);
}

static void test_iconv_converts_between_the_callers_buffers(const struct harness *harness)
{
    static const char *const grants[] = {"iconv", NULL};
    struct subject c = subject_open_granted(harness, "libc.cordon", grants);
    char in[] = "caf\xc3\xa9!";
    char out[32] = "";
    char *in_at = in;
    char *out_at = out;
    size_t in_left = strlen(in);
    size_t out_left = sizeof out;
    struct cordon_handle converter =
        subject_handle(&c, "iconv_open", ARGS(cordon_string("UTF-16LE"), cordon_string("UTF-8")));
    assert_int_equal(
        subject_uint(&c, "iconv",
                     ARGS(cordon_object(converter), cordon_out(&in_at, 1), cordon_out(&in_left, 1),
                          cordon_out(&out_at, 1), cordon_out(&out_left, 1))),
        0);
    assert_int_equal(in_left, 0);
    assert_int_equal(out_left, sizeof out - 10);
    assert_memory_equal(out, "c\0a\0f\0\xe9\0!\0", 10);
    assert_int_equal(subject_int(&c, "iconv_close", ARGS(cordon_object(converter))), 0);
    subject_close(&c);
}

static void test_getaddrinfo_gives_an_object(const struct harness *harness)
{
    static const char *const grants[] = {"resolver", NULL};
    struct subject c = subject_open_granted(harness, "libc.cordon", grants);
    struct addrinfo hints = {.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV, .ai_socktype = 1};
    struct cordon_handle found = {0};
    struct cordon_error error = {{0}};
    assert_int_equal(subject_int(&c, "getaddrinfo",
                                 ARGS(cordon_string("127.0.0.1"), cordon_string("80"),
                                      cordon_in(&hints, 1), cordon_out(&found, 1))),
                     0);
    int family = 0;
    int r = cordon_object_read(c.session, found, "ai_family", &family, sizeof family, &error);
    if (r != 0) {
        fail_msg("ai_family: %d: %s", r, error.text);
    }
    assert_int_equal(family, AF_INET);
    subject_void(&c, "freeaddrinfo", ARGS(cordon_object(found)));
    assert_int_equal(subject_int(&c, "getaddrinfo",
                                 ARGS(cordon_string("no number"), cordon_null(),
                                      cordon_in(&hints, 1), cordon_out(&found, 1))),
                     EAI_NONAME);
    subject_text(&c, gai_strerror(EAI_NONAME), "gai_strerror", ARGS(cordon_int(EAI_NONAME)));
    subject_close(&c);
}

int main(int argc, char **argv)
{
    static const struct harness_case cases[] = {
        {"qsort_and_bsearch_equal_direct_calls", test_qsort_and_bsearch_equal_direct_calls,
         HARNESS_ALL_LEVELS, 0, 0},
        {"failure_of_a_callback_is_the_calls_error", test_failure_of_a_callback_is_the_calls_error,
         HARNESS_ALL_LEVELS, 0, 0},
        {"failure_without_a_declared_value_aborts", test_failure_without_a_declared_value_aborts,
         HARNESS_PROCESS, 0, 0},
        {"formatting_equals_direct_calls", test_formatting_equals_direct_calls, HARNESS_ALL_LEVELS,
         0, 0},
        {"getline_grows_the_callers_line", test_getline_grows_the_callers_line, HARNESS_ALL_LEVELS,
         HARNESS_LEAVES_FDS, 0},
        {"readv_fills_the_callers_pieces", test_readv_fills_the_callers_pieces, HARNESS_ALL_LEVELS,
         0, 0},
        {"regex_lives_in_the_worker", test_regex_lives_in_the_worker, HARNESS_ALL_LEVELS, 0, 0},
        {"iconv_converts_between_the_callers_buffers",
         test_iconv_converts_between_the_callers_buffers, HARNESS_ALL_LEVELS, 0, 0},
        {"getaddrinfo_gives_an_object", test_getaddrinfo_gives_an_object, HARNESS_ALL_LEVELS,
         HARNESS_LEAVES_FDS, 0},
    };
    return harness_main(argc, argv, cases, HARNESS_COUNT(cases));
}
