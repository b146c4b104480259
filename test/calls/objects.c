/* SPDX-License-Identifier: Apache-2.0 */
/* Objects that stay in the worker, and what they call back with. */
#include "calls/shape.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

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

int main(int argc, char **argv)
{
    static const struct harness_case cases[] = {
        SHAPE(resident_object_is_declared_by_the_caller, 0),
        SHAPE(database_has_handles_kept_memory_and_asked_lengths, 0),
        SHAPE(handle_is_given_also_when_the_call_failed, 0),
        SHAPE(callbacks_answer_fail_and_give_owned_texts, 0),
        SHAPE(static_results_have_one_handle, 0),
    };
    return harness_main(argc, argv, cases, HARNESS_COUNT(cases));
}
