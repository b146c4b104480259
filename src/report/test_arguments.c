/* SPDX-License-Identifier: Apache-2.0 */
#include "report/arguments.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "frame/frame.h"
#include "prototype/prototype.h"
#include "report/base64.h"
#include "report/sha256.h"

#define SPACE_BYTES 8192u

/* A call as the host sends it, and what its record says. */
struct sent {
    struct interface *interface;
    const struct plan *plan;
    uint8_t *memory;
    uint64_t words[6];
    uint32_t frame_bytes;
};

static void send_call(struct sent *sent, const char *prototype, const struct cordon_value *args,
                      size_t count)
{
    struct frame_request request;
    struct message why = {""};
    size_t bytes;
    *sent = (struct sent){0};
    assert_int_equal(interface_parse("test", prototype, strlen(prototype), &sent->interface, &why),
                     0);
    const void *plan = interface_plan(sent->interface, 0, &bytes);
    assert_int_equal(plan_validate(plan, bytes, &sent->plan, &why), 0);
    sent->memory = aligned_alloc(64, SPACE_BYTES);
    memset(sent->memory, 0, SPACE_BYTES);
    struct frame_space space = {
        .request = sent->memory, .request_bytes = SPACE_BYTES, .reply_bytes = SPACE_BYTES};
    int r = frame_encode(sent->plan, 0, 3, args, count, NULL, &space, &request, &why);
    if (r != 0) {
        fail_msg("%s", why.text);
    }
    sent->frame_bytes = request.frame_bytes;
    for (uint32_t i = 0; i < 6 && i < request.word_count && request.frame_bytes == 0; i++) {
        sent->words[i] = request.words[i];
    }
}

static void forget(struct sent *sent)
{
    interface_free(sent->interface);
    free(sent->memory);
}

static struct report_request request_of(const struct sent *sent)
{
    return (struct report_request){.plan = sent->plan,
                                   .function_id = 3,
                                   .words = sent->words,
                                   .memory = sent->frame_bytes ? sent->memory : NULL,
                                   .memory_bytes = sent->frame_bytes};
}

static void assert_told(const char *prototype, const struct cordon_value *args, size_t count,
                        enum report_detail detail, const char *wanted)
{
    struct sent sent;
    struct message why = {""};
    json_t *json = NULL;
    send_call(&sent, prototype, args, count);
    struct report_request request = request_of(&sent);
    int r = report_arguments(&request, detail, &json, &why);
    if (r != 0) {
        fail_msg("%d %s", r, why.text);
    }
    json_t *shown = json;
    if (detail != REPORT_WHOLE) {
        shown = json_array();
        for (size_t i = 0; i < json_array_size(json); i++) {
            (void)json_array_append(shown, json_object_get(json_array_get(json, i), "value"));
        }
        json_decref(json);
    }
    char *text = json_dumps(shown, JSON_COMPACT);
    assert_string_equal(text, wanted);
    free(text);
    json_decref(shown);
    forget(&sent);
}

static void test_scalars(void **state)
{
    (void)state;
    const struct cordon_value args[] = {cordon_int(-3), cordon_uint(UINT64_MAX), cordon_float(0.5),
                                        cordon_bool(true)};
    assert_told("int f(int a, unsigned long b, double c, bool d)", args, 4, REPORT_BRIEF,
                "[-3,\"18446744073709551615\",0.5,true]");
    assert_told("int f(int a, unsigned long b, double c, bool d)", args, 4, REPORT_WHOLE,
                "[-3,\"18446744073709551615\",0.5,true]");
}

static void test_memory_is_left_out_or_whole(void **state)
{
    (void)state;
    static const uint8_t bytes[] = {1, 2, 255};
    const struct cordon_value args[] = {cordon_in(bytes, 3), cordon_string("hello")};
    static const char prototype[] = "int f(const uint8_t data[n], int n, const char *text)";
    assert_told(prototype, args, 2, REPORT_BRIEF,
                "[{\"count\":3,\"bytes\":3,\"sha256\":"
                "\"0526d0e18ea19dfaad9d79166bec1e18d6221ef6b1830385fe9bf67022ed5f96\"},3,"
                "{\"count\":5,\"bytes\":5,\"sha256\":"
                "\"2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824\"}]");
    assert_told(prototype, args, 2, REPORT_WHOLE, "[{\"base64\":\"AQL/\"},\"hello\"]");
}

struct part {
    int n;
    const uint8_t *data;
    const char *name;
};

static void test_structs_are_walked(void **state)
{
    (void)state;
    static const uint8_t bytes[] = {'x', 'y'};
    const struct part part = {.n = 2, .data = bytes, .name = NULL};
    const struct cordon_value args[] = {cordon_in(&part, 1)};
    static const char prototype[] =
        "struct part { int n; count(n) const uint8_t *data; const char *name; };"
        "int f(const struct part *p)";
    assert_told(prototype, args, 1, REPORT_WHOLE,
                "[{\"data\":{\"base64\":\"eHk=\"},\"name\":null}]");
}

static void test_secrets_and_outputs(void **state)
{
    (void)state;
    char room[16] = {0};
    const struct cordon_value args[] = {cordon_string("key"), cordon_out(room, sizeof room),
                                        cordon_uint(sizeof room)};
    assert_told("int f(secret const char *k, out uint8_t d[cap], size_t cap)", args, 3,
                REPORT_BYTES, "[\"secret\",{\"room\":16},16]");
}

static void test_variadic(void **state)
{
    (void)state;
    const struct cordon_value args[] = {cordon_string("%d %s %f"), cordon_int(4),
                                        cordon_string("four"), cordon_float(4.25)};
    assert_told("int printf(const char *format, ...)", args, 4, REPORT_WHOLE,
                "[\"%d %s %f\",4,\"four\",4.25]");
}

static void test_a_secret_cannot_be_replayed(void **state)
{
    (void)state;
    struct sent sent;
    struct message why = {""};
    json_t *json = NULL;
    const struct cordon_value args[] = {cordon_string("key")};
    send_call(&sent, "int f(secret const char *k)", args, 1);
    struct report_request request = request_of(&sent);
    assert_true(plan_has_secrets(sent.plan));
    assert_int_equal(report_arguments(&request, REPORT_WHOLE, &json, &why), -ENOTSUP);
    forget(&sent);
}

/* Every byte of a request may be a lie: it is refused, or told, and nothing else is read. */
static void test_damaged_requests(void **state)
{
    (void)state;
    static const uint8_t bytes[] = {1, 2, 255};
    const struct cordon_value args[] = {cordon_in(bytes, 3), cordon_string("hello")};
    struct sent sent;
    send_call(&sent, "int f(const uint8_t data[n], int n, const char *text)", args, 2);
    for (uint32_t i = 0; i < sent.frame_bytes; i++) {
        uint8_t *copy = aligned_alloc(16, (sent.frame_bytes + 15u) & ~15u);
        memcpy(copy, sent.memory, sent.frame_bytes);
        copy[i] ^= 0xff;
        struct report_request request = request_of(&sent);
        request.memory = copy;
        json_t *json = NULL;
        if (report_arguments(&request, REPORT_BYTES, &json, NULL) == 0) {
            json_decref(json);
        }
        free(copy);
    }
    forget(&sent);
}

static void test_base64_both_ways(void **state)
{
    (void)state;
    static const char *const texts[] = {"", "Zg==", "Zm8=", "Zm9v", "Zm9vYg=="};
    for (size_t i = 0; i < 5; i++) {
        char *text = base64_new("foob", i);
        size_t length;
        assert_string_equal(text, texts[i]);
        uint8_t *bytes = base64_read(text, strlen(text), &length);
        assert_int_equal(length, i);
        assert_memory_equal(bytes, "foob", i);
        free(bytes);
        free(text);
    }
    size_t length;
    assert_null(base64_read("Zg=", 3, &length));
    assert_null(base64_read("Z===", 4, &length));
    assert_null(base64_read("Zg==Zg==", 8, &length));
    assert_null(base64_read("Zm\n9", 4, &length));
}

static void test_sha256(void **state)
{
    (void)state;
    char text[SHA256_TEXT_BYTES];
    sha256_text("", 0, text);
    assert_string_equal(text, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    sha256_text("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 56, text);
    assert_string_equal(text, "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scalars),
        cmocka_unit_test(test_memory_is_left_out_or_whole),
        cmocka_unit_test(test_structs_are_walked),
        cmocka_unit_test(test_secrets_and_outputs),
        cmocka_unit_test(test_variadic),
        cmocka_unit_test(test_a_secret_cannot_be_replayed),
        cmocka_unit_test(test_damaged_requests),
        cmocka_unit_test(test_base64_both_ways),
        cmocka_unit_test(test_sha256),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
