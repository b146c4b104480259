/* SPDX-License-Identifier: Apache-2.0 */
/* Pointers: into arguments, kept, moved on through buffers, to texts. */
#include "calls/shape.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int compare_ints(void *context, struct cordon_session *session,
                        const struct cordon_value *args, size_t count,
                        struct cordon_value *ret_value)
{
    int a;
    int b;
    (void)context, (void)session;
    assert_int_equal(count, 2);
    memcpy(&a, args[0].memory, sizeof a);
    memcpy(&b, args[1].memory, sizeof b);
    *ret_value = cordon_int(a - b);
    return 0;
}

static void test_pointers_into_arguments_are_offsets(const struct harness *harness)
{
    struct bench c = bench_open(
        harness, "libc.so.6",
        "long strtol(const char *nptr, out within(nptr) char **endptr, int base);"
        "within(s) char *strchr(const char *s, int c);"
        "within(str) char *strtok_r(nullable char *str, const char *delim,"
        "                           inout within(str) char **saveptr);"
        "within(base) void *bsearch(const void key[size], const void base[n * size], size_t n,"
        "    size_t size, int (*cmp)(const void k[size], const void element[size]));");
    uint64_t end = 0;
    assert_int_equal(
        value(&c, "strtol", ARGS(cordon_string("0x1fz"), cordon_out(&end, 1), cordon_int(16))).i,
        31);
    assert_int_equal(end, 4);
    assert_int_equal(value(&c, "strchr", ARGS(cordon_string("a=b"), cordon_int('='))).u, 1);
    assert_int_equal(value(&c, "strchr", ARGS(cordon_string("a=b"), cordon_int('!'))).kind,
                     CORDON_VALUE_NULL);
    static const int sorted[] = {1, 3, 5, 7};
    int key = 5;
    struct cordon_callback *order = NULL;
    assert_int_equal(cordon_callback_new(compare_ints, NULL, &order), 0);
    assert_int_equal(
        value(&c, "bsearch",
              ARGS(cordon_in(&key, sizeof key), cordon_in(sorted, sizeof sorted), cordon_uint(4),
                   cordon_uint(sizeof(int)), cordon_function_pointer(order)))
            .u,
        2 * sizeof(int));
    cordon_callback_free(order);
    char text[] = "one,two";
    uint64_t save = UINT64_MAX;
    assert_int_equal(
        value(&c, "strtok_r",
              ARGS(cordon_out(text, strlen(text)), cordon_string(","), cordon_out(&save, 1)))
            .u,
        0);
    assert_string_equal(text, "one");
    assert_int_equal(save, 4);
    bench_close(&c);
}

static void test_kept_buffers_stay_where_they_are(const struct harness *harness)
{
    struct bench c = bench_open(
        harness, "libc.so.6",
        "FILE *fmemopen(kept const char buf[size], size_t size, const char *mode);"
        "int setvbuf(FILE *f, nullable kept(until release f) char buf[size], int mode, size_t "
        "size);"
        "int fgetc(FILE *f); int fclose(release FILE *f);"
        "ssize_t getline(inout owned(free) count(*n) char **line, inout size_t *n, FILE *f);");
    static const char lines[] = "a\na line that is longer than the first one\nb\n";
    char buffer[64] = "";
    struct cordon_value file =
        value(&c, "fmemopen", ARGS(cordon_in(lines, strlen(lines)), cordon_string("r")));
    assert_int_equal(file.kind, CORDON_VALUE_HANDLE);
    assert_int_equal(
        value(&c, "setvbuf", ARGS(file, cordon_out(buffer, sizeof buffer), cordon_int(_IOFBF))).i,
        0);
    char *line = NULL;
    size_t room = 0;
    for (const char *expected = lines; *expected;) {
        size_t length = strcspn(expected, "\n") + 1;
        char *before = line;
        assert_int_equal(
            value(&c, "getline", ARGS(cordon_out(&line, 1), cordon_out(&room, 1), file)).i, length);
        assert_int_equal(strlen(line), length);
        assert_memory_equal(line, expected, length);
        free(before);
        expected += length;
    }
    free(line);
    assert_int_equal(value(&c, "fgetc", ARGS(file)).i, EOF);
    assert_int_equal(value(&c, "fclose", ARGS(file)).i, 0);
    bench_close(&c);
}

static void test_iconv_moves_pointers_through_buffers(const struct harness *harness)
{
    struct bench c = bench_open(
        harness, "libc.so.6",
        "iconv_t iconv_open(const char *to, const char *from); int iconv_close(release iconv_t cd);"
        "size_t iconv(iconv_t cd, nullable count(*in) const char *inbuf[1], inout size_t *in,"
        "             nullable out count(*left : all) char *outbuf[1], inout size_t *left);");
    char text[] = "ab";
    char wide[8] = "";
    char *from = text;
    char *to = wide;
    size_t in = 2;
    size_t left = sizeof wide;
    struct cordon_value converter =
        value(&c, "iconv_open", ARGS(cordon_string("UTF-16LE"), cordon_string("UTF-8")));
    assert_int_equal(converter.kind, CORDON_VALUE_HANDLE);
    assert_int_equal(value(&c, "iconv",
                           ARGS(converter, cordon_out(&from, 1), cordon_out(&in, 1),
                                cordon_out(&to, 1), cordon_out(&left, 1)))
                         .u,
                     0);
    assert_int_equal(in, 0);
    assert_int_equal(left, sizeof wide - 4);
    assert_memory_equal(wide, "a\0b\0", 4);
    assert_int_equal(value(&c, "iconv_close", ARGS(converter)).i, 0);
    bench_close(&c);
}

static void test_texts_arrays_and_numbers_pass(const struct harness *harness)
{
    struct bench c =
        bench_open(harness, "libc.so.6",
                   "int vsnprintf(out char str[size], size_t size, const char *format, va_list ap);"
                   "size_t strlen(secret const char *s);"
                   "int getopt(int argc, char *const argv[null], const char *options);"
                   "owned(free) char *strdup(const char *s);");
    char text[16];
    assert_int_equal(value(&c, "vsnprintf",
                           ARGS(cordon_out(text, sizeof text), cordon_uint(sizeof text),
                                cordon_string("%s-%d-%.1f"), cordon_string("x"), cordon_int(4),
                                cordon_float(0.5)))
                         .i,
                     7);
    assert_string_equal(text, "x-4-0.5");
    assert_int_equal(value(&c, "strlen", ARGS(cordon_string("hidden"))).u, 6);
    char program[] = "program"; /* elements of `char *argv[]` come back as well */
    char option[] = "-b";
    char *words[] = {program, option, NULL};
    assert_int_equal(
        value(&c, "getopt", ARGS(cordon_int(2), cordon_in(words, 3), cordon_string("ab"))).i, 'b');
    struct cordon_result result = call(&c, "strdup", ARGS(cordon_string("copied")));
    assert_string_equal((const char *)result.value.memory, "copied");
    cordon_result_release(&result);
    bench_close(&c);
    struct bench m = bench_open(harness, "libm.so.6",
                                "float fabsf(float x); double frexp(double x, out int *exponent);");
    int exponent = 0;
    assert_true(value(&m, "fabsf", ARGS(cordon_float(-1.25))).f == 1.25);
    assert_true(value(&m, "frexp", ARGS(cordon_float(8), cordon_out(&exponent, 1))).f == 0.5);
    assert_int_equal(exponent, 4);
    bench_close(&m);
}

int main(int argc, char **argv)
{
    static const struct harness_case cases[] = {
        SHAPE(pointers_into_arguments_are_offsets, 0),
        SHAPE(kept_buffers_stay_where_they_are, 0),
        SHAPE(iconv_moves_pointers_through_buffers, 0),
        SHAPE(texts_arrays_and_numbers_pass, 0),
    };
    return harness_main(argc, argv, cases, HARNESS_COUNT(cases));
}
