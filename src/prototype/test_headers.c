/* SPDX-License-Identifier: Apache-2.0 */
/* System headers as the compiler's preprocessor leaves them: what compiles, and why the rest does not. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/limits.h"
#include "prototype/plan.h"
#include "prototype/prototype.h"

/* The whole of a header, and what must be in it at least. Annotations, which headers lack, decide most. */
struct header {
    const char *name;
    size_t functions_min;
    const char *needs[4]; /* compile for certain */
};

static const struct header headers[] = {
    {"math.h", 150, {"sqrt", "frexp", "fmaf"}},
    {"string.h", 20, {"strlen", "strcmp", "strcpy"}},
    {"stdlib.h", 30, {"abs", "atoi", "getenv", "setenv"}},
    {"ctype.h", 10, {"isalpha", "toupper"}},
    {"unistd.h", 60, {"getpid", "access", "lseek"}},
    {"wchar.h", 10, {"btowc", "wctob"}},
    {"time.h", 10, {"time", "mktime", "difftime", "gmtime"}},
    {"zlib.h", 30, {"zlibVersion", "gzopen", "gzclose"}},
    {"lz4.h", 10, {"LZ4_compressBound", "LZ4_versionString"}},
    {"expat.h", 20, {"XML_ParserFree", "XML_ErrorString"}},
    {"sqlite3.h", 100, {"sqlite3_close", "sqlite3_step", "sqlite3_errmsg"}},
    {"openssl/evp.h", 200, {"EVP_sha256", "EVP_MD_CTX_new", "EVP_MD_get_size"}},
};

#define FUNCTIONS_MIN 400u
#define REASONS_MAX   256u

struct reason {
    char text[96];
    size_t count;
};

struct tally {
    size_t compiled;
    size_t skipped;
    struct reason reasons[REASONS_MAX];
    size_t reason_count;
};

/* Names in a sentence differ, the reason does not: it is counted by its beginning without them. */
static void count_skip(void *context, const struct interface_skip *skip)
{
    struct tally *tally = context;
    char text[96];
    size_t used = 0;
    bool quoted = false;
    assert_true(skip->error < 0);
    assert_true(skip->reason[0] != '\0');
    for (const char *c = skip->reason; *c && used < sizeof text - 1; c++) {
        size_t name = skip->name && c == skip->reason ? strlen(skip->name) : 0;
        if (name > 0 && strncmp(c, skip->name, name) == 0) {
            c += name;
        }
        quoted = *c == '\'' ? !quoted : quoted;
        if (!quoted) {
            text[used++] = *c;
        }
    }
    text[used] = '\0';
    tally->skipped++;
    size_t i = 0;
    while (i < tally->reason_count && strcmp(tally->reasons[i].text, text) != 0) {
        i++;
    }
    if (i == REASONS_MAX) {
        return;
    }
    if (i == tally->reason_count) {
        memcpy(tally->reasons[tally->reason_count++].text, text, sizeof text);
    }
    tally->reasons[i].count++;
    if (getenv("HEADERS_VERBOSE")) {
        (void)printf("  %s: %s\n", skip->name ? skip->name : "?", skip->reason);
    }
}

/* What the preprocessor makes of @header; 0: there is no compiler, or no such header. */
static size_t preprocess(const char *header, char *text, size_t room)
{
    char command[160];
    (void)snprintf(command, sizeof command,
                   "echo '#include <%s>' | ${CC:-cc} -E -D_GNU_SOURCE -x c - 2>/dev/null", header);
    FILE *pipe = popen(command, "r");
    assert_non_null(pipe);
    size_t length = fread(text, 1, room, pipe);
    return pclose(pipe) == 0 ? length : 0;
}

static void check_header(const struct header *header, const char *text, size_t length,
                         struct tally *tally)
{
    struct interface *interface = NULL;
    struct message why = {{0}};
    if (interface_parse_some(header->name, text, length, count_skip, tally, &interface, &why) < 0) {
        fail_msg("%s", why.text);
    }
    size_t count = interface_function_count(interface);
    (void)printf("%s: %zu bytes, %zu functions\n", header->name, length, count);
    for (size_t i = 0; i < count; i++) {
        size_t bytes = 0;
        const struct plan *plan = NULL;
        const void *made = interface_plan(interface, i, &bytes);
        if (plan_validate(made, bytes, &plan, &why) < 0) {
            fail_msg("%s, function %zu: %s", header->name, i, why.text);
        }
    }
    for (size_t i = 0; i < 4 && header->needs[i]; i++) {
        size_t index;
        if (interface_find(interface, header->needs[i], &index) < 0) {
            fail_msg("%s: %s did not compile", header->name, header->needs[i]);
        }
    }
    if (count < header->functions_min) {
        fail_msg("%s: %zu functions compiled, fewer than %zu", header->name, count,
                 header->functions_min);
    }
    tally->compiled += count;
    interface_free(interface);
}

static void test_declarations_of_system_headers_compile(void **state)
{
    (void)state;
    struct tally *tally = calloc(1, sizeof *tally);
    char *text = malloc(LIMIT_HEADER_BYTES);
    size_t found = 0;
    assert_non_null(tally);
    assert_non_null(text);
    if (preprocess("stddef.h", text, LIMIT_HEADER_BYTES) == 0) {
        free(text);
        free(tally);
        skip(); /* there is no compiler here */
        return;
    }
    for (size_t i = 0; i < sizeof headers / sizeof headers[0]; i++) {
        size_t length = preprocess(headers[i].name, text, LIMIT_HEADER_BYTES);
        if (length == 0) {
            (void)printf("%s: not installed\n", headers[i].name);
            continue;
        }
        found++;
        check_header(&headers[i], text, length, tally);
    }
    (void)printf("%zu functions compiled, %zu declarations left out:\n", tally->compiled,
                 tally->skipped);
    for (size_t i = 0; i < tally->reason_count; i++) {
        (void)printf("%6zu  %s\n", tally->reasons[i].count, tally->reasons[i].text);
    }
    assert_true(found >= 8); /* what the C library brings */
    assert_true(tally->compiled >= FUNCTIONS_MIN);
    free(text);
    free(tally);
}

struct skips {
    size_t count;
    char names[8][32];
    char reasons[8][96];
};

static void note_skip(void *context, const struct interface_skip *skip)
{
    struct skips *skips = context;
    assert_true(skips->count < 8);
    (void)snprintf(skips->names[skips->count], sizeof skips->names[0], "%s",
                   skip->name ? skip->name : "");
    (void)snprintf(skips->reasons[skips->count++], sizeof skips->reasons[0], "%s", skip->reason);
}

static void test_what_does_not_compile_is_left_out_with_its_reason(void **state)
{
    (void)state;
    static const char text[] = "int first(int a);\n"
                               "static inline int body(int a) { if (a) { return 1; } return 0; }\n"
                               "struct bits { int a : 3; };\n"
                               "int takes_bits(struct bits *b);\n"
                               "extern int variable;\n"
                               "long double wide(long double x);\n"
                               "void *given(void);\n"
                               "int last(int a)";
    struct interface *interface = NULL;
    struct skips skips = {0};
    struct message why = {{0}};
    size_t index;
    assert_int_equal(
        interface_parse_some("h", text, strlen(text), note_skip, &skips, &interface, &why), 0);
    assert_int_equal(interface_function_count(interface), 3);
    assert_int_equal(interface_find(interface, "first", &index), 0);
    assert_int_equal(interface_find(interface, "takes_bits", &index), 0); /* by its handle */
    assert_int_equal(interface_find(interface, "last", &index), 0);
    assert_int_equal(skips.count, 5);
    assert_string_equal(skips.names[0], "body");
    assert_non_null(strstr(skips.reasons[0], "inline functions have no symbol"));
    assert_non_null(strstr(skips.reasons[1], "bit-fields"));
    assert_non_null(strstr(skips.reasons[2], "is a variable"));
    assert_string_equal(skips.names[3], "wide");
    assert_non_null(strstr(skips.reasons[3], "long double"));
    assert_string_equal(skips.names[4], "given");
    assert_non_null(strstr(skips.reasons[4], "what is the `void *`"));
    interface_free(interface);
}

static void test_longest_header_has_a_name(void **state)
{
    (void)state;
    struct interface *interface = NULL;
    struct message why = {{0}};
    assert_int_equal(
        interface_parse_some("h", "", LIMIT_HEADER_BYTES + 1u, NULL, NULL, &interface, &why),
        -E2BIG);
    assert_non_null(strstr(why.text, "LIMIT_HEADER_BYTES"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_declarations_of_system_headers_compile),
        cmocka_unit_test(test_what_does_not_compile_is_left_out_with_its_reason),
        cmocka_unit_test(test_longest_header_has_a_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
