/* SPDX-License-Identifier: Apache-2.0 */

/* Every shape of the declaration language once, on libraries as they are, at all levels. */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "harness/harness.h"

#define ARGS(...)                                                                                  \
    (const struct cordon_value[]){__VA_ARGS__},                                                    \
        sizeof((struct cordon_value[]){__VA_ARGS__}) / sizeof(struct cordon_value)

struct bench {
    struct cordon_cell *cell;
    struct cordon_session *session;
};

static struct bench bench_open(const struct harness *harness, const char *library, const char *text)
{
    struct cordon_cell_options options = harness_options(harness);
    static const char *const grants[] = {"read:/proc/self", "iconv", NULL};
    options.grants = grants;
    options.library = library;
    options.interface_text = text;
    struct bench bench = {.cell = harness_open_with(&options)};
    bench.session = harness_session(bench.cell);
    return bench;
}

static void bench_close(struct bench *bench)
{
    cordon_session_close(bench->session);
    cordon_cell_close(bench->cell);
}

static struct cordon_result call(const struct bench *bench, const char *name,
                                 const struct cordon_value *args, size_t count)
{
    return harness_call(bench->session, harness_bind(bench->cell, name), args, count);
}

static struct cordon_value value(const struct bench *bench, const char *name,
                                 const struct cordon_value *args, size_t count)
{
    return harness_value(bench->session, harness_bind(bench->cell, name), args, count);
}

static void must(int r, const struct cordon_error *error)
{
    if (r != 0) {
        fail_msg("%d: %s", r, error->text);
    }
}

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

static void test_resident_object_is_declared_by_the_caller(const struct harness *harness)
{
    struct bench c =
        bench_open(harness, "libc.so.6",
                   "typedef struct re { token void *b; unsigned long rest[3]; token void *p[2]; "
                   "size_t re_nsub;"
                   "                    unsigned long bits; } regex_t;"
                   "struct match { int start; int end; };"
                   "int regcomp(resident regex_t *preg, const char *pattern, int flags);"
                   "int regexec(resident regex_t *preg, const char *s, size_t n, out struct match "
                   "m[n], int f);"
                   "void regfree(resident regex_t *preg);");
    struct cordon_handle regex = {0};
    struct cordon_error error = {{0}};
    int match[2][2] = {{0}};
    size_t groups = 0;
    must(cordon_object_new(c.session, "regex_t", &regex, &error), &error);
    assert_int_equal(
        value(&c, "regcomp", ARGS(cordon_object(regex), cordon_string("(b+)c"), cordon_int(1))).i,
        0);
    must(cordon_object_read(c.session, regex, "re_nsub", &groups, sizeof groups, &error), &error);
    assert_int_equal(groups, 1);
    assert_int_equal(value(&c, "regexec",
                           ARGS(cordon_object(regex), cordon_string("abbc"), cordon_uint(2),
                                cordon_out(match, 2), cordon_int(0)))
                         .i,
                     0);
    assert_int_equal(match[1][0], 1);
    assert_int_equal(match[1][1], 3);
    (void)call(&c, "regfree", ARGS(cordon_object(regex)));
    must(cordon_object_free(c.session, regex, &error), &error);
    bench_close(&c);
}

#define DATABASE                                                                                   \
    "int sqlite3_open_v2(const char *name, out sqlite3 **db, int flags, nullable const char "      \
    "*vfs);"                                                                                       \
    "int sqlite3_close(release sqlite3 *db);"                                                      \
    "int sqlite3_prepare_v2(sqlite3 *db, const char sql[n], int n, out sqlite3_stmt **stmt,"       \
    "                       nullable out within(sql) const char **tail);"                          \
    "int sqlite3_bind_blob(sqlite3_stmt *s, int i, kept(until release s) const void data[n], int " \
    "n,"                                                                                           \
    "                      nullable void (*destructor)(void *));"                                  \
    "int sqlite3_step(sqlite3_stmt *s); int sqlite3_finalize(release sqlite3_stmt *s);"            \
    "count(sqlite3_column_bytes(s, i)) const void *sqlite3_column_blob(sqlite3_stmt *s, int i);"   \
    "int sqlite3_column_bytes(sqlite3_stmt *s, int i);"                                            \
    "borrowed(s) sqlite3 *sqlite3_db_handle(sqlite3_stmt *s);"                                     \
    "const char *sqlite3_errmsg(sqlite3 *db); int sqlite3_errcode(sqlite3 *db);"                   \
    "void sqlite3_free(token void *p);"                                                            \
    "int sqlite3_exec(sqlite3 *db, const char *sql, int (*row)(void *context, int n,"              \
    "    const char *values[n], const char *names[n]) fails(1), void *context,"                    \
    "    nullable out owned(sqlite3_free) char **message);"

static struct cordon_value open_database(const struct bench *c, struct cordon_handle *db,
                                         const char *name)
{
    return value(c, "sqlite3_open_v2",
                 ARGS(cordon_string(name), cordon_out(db, 1), cordon_int(6), cordon_null()));
}

static void test_database_has_handles_kept_memory_and_asked_lengths(const struct harness *harness)
{
    struct bench c = bench_open(harness, "libsqlite3.so.0", DATABASE);
    struct cordon_handle db = {0};
    struct cordon_handle statement = {0};
    unsigned char blob[] = {1, 0, 2};
    assert_int_equal(open_database(&c, &db, ":memory:").i, 0);
    assert_int_equal(value(&c, "sqlite3_prepare_v2",
                           ARGS(cordon_object(db), cordon_in("select ?1", 9),
                                cordon_out(&statement, 1), cordon_null()))
                         .i,
                     0);
    assert_int_equal(value(&c, "sqlite3_bind_blob",
                           ARGS(cordon_object(statement), cordon_int(1),
                                cordon_in(blob, sizeof blob), cordon_null()))
                         .i,
                     0);
    memset(blob, 9, sizeof blob); /* the library has its own copy */
    assert_int_equal(value(&c, "sqlite3_step", ARGS(cordon_object(statement))).i, 100);
    struct cordon_result result =
        call(&c, "sqlite3_column_blob", ARGS(cordon_object(statement), cordon_int(0)));
    assert_int_equal(result.value.count, 3);
    assert_memory_equal(result.value.memory, "\1\0\2", 3);
    cordon_result_release(&result);
    struct cordon_value same = value(&c, "sqlite3_db_handle", ARGS(cordon_object(statement)));
    assert_int_equal(value(&c, "sqlite3_errcode", ARGS(same)).i, 100);
    assert_int_equal(value(&c, "sqlite3_finalize", ARGS(cordon_object(statement))).i, 0);
    struct cordon_result stale;
    assert_int_equal(cordon_session_call(c.session, harness_bind(c.cell, "sqlite3_errcode"), &same,
                                         1, CORDON_DEFAULT, &stale),
                     CORDON_STALE); /* borrowed from the statement */
    assert_int_equal(value(&c, "sqlite3_close", ARGS(cordon_object(db))).i, 0);
    bench_close(&c);
}

static void test_handle_is_given_also_when_the_call_failed(const struct harness *harness)
{
    struct bench c = bench_open(harness, "libsqlite3.so.0", DATABASE);
    struct cordon_handle db = {0};
    assert_int_equal(open_database(&c, &db, "/no/such/folder/x.db").i, 14);
    struct cordon_result result = call(&c, "sqlite3_errmsg", ARGS(cordon_object(db)));
    assert_string_equal((const char *)result.value.memory, "unable to open database file");
    cordon_result_release(&result);
    assert_int_equal(value(&c, "sqlite3_close", ARGS(cordon_object(db))).i, 0);
    bench_close(&c);
}

static int refuse_row(void *context, struct cordon_session *session,
                      const struct cordon_value *args, size_t count, struct cordon_value *ret_value)
{
    (void)context, (void)session, (void)args, (void)count, (void)ret_value;
    return -ECANCELED;
}

static int take_row(void *context, struct cordon_session *session, const struct cordon_value *args,
                    size_t count, struct cordon_value *ret_value)
{
    const char *const *values = args[1].memory;
    (void)session;
    assert_int_equal(count, 3); /* n is filled in; the context is a token */
    assert_string_equal(values[0], "1");
    assert_null(values[1]);
    ++*(int *)context;
    *ret_value = cordon_int(0);
    return 0;
}

static void test_callbacks_answer_fail_and_give_owned_texts(const struct harness *harness)
{
    struct bench c = bench_open(harness, "libsqlite3.so.0", DATABASE);
    struct cordon_handle db = {0};
    struct cordon_callback *row = NULL;
    struct cordon_callback *refusing = NULL;
    int rows = 0;
    char *message = NULL;
    struct cordon_result result;
    assert_int_equal(open_database(&c, &db, ":memory:").i, 0);
    assert_int_equal(cordon_callback_new(take_row, &rows, &row), 0);
    assert_int_equal(cordon_callback_new(refuse_row, NULL, &refusing), 0);
    assert_int_equal(value(&c, "sqlite3_exec",
                           ARGS(cordon_object(db), cordon_string("select 1, null"),
                                cordon_function_pointer(row), cordon_null(), cordon_null()))
                         .i,
                     0);
    assert_int_equal(rows, 1);
    assert_int_equal(
        cordon_session_call(c.session, harness_bind(c.cell, "sqlite3_exec"),
                            ARGS(cordon_object(db), cordon_string("select 1, null"),
                                 cordon_function_pointer(refusing), cordon_null(), cordon_null()),
                            CORDON_DEFAULT, &result),
        -ECANCELED);
    assert_int_equal(value(&c, "sqlite3_exec",
                           ARGS(cordon_object(db), cordon_string("nonsense"), cordon_null(),
                                cordon_null(), cordon_out(&message, 1)))
                         .i,
                     1);
    assert_string_equal(message, "near \"nonsense\": syntax error");
    free(message);
    assert_int_equal(value(&c, "sqlite3_close", ARGS(cordon_object(db))).i, 0);
    cordon_callback_free(row);
    cordon_callback_free(refusing);
    bench_close(&c);
}

static void test_static_results_have_one_handle(const struct harness *harness)
{
    struct bench c =
        bench_open(harness, "libcrypto.so.3",
                   "static const EVP_MD *EVP_sha256(void); int EVP_MD_get_size(const EVP_MD *md);");
    struct cordon_value first = value(&c, "EVP_sha256", NULL, 0);
    struct cordon_value second = value(&c, "EVP_sha256", NULL, 0);
    assert_memory_equal(&first.handle, &second.handle, sizeof first.handle);
    assert_int_equal(value(&c, "EVP_MD_get_size", ARGS(first)).i, 32);
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

/* An iovec whose pointer is a member of a union: bytes for six, text for other lengths. */
static void test_members_behind_pointers_and_in_unions_come_back(const struct harness *harness)
{
    struct bench c = bench_open(harness, "libc.so.6",
                                "struct iovec { out void base[len]; size_t len; };"
                                "struct piece { union { case 6: out uint8_t b[len]; case 0: ; "
                                "default: out char t[len : all]; }"
                                "               u switch(len); size_t len; };"
                                "int open(const char *path, int flags, ...); int close(int fd);"
                                "ssize_t readv(int fd, const struct iovec iov[n], int n);"
                                "symbol(\"preadv\") ssize_t preadv_pieces(int fd, inout struct "
                                "piece iov[n], int n, off_t at);");
    struct {
        char *base;
        size_t len;
    } pieces[2];
    char first[7] = "......";
    char second[3] = "..";
    pieces[0].base = first;
    pieces[0].len = 6;
    pieces[1].base = second;
    pieces[1].len = 2;
    int64_t fd =
        value(&c, "open", ARGS(cordon_string("/proc/self/status"), cordon_int(O_RDONLY))).i;
    assert_true(fd >= 0);
    assert_int_equal(value(&c, "readv", ARGS(cordon_int(fd), cordon_in(pieces, 2))).i, 8);
    assert_memory_equal(first, "Name:\t", 6);
    memset(first, '.', 6);
    struct cordon_result result =
        call(&c, "preadv_pieces", ARGS(cordon_int(fd), cordon_out(pieces, 2), cordon_int(0)));
    assert_int_equal(result.value.i, 8);
    assert_memory_equal(first, "Name:\t", 6);
    assert_ptr_equal(pieces[0].base, first);
    assert_int_equal(value(&c, "close", ARGS(cordon_int(fd))).i, 0);
    bench_close(&c);
}

static void test_structs_nest_and_pass_by_value(const struct harness *harness)
{
    struct bench c = bench_open(
        harness, "libc.so.6",
        "typedef struct { int quot; int rem; } div_t; div_t div(int numer, int denom);"
        "struct point { int x; int y; }; struct box { struct point corners[2]; double weight; };"
        "enum kind { NOTHING, NUMBER, TEXT };"
        "struct any { enum kind kind; union { case NOTHING: ; case NUMBER: int i;"
        "             case TEXT: char text[8]; } u switch(kind); };"
        "symbol(\"memcmp\") int differ(const struct box *a, const struct box *b, size_t bytes);"
        "symbol(\"memcmp\") int differ_any(const struct any *a, const struct any *b, size_t bytes);"
        "symbol(\"abs\") enum kind kind_of(enum kind kind); symbol(\"abs\") bool truth(bool b);");
    struct {
        int quot, rem;
    } divided;
    struct cordon_result result = call(&c, "div", ARGS(cordon_int(17), cordon_int(5)));
    memcpy(&divided, result.value.memory, sizeof divided);
    cordon_result_release(&result);
    assert_int_equal(divided.quot, 3);
    assert_int_equal(divided.rem, 2);
    struct {
        int corners[2][2];
        double weight;
    } box = {{{1, 2}, {3, 4}}, 0.5}, other = box;
    assert_int_equal(
        value(&c, "differ", ARGS(cordon_in(&box, 1), cordon_in(&other, 1), cordon_uint(sizeof box)))
            .i,
        0);
    other.corners[1][0] = 5;
    assert_int_not_equal(
        value(&c, "differ", ARGS(cordon_in(&box, 1), cordon_in(&other, 1), cordon_uint(sizeof box)))
            .i,
        0);
    struct {
        uint32_t kind;
        char text[8];
    } a = {1, "\1\0\0\0AAA"}, b = {1, "\1\0\0\0BBB"};
    const size_t any = sizeof a;
    assert_int_equal(
        value(&c, "differ_any", ARGS(cordon_in(&a, 1), cordon_in(&b, 1), cordon_uint(any))).i, 0);
    a.kind = b.kind = 2;
    assert_int_not_equal(
        value(&c, "differ_any", ARGS(cordon_in(&a, 1), cordon_in(&b, 1), cordon_uint(any))).i, 0);
    a.kind = b.kind = 0;
    assert_int_equal(
        value(&c, "differ_any", ARGS(cordon_in(&a, 1), cordon_in(&b, 1), cordon_uint(any))).i, 0);
    a.kind = 3;
    assert_int_equal(cordon_session_call(c.session, harness_bind(c.cell, "differ_any"),
                                         ARGS(cordon_in(&a, 1), cordon_in(&b, 1), cordon_uint(any)),
                                         CORDON_DEFAULT, &result),
                     -EINVAL);
    assert_non_null(strstr(result.error.text, "union"));
    assert_int_equal(value(&c, "kind_of", ARGS(cordon_int(2))).u, 2);
    assert_int_equal(value(&c, "truth", ARGS(cordon_bool(true))).u, 1);
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

#define ADDRESSES                                                                                  \
    "struct addrinfo { int ai_flags; int ai_family; int ai_socktype; int ai_protocol;"             \
    "    socklen_t ai_addrlen; const void ai_addr[ai_addrlen]; const char *ai_canonname;"          \
    "    struct addrinfo *ai_next; };"                                                             \
    "int getaddrinfo(nullable const char *node, nullable const char *service,"                     \
    "    nullable const struct addrinfo *hints, out resident struct addrinfo **res);"              \
    "void freeaddrinfo(release resident struct addrinfo *res);"

static void read_int(const struct bench *c, struct cordon_handle object, const char *member,
                     int expected)
{
    struct cordon_error error = {{0}};
    int number = -1;
    must(cordon_object_read(c->session, object, member, &number, sizeof number, &error), &error);
    assert_int_equal(number, expected);
}

static void test_linked_results_are_followed(const struct harness *harness)
{
    struct bench c = bench_open(harness, "libc.so.6", ADDRESSES);
    struct {
        int flags, family, type, protocol;
        uint32_t bytes;
        void *address;
        const char *name;
        void *next;
    } hints = {.flags =
                   0x404}; /* AI_NUMERICHOST, AI_NUMERICSERV: three entries, one for each type */
    struct cordon_handle first = {0};
    struct cordon_handle next = {0};
    struct cordon_handle again = {0};
    struct cordon_handle last = {0};
    struct cordon_error error = {{0}};
    assert_int_equal(value(&c, "getaddrinfo",
                           ARGS(cordon_string("127.0.0.1"), cordon_string("80"),
                                cordon_in(&hints, 1), cordon_out(&first, 1)))
                         .i,
                     0);
    read_int(&c, first, "ai_family", AF_INET);
    read_int(&c, first, "ai_addrlen", sizeof(struct sockaddr_in));
    struct sockaddr_in address;
    must(cordon_object_fetch(c.session, first, "ai_addr", 0, &address, sizeof address, &error),
         &error);
    assert_int_equal(ntohs(address.sin_port), 80);
    assert_int_equal(ntohl(address.sin_addr.s_addr), INADDR_LOOPBACK);
    assert_int_equal(
        cordon_object_fetch(c.session, first, "ai_addr", 1, &address, sizeof address, &error),
        -EINVAL);
    char name[16];
    assert_int_equal(
        cordon_object_fetch(c.session, first, "ai_canonname", 0, name, sizeof name, &error),
        -ENOENT);
    int type = 0;
    must(cordon_object_read(c.session, first, "ai_socktype", &type, sizeof type, &error), &error);
    must(cordon_object_follow(c.session, first, "ai_next", &next, &error), &error);
    must(cordon_object_follow(c.session, first, "ai_next", &again, &error), &error);
    assert_memory_equal(&next, &again, sizeof next);
    assert_int_equal(next.tag, first.tag);
    int other = 0;
    must(cordon_object_read(c.session, next, "ai_socktype", &other, sizeof other, &error), &error);
    assert_int_not_equal(type, other);
    must(cordon_object_follow(c.session, next, "ai_next", &next, &error), &error);
    must(cordon_object_follow(c.session, next, "ai_next", &last, &error), &error);
    assert_memory_equal(&last, &(struct cordon_handle){0}, sizeof last); /* the end */
    assert_int_equal(cordon_object_follow(c.session, first, "ai_addr", &last, &error), -EINVAL);
    (void)call(&c, "freeaddrinfo", ARGS(cordon_object(first)));
    assert_int_equal(cordon_object_read(c.session, next, "ai_flags", &type, sizeof type, &error),
                     CORDON_STALE); /* the list ended as a whole */
    bench_close(&c);
}

static void test_strings_of_results_are_fetched(const struct harness *harness)
{
    struct bench c = bench_open(harness, "libc.so.6", ADDRESSES);
    struct {
        int flags, family, type, protocol;
        uint32_t bytes;
        void *address;
        const char *name;
        void *next;
    } hints = {.flags = 0x406, .type = 1}; /* AI_CANONNAME too */
    struct cordon_handle found = {0};
    struct cordon_error error = {{0}};
    assert_int_equal(value(&c, "getaddrinfo",
                           ARGS(cordon_string("127.0.0.1"), cordon_string("80"),
                                cordon_in(&hints, 1), cordon_out(&found, 1)))
                         .i,
                     0);
    char name[32];
    memset(name, 'x', sizeof name);
    must(cordon_object_fetch(c.session, found, "ai_canonname", 0, name, sizeof name, &error),
         &error);
    assert_string_equal(name, "127.0.0.1");
    assert_int_equal(name[sizeof name - 1], '\0');
    must(cordon_object_fetch(c.session, found, "ai_canonname", 4, name, 3, &error), &error);
    assert_memory_equal(name, "0.0", 3);
    (void)call(&c, "freeaddrinfo", ARGS(cordon_object(found)));
    bench_close(&c);
}

#define SHAPE(name, flags)                                                                         \
    {                                                                                              \
#name, test_##name, HARNESS_ALL_LEVELS, flags, 0                                           \
    }

int main(int argc, char **argv)
{
    static const struct harness_case cases[] = {
        SHAPE(pointers_into_arguments_are_offsets, 0),
        SHAPE(kept_buffers_stay_where_they_are, 0),
        SHAPE(resident_object_is_declared_by_the_caller, 0),
        SHAPE(database_has_handles_kept_memory_and_asked_lengths, 0),
        SHAPE(handle_is_given_also_when_the_call_failed, 0),
        SHAPE(callbacks_answer_fail_and_give_owned_texts, 0),
        SHAPE(static_results_have_one_handle, 0),
        SHAPE(iconv_moves_pointers_through_buffers, 0),
        SHAPE(members_behind_pointers_and_in_unions_come_back, 0),
        SHAPE(structs_nest_and_pass_by_value, 0),
        SHAPE(texts_arrays_and_numbers_pass, 0),
        SHAPE(linked_results_are_followed, HARNESS_LEAVES_FDS),
        SHAPE(strings_of_results_are_fetched, HARNESS_LEAVES_FDS),
    };
    return harness_main(argc, argv, cases, HARNESS_COUNT(cases));
}
