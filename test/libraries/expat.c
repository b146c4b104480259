/* SPDX-License-Identifier: Apache-2.0 */

/* expat: handlers kept by the library and called during later calls, which call back into the cell. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <dlfcn.h>
#include <expat.h>

#include "libraries/subject.h"

static const char document[] = "<?xml version=\"1.0\"?>\n"
                               "<list kind='short' of=\"things\">\n"
                               "  <thing id='1'>one &amp; only</thing>\n"
                               "  <thing id='2'/><!-- nothing -->\n"
                               "</list>\n";

/* What the handlers saw, as text. */
struct seen {
    char text[4096];
    const struct subject *expat;
    struct cordon_handle parser;
    uint64_t last_line; /* as told by calls from inside the handlers */
};

static void note(struct seen *seen, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void note(struct seen *seen, const char *format, ...)
{
    size_t length = strlen(seen->text);
    va_list args;
    va_start(args, format);
    (void)vsnprintf(seen->text + length, sizeof seen->text - length, format, args);
    va_end(args);
}

static void XMLCALL direct_start(void *context, const char *name, const char **attributes)
{
    note(context, "<%s", name);
    for (size_t i = 0; attributes[i]; i += 2) {
        note(context, " %s=%s", attributes[i], attributes[i + 1]);
    }
    note(context, ">");
}

static void XMLCALL direct_end(void *context, const char *name)
{
    note(context, "</%s>", name);
}

static void XMLCALL direct_text(void *context, const char *text, int length)
{
    note(context, "[%.*s]", length, text);
}

static void XMLCALL direct_comment(void *context, const char *text)
{
    note(context, "#%s#", text);
}

/* Handlers of the host. The first argument is the token that XML_SetUserData() was given. */
static int on_start(void *context, struct cordon_session *session, const struct cordon_value *args,
                    size_t count, struct cordon_value *ret_value)
{
    struct seen *seen = context;
    const char *const *attributes = args[2].memory;
    (void)session, (void)ret_value;
    assert_int_equal(count, 3);
    assert_int_equal(args[0].u, 4711);
    note(seen, "<%s", (const char *)args[1].memory);
    for (size_t i = 0; attributes[i]; i += 2) {
        note(seen, " %s=%s", attributes[i], attributes[i + 1]);
    }
    note(seen, ">");
    seen->last_line =
        subject_uint(seen->expat, "XML_GetCurrentLineNumber", ARGS(cordon_object(seen->parser)));
    return 0;
}

static int on_end(void *context, struct cordon_session *session, const struct cordon_value *args,
                  size_t count, struct cordon_value *ret_value)
{
    (void)session, (void)count, (void)ret_value;
    note(context, "</%s>", (const char *)args[1].memory);
    return 0;
}

static int on_text(void *context, struct cordon_session *session, const struct cordon_value *args,
                   size_t count, struct cordon_value *ret_value)
{
    (void)session, (void)count, (void)ret_value;
    note(context, "[%.*s]", (int)args[1].count, (const char *)args[1].memory);
    return 0;
}

static int on_comment(void *context, struct cordon_session *session,
                      const struct cordon_value *args, size_t count, struct cordon_value *ret_value)
{
    (void)session, (void)count, (void)ret_value;
    note(context, "#%s#", (const char *)args[1].memory);
    return 0;
}

static void parse_directly(struct seen *seen)
{
    XML_Parser parser = XML_ParserCreate(NULL);
    XML_SetUserData(parser, seen);
    XML_SetElementHandler(parser, direct_start, direct_end);
    XML_SetCharacterDataHandler(parser, direct_text);
    XML_SetCommentHandler(parser, direct_comment);
    assert_int_equal(XML_Parse(parser, document, sizeof document - 1, 1), XML_STATUS_OK);
    XML_ParserFree(parser);
}

static struct cordon_value handler(cordon_callback_function *function, struct seen *seen,
                                   struct cordon_callback **ret_callback)
{
    assert_int_equal(cordon_callback_new(function, seen, ret_callback), 0);
    return cordon_function_pointer(*ret_callback);
}

static void test_kept_handlers_see_what_direct_ones_see(const struct harness *harness)
{
    struct subject expat = subject_open_interface(harness, "expat.cordon");
    static struct seen direct, seen;
    struct cordon_callback *callbacks[4];
    parse_directly(&direct);
    seen.expat = &expat;
    seen.parser = subject_handle(&expat, "XML_ParserCreate", ARGS(cordon_null()));
    subject_void(&expat, "XML_SetUserData", ARGS(cordon_object(seen.parser), cordon_uint(4711)));
    subject_void(&expat, "XML_SetElementHandler",
                 ARGS(cordon_object(seen.parser), handler(on_start, &seen, &callbacks[0]),
                      handler(on_end, &seen, &callbacks[1])));
    subject_void(&expat, "XML_SetCharacterDataHandler",
                 ARGS(cordon_object(seen.parser), handler(on_text, &seen, &callbacks[2])));
    subject_void(&expat, "XML_SetCommentHandler",
                 ARGS(cordon_object(seen.parser), handler(on_comment, &seen, &callbacks[3])));
    struct cordon_result status = subject_result(
        &expat, "XML_Parse",
        ARGS(cordon_object(seen.parser), cordon_in(document, sizeof document - 1), cordon_int(1)));
    assert_int_equal(status.value.u, XML_STATUS_OK);
    assert_string_equal(seen.text, direct.text);
    assert_int_equal(seen.last_line, 4);
    subject_void(&expat, "XML_ParserFree", ARGS(cordon_object(seen.parser)));
    for (size_t i = 0; i < HARNESS_COUNT(callbacks); i++) {
        cordon_callback_free(callbacks[i]);
    }
    subject_close(&expat);
}

/* By name: newer headers call these functions deprecated, which the library keeps. */
static XML_Size place_of(XML_Parser parser, const char *function)
{
    XML_Size (*place)(XML_Parser) = NULL;
    void *symbol = dlsym(RTLD_DEFAULT, function);
    assert_non_null(symbol);
    memcpy(&place, &symbol, sizeof place);
    return place(parser);
}

static void test_errors_equal_direct_calls(const struct harness *harness)
{
    struct subject expat = subject_open_interface(harness, "expat.cordon");
    static const char broken[] = "<a>\n<b></a>";
    XML_Parser direct = XML_ParserCreate(NULL);
    assert_int_equal(XML_Parse(direct, broken, sizeof broken - 1, 1), XML_STATUS_ERROR);
    struct cordon_handle parser = subject_handle(&expat, "XML_ParserCreate", ARGS(cordon_null()));
    struct cordon_result status = subject_result(
        &expat, "XML_Parse",
        ARGS(cordon_object(parser), cordon_in(broken, sizeof broken - 1), cordon_int(1)));
    assert_int_equal(status.value.u, XML_STATUS_ERROR);
    int64_t code = subject_int(&expat, "XML_GetErrorCode", ARGS(cordon_object(parser)));
    assert_int_equal(code, XML_GetErrorCode(direct));
    subject_text(&expat, XML_ErrorString(XML_GetErrorCode(direct)), "XML_ErrorString",
                 ARGS(cordon_int(code)));
    assert_int_equal(subject_uint(&expat, "XML_GetCurrentLineNumber", ARGS(cordon_object(parser))),
                     place_of(direct, "XML_GetCurrentLineNumber"));
    assert_int_equal(
        subject_uint(&expat, "XML_GetCurrentColumnNumber", ARGS(cordon_object(parser))),
        place_of(direct, "XML_GetCurrentColumnNumber"));
    subject_text(&expat, XML_ExpatVersion(), "XML_ExpatVersion", NO_ARGS);
    subject_void(&expat, "XML_ParserFree", ARGS(cordon_object(parser)));
    XML_ParserFree(direct);
    subject_close(&expat);
}

int main(int argc, char **argv)
{
    static const struct harness_case cases[] = {
        {"kept_handlers_see_what_direct_ones_see", test_kept_handlers_see_what_direct_ones_see,
         HARNESS_ALL_LEVELS, 0, 0},
        {"errors_equal_direct_calls", test_errors_equal_direct_calls, HARNESS_ALL_LEVELS, 0, 0},
    };
    return harness_main(argc, argv, cases, HARNESS_COUNT(cases));
}
