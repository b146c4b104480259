/* SPDX-License-Identifier: Apache-2.0 */
/* What declarations mean: each shape of the language as a line of types, directions and passings. */
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "prototype/plan.h"
#include "prototype/prototype.h"

/* What `char` is, the machine says. */
#if CHAR_MIN < 0
#define PLAIN "i8"
#else
#define PLAIN "u8"
#endif

static const char *const kind_names[CORDON_PLAN_KIND_COUNT] = {
    "void",   "bool",     "i8",    "u8",     "i16",     "u16",   "i32",     "u32",
    "i64",    "u64",      "f32",   "f64",    "struct",  "array", "pointer", "string",
    "handle", "callback", "token", "within", "varargs", "union"};

struct line {
    char text[1024];
};

static void add(struct line *line, const char *text)
{
    size_t used = strlen(line->text);
    (void)snprintf(line->text + used, sizeof line->text - used, "%s", text);
}

static void add_flags(struct line *line, uint32_t flags)
{
    static const char *const names[] = {"null",     "secret", "owned",    "release", "static",
                                        "borrowed", "kept",   "resident", "text",    "nullended",
                                        "va_list",  "enum",   "const",    "escape"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (flags >> i & 1) {
            add(line, "'");
            add(line, names[i]);
        }
    }
}

static void add_type(struct line *line, const struct plan *plan, uint32_t index)
{
    static const char *const directions[] = {"", "in ", "out ", "inout "};
    const struct cordon_plan_type *type = plan_type(plan, index);
    if (type->kind == CORDON_PLAN_POINTER || type->kind == CORDON_PLAN_STRING) {
        add(line, directions[type->direction]);
    }
    add(line, kind_names[type->kind]);
    add(line, type->code != CORDON_PLAN_NONE ? "[]" : "");
    add_flags(line, type->flags);
    if (type->kind == CORDON_PLAN_POINTER || type->kind == CORDON_PLAN_ARRAY) {
        add(line, ">");
        add_type(line, plan, type->target);
    }
}

/* "result(name:type/passing, ...)": '*' marks a parameter that is filled in. */
static void describe(struct line *line, const struct plan *plan, uint32_t index)
{
    static const char *const passings[] = {"", "/w", "/b", "/d", "/v"};
    const struct cordon_plan_function *function = plan_function(plan, index);
    line->text[0] = '\0';
    add_type(line, plan, function->result.type);
    add(line, passings[function->result.passing]);
    add(line, "(");
    for (uint32_t i = 0; i < function->param_count; i++) {
        const struct cordon_plan_param *param = plan_function_param(plan, function, i);
        add(line, i ? ", " : "");
        add(line, plan_name(plan, param->name));
        add(line, param->flags & CORDON_PLAN_FILLED ? "*:" : ":");
        add_type(line, plan, param->type);
        add(line, passings[param->passing]);
    }
    add(line, ")");
}

struct shape {
    const char *text;
    const char *expected;
    const char *callback; /* of plan function 1, or NULL */
};

static void check_shapes(const struct shape *shapes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct interface *interface = NULL;
        struct message why = {{0}};
        if (interface_parse("prototype", shapes[i].text, strlen(shapes[i].text), &interface, &why) <
            0) {
            fail_msg("%s", why.text);
        }
        size_t bytes = 0;
        const void *raw =
            interface_plan(interface, interface_function_count(interface) - 1, &bytes);
        const struct plan *plan = NULL;
        if (plan_validate(raw, bytes, &plan, &why) < 0) {
            fail_msg("%s: %s", shapes[i].text, why.text);
        }
        struct line line;
        describe(&line, plan, 0);
        assert_string_equal(line.text, shapes[i].expected);
        if (shapes[i].callback) {
            describe(&line, plan, 1);
            assert_string_equal(line.text, shapes[i].callback);
        }
        interface_free(interface);
    }
}

#define CHECK(shapes) check_shapes(shapes, sizeof(shapes) / sizeof((shapes)[0]))

static void test_scalars_take_every_spelling(void **state)
{
    (void)state;
    static const struct shape shapes[] = {
        {"int f(void)", "i32/w()", NULL},
        {"void f()", "void()", NULL},
        {"long unsigned int f(signed, unsigned, short int, long long, unsigned long long int)",
         "u64/w(arg0:i32/w, arg1:u32/w, arg2:i16/w, arg3:i64/w, arg4:u64/w)", NULL},
        {"char f(signed char a, unsigned char b, _Bool c, bool d)",
         PLAIN "/w(a:i8/w, b:u8/w, c:bool/w, d:bool/w)", NULL},
        {"float f(double x, int8_t a, uint64_t b, size_t c, ssize_t d, off_t e, mode_t m)",
         "f32/w(x:f64/w, a:i8/w, b:u64/w, c:u64/w, d:i64/w, e:i64/w, m:u32/w)", NULL},
        {"extern int f(register int a, volatile const long b) __attribute__((nonnull(1))) __THROW;",
         "i32/w(a:i32/w, b:i64/w)", NULL},
        {"SQLITE_API int f(int out, int count, int result, int in, int token, int kept);",
         "i32/w(out:i32/w, count:i32/w, result:i32/w, in:i32/w, token:i32/w, kept:i32/w)", NULL},
        {"enum color { RED, GREEN = 5 }; enum color f(enum color c)", "u32'enum/w(c:u32'enum/w)",
         NULL},
        {"enum e { A = -1 }; enum e f(void)", "i32'enum/w()", NULL},
    };
    CHECK(shapes);
}

static void test_arrays_have_directions_and_fill_lengths(void **state)
{
    (void)state;
    static const struct shape shapes[] = {
        {"uint32_t crc32(uint32_t crc, const uint8_t buf[len], uint32_t len)",
         "u32/w(crc:u32/w, buf:in pointer[]'const>u8/b, len*:u32/w)", NULL},
        {"uint32_t crc32(uint32_t crc, count(len) const uint8_t *buf, uint32_t len)",
         "u32/w(crc:u32/w, buf:in pointer[]'const>u8/b, len*:u32/w)", NULL},
        {"int compress(out uint8_t dest[*destLen], inout unsigned long *destLen, "
         "const uint8_t source[n], unsigned long n)",
         "i32/w(dest:out pointer[]>u8/b, destLen:inout pointer>u64/w, "
         "source:in pointer[]'const>u8/b, n*:u64/w)",
         NULL},
        {"void f(int v[n], int n)", "void(v:inout pointer[]>i32/b, n*:i32/w)", NULL},
        {"void f(out int v[n], const int w[n], int n)",
         "void(v:out pointer[]>i32/b, w:in pointer[]'const>i32/b, n:i32/w)", NULL},
        {"void f(const int v[n], const int w[2 * n], int n)",
         "void(v:in pointer[]'const>i32/b, w:in pointer[]'const>i32/b, n:i32/w)", NULL},
        {"void f(const int v[n], const int w[n], int n)",
         "void(v:in pointer[]'const>i32/b, w:in pointer[]'const>i32/b, n*:i32/w)", NULL},
        {"ssize_t read(int fd, out uint8_t buf[n : result], size_t n)",
         "i64/w(fd:i32/w, buf:out pointer[]>u8/b, n:u64/w)", NULL},
        {"void f(const void a[size], size_t size)",
         "void(a:in pointer[]'const>void/b, size*:u64/w)", NULL},
        {"void f(const double m[rows][3], int rows)",
         "void(m:in pointer[]'const>array>f64/b, rows*:i32/w)", NULL},
        {"void f(char s[n], size_t n)", "void(s:inout pointer[]'text>" PLAIN "/b, n*:u64/w)", NULL},
    };
    CHECK(shapes);
}

static void test_strings_come_in_go_back_and_are_owned(void **state)
{
    (void)state;
    static const struct shape shapes[] = {
        {"size_t strlen(const char *s)", "u64/w(s:in string'const/b)", NULL},
        {"size_t strftime(out char s[max], size_t max, const char *format)",
         "u64/w(s:out string[]/b, max:u64/w, format:in string'const/b)", NULL},
        {"const char *zlibVersion(void)", "out string'null'const/d()", NULL},
        {"owned(free) char *strdup(const char *s)", "out string'null'owned/d(s:in string'const/b)",
         NULL},
        {"int asprintf(out owned(free) char **strp, const char *format, ...)",
         "i32/w(strp:out pointer>out string'null'owned/d, format:in string'const/b, ...:varargs/v)",
         NULL},
        {"ssize_t getline(inout owned(free) count(*n) char **line, inout size_t *n, FILE *stream)",
         "i64/w(line:inout pointer>out string[]'null'owned/d, n:inout pointer>u64/w, "
         "stream:handle/w)",
         NULL},
        {"string const unsigned char *sqlite3_column_text(sqlite3_stmt *s, int c)",
         "out string'null'const/d(s:handle/w, c:i32/w)", NULL},
        {"int execv(const char *path, char *const argv[null])",
         "i32/w(path:in string'const/b, argv:in pointer'nullended'const>inout string'null/b)",
         NULL},
        {"int f(const char *names[n], int n)",
         "i32/w(names:in pointer[]>in string'null'const/b, n*:i32/w)", NULL},
    };
    CHECK(shapes);
}

static void test_handles_say_where_they_begin_and_end(void **state)
{
    (void)state;
    static const struct shape shapes[] = {
        {"int sqlite3_open(const char *filename, out sqlite3 **db)",
         "i32/w(filename:in string'const/b, db:out pointer>handle'null/w)", NULL},
        {"int sqlite3_close(release sqlite3 *db)", "i32/w(db:handle'release/w)", NULL},
        {"typedef struct evp_md_st EVP_MD; static const EVP_MD *EVP_sha256(void)",
         "handle'null'static'const/w()", NULL},
        {"borrowed(doc) node *root(doc_t *doc)", "handle'null'borrowed/w(doc:handle/w)", NULL},
        {"typedef struct { int a; int b; } z_stream; int inflate(resident z_stream *s, int flush)",
         "i32/w(s:handle'resident/w, flush:i32/w)", NULL},
        {"struct addrinfo { int flags; struct addrinfo *next; };"
         "int getaddrinfo(nullable const struct addrinfo *h, out resident struct addrinfo **res)",
         "i32/w(h:in pointer'null'const>struct/b, res:out pointer>handle'null'resident/w)", NULL},
        {"typedef struct XML_ParserStruct *XML_Parser; void XML_ParserFree(release XML_Parser p)",
         "void(p:handle'release/w)", NULL},
        {"iconv_t iconv_open(const char *to, const char *from)",
         "handle'null/w(to:in string'const/b, from:in string'const/b)", NULL},
        {"void XML_SetUserData(struct p *parser, void *userData)",
         "void(parser:handle/w, userData:token'null/w)", NULL},
    };
    CHECK(shapes);
}

static void test_pointers_into_arguments_are_within(void **state)
{
    (void)state;
    static const struct shape shapes[] = {
        {"within(s) char *strchr(const char *s, int c)",
         "within'null/w(s:in string'const/b, c:i32/w)", NULL},
        {"long strtol(const char *nptr, out within(nptr) char **endptr, int base)",
         "i64/w(nptr:in string'const/b, endptr:out pointer>within'null/w, base:i32/w)", NULL},
        {"within(str) char *strtok_r(nullable char *str, const char *delim, "
         "inout within(str) char **saveptr)",
         "within'null/w(str:inout string'null/b, delim:in string'const/b, "
         "saveptr:inout pointer>within'null/w)",
         NULL},
        {"within(base) void *bsearch(const void key[size], const void base[n * size], size_t n, "
         "size_t size, int (*cmp)(const void a[size], const void b[size]))",
         "within'null/w(key:in pointer[]'const>void/b, base:in pointer[]'const>void/b, n:u64/w, "
         "size:u64/w, cmp:callback'null/w)",
         "i32/w(a:in pointer[]'const>void/b, b:in pointer[]'const>void/b)"},
    };
    CHECK(shapes);
}

static void test_callbacks_are_whole_functions(void **state)
{
    (void)state;
    static const struct shape shapes[] = {
        {"int sqlite3_exec(sqlite3 *db, const char *sql, int (*cb)(void *, int n, const char "
         "*values[n], const char *names[n]) fails(1), void *arg, nullable out owned(sqlite3_free) "
         "char **errmsg)",
         "i32/w(db:handle/w, sql:in string'const/b, cb:callback'null/w, arg:token'null/w, "
         "errmsg:out pointer'null>out string'null'owned/d)",
         "i32/w(arg0:token'null/w, n*:i32/w, values:in pointer[]>in string'null'const/b, "
         "names:in pointer[]>in string'null'const/b)"},
        {"void (*signal(int signum, void (*handler)(int)))(int)",
         "callback'null/w(signum:i32/w, handler:callback'null/w)", "void(arg0:i32/w)"},
        {"typedef void (*handler_t)(int); handler_t signal(int signum, handler_t handler)",
         "callback'null/w(signum:i32/w, handler:callback'null/w)", "void(arg0:i32/w)"},
        {"typedef int visit(void *, int); void walk(visit *v, kept visit w)",
         "void(v:callback'null/w, w:callback'null'kept/w)", "i32/w(arg0:token'null/w, arg1:i32/w)"},
        {"void set_error(escape void (*fn)(struct png *p, const char *text))",
         "void(fn:callback'null'escape/w)", "void(p:handle/w, text:in string'const/b)"},
    };
    CHECK(shapes);
}

static void test_structs_travel_by_value_and_by_pointer(void **state)
{
    (void)state;
    static const struct shape shapes[] = {
        {"struct point { int x; double y; }; struct point f(struct point a, const struct point *b, "
         "struct point *c, out struct point *d)",
         "struct/b(a:struct/b, b:in pointer'const>struct/b, c:inout pointer>struct/b, "
         "d:out pointer>struct/b)",
         NULL},
        {"struct iovec { out void iov_base[iov_len]; size_t iov_len; }; "
         "ssize_t readv(int fd, const struct iovec iov[iovcnt], int iovcnt)",
         "i64/w(fd:i32/w, iov:in pointer[]'const>struct/b, iovcnt*:i32/w)", NULL},
        {"struct tm { int a[9]; }; struct tm *gmtime(const time_t *t)",
         "out pointer'null>struct/d(t:in pointer'const>i64/w)", NULL},
        {"struct b; struct a { struct b *b; int n; }; struct b { struct a *a; struct b *next; };"
         "void f(struct a *a, struct b *b)",
         "void(a:inout pointer>struct/b, b:inout pointer>struct/b)", NULL},
        {"typedef struct { long quot; long rem; } ldiv_t; ldiv_t ldiv(long a, long b)",
         "struct/b(a:i64/w, b:i64/w)", NULL},
        {"extern size_t strlen (const char *__s) __attribute__ ((__nothrow__ , __leaf__)) "
         "__attribute__ ((__pure__)) __attribute__ ((__nonnull__ (1)));",
         "u64/w(__s:in string'const/b)", NULL},
        {"typedef signed char __int8_t; typedef __int8_t int8; __int8_t f(int8 a, __int8_t __b)",
         "i8/w(a:i8/w, __b:i8/w)", NULL},
        {"time_t time(nullable out time_t *t)", "i64/w(t:out pointer'null>i64/b)", NULL},
    };
    CHECK(shapes);
}

static void test_lengths_may_ask_other_functions(void **state)
{
    (void)state;
    static const struct shape shapes[] = {
        {"count(sqlite3_column_bytes(stmt, col)) const void *sqlite3_column_blob(sqlite3_stmt "
         "*stmt, int col)",
         "out pointer[]'null'const>void/d(stmt:handle/w, col:i32/w)", NULL},
        {"bytes(*n) owned(OPENSSL_free) unsigned char *f(out size_t *n)",
         "out pointer[]'null'owned>u8/d(n:out pointer>u64/w)", NULL},
        {"size_t iconv(iconv_t cd, nullable count(*il) const char *inbuf[1], inout size_t *il, "
         "nullable out count(*ol : all) char *outbuf[1], inout size_t *ol)",
         "u64/w(cd:handle/w, inbuf:in pointer[]'null>in pointer[]'null'text'const>" PLAIN "/b, "
         "il:inout pointer>u64/w, outbuf:in pointer[]'null>out pointer[]'null'text>" PLAIN "/b, "
         "ol:inout pointer>u64/w)",
         NULL},
        {"int vsnprintf(out char s[size], size_t size, const char *f, va_list ap)",
         "i32/w(s:out string[]/b, size:u64/w, f:in string'const/b, ap:varargs'va_list/v)", NULL},
    };
    CHECK(shapes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scalars_take_every_spelling),
        cmocka_unit_test(test_arrays_have_directions_and_fill_lengths),
        cmocka_unit_test(test_strings_come_in_go_back_and_are_owned),
        cmocka_unit_test(test_handles_say_where_they_begin_and_end),
        cmocka_unit_test(test_pointers_into_arguments_are_within),
        cmocka_unit_test(test_callbacks_are_whole_functions),
        cmocka_unit_test(test_structs_travel_by_value_and_by_pointer),
        cmocka_unit_test(test_lengths_may_ask_other_functions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
