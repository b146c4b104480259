/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a worker can see: a library's thread may watch the request while it is made, and the answer of a
 * callback. No pointer of the host and no byte that lies between members is there at any moment.
 */
#include "frame/test_page.h"

#include <stdlib.h>
#include <string.h>

#if TEST_PAGE_WORKS

/* Bytes as they lie between members when a struct is on the stack. */
static const uint8_t stale[4] = {0xee, 0xee, 0xee, 0xee};

/* Nothing of @bytes is seen in the request of a call with @args. */
static void check_request(const char *prototype, const void *bytes, size_t hidden,
                          const struct cordon_value *args, size_t count)
{
    TRIP(trip, prototype);
    trip.space.request = test_page_hide(bytes, hidden);
    trip.space.request_bytes = TEST_PAGE_BYTES;
    int r = trip_encode(&trip, args, count);
    int seen = test_page_seen();
    MUST(trip, r);
    assert_int_equal(seen, 0);
    trip_close(&trip);
}

struct pair {
    char *text;
    void *unused;
    char *other;
};

static void test_pointers_in_structs_are_never_in_the_request(void **state)
{
    (void)state;
    char text[] = "text";
    struct pair pair[2] = {{text, NULL, text}, {text, NULL, text}};
    const void *pointer = text;
    check_request("struct p { const char *s; void *t; const char *o; }; void f(const struct p *p)",
                  &pointer, sizeof pointer, ARGS(cordon_in(pair, 1)));
    check_request("struct p { const char *s; void *t; const char *o; }; void f(struct p p)",
                  &pointer, sizeof pointer, ARGS(cordon_in(pair, 1)));
    check_request(
        "struct p { const char *s; void *t; const char *o; }; void f(inout struct p p[2])",
        &pointer, sizeof pointer, ARGS(cordon_in(pair, 2)));
    check_request("void f(const char *words[2])", &pointer, sizeof pointer,
                  ARGS(cordon_in((char *[]){text, text}, 2)));
}

struct loose {
    char letter;
    double number;
    char last;
};

static struct loose loose(void)
{
    struct loose value;
    memset(&value, 0xee, sizeof value);
    value.letter = 'a';
    value.number = 0;
    value.last = 'z';
    return value;
}

static void test_bytes_between_members_do_not_travel(void **state)
{
    (void)state;
    struct loose two[2];
    for (size_t i = 0; i < 2; i++) {
        memset(&two[i], 0xee, sizeof two[i]);
        two[i].letter = 'a';
        two[i].number = 1;
        two[i].last = 'z';
    }
    check_request("struct l { char c; double d; char e; }; void f(const struct l l[2])", stale,
                  sizeof stale, ARGS(cordon_in(two, 2)));
    check_request("struct l { char c; double d; char e; }; void f(struct l l)", stale, sizeof stale,
                  ARGS(cordon_in(two, 1)));
    check_request("struct l { char c; double d; char e; }; struct n { struct l l[2]; };"
                  "void f(inout struct n *n)",
                  stale, sizeof stale, ARGS(cordon_in(two, 1)));
    check_request("struct l { char c; double d; char e; };"
                  "struct u { long kind; union { case 1: struct l l; case 2: char t[64]; } u"
                  " switch(kind); }; void f(const struct u *u)",
                  stale, sizeof stale,
                  ARGS(cordon_in((struct {
                                     int64_t kind;
                                     struct loose l;
                                     char rest[40];
                                 }[]){{1, two[0], ""}},
                                 1)));
}

/* A host's answer to a callback: accept as the host does, its function, and the answer on the page. */
static int seen_in_answer(struct trip *trip, trip_native *native, const void *bytes, size_t hidden,
                          const struct cordon_value *args, size_t count, const void *result)
{
    MUST(*trip, trip_encode(trip, args, count));
    uint8_t *reply = trip->reply;
    trip->reply = test_page_hide(bytes, hidden);
    int r = trip_accept_by(trip, &trip->host);
    if (r == 0) {
        native(trip->call.arguments, NULL);
        r = trip_answer(trip, result);
    }
    int seen = test_page_seen();
    trip->reply = reply;
    MUST(*trip, r);
    return seen;
}

static void fill_loose(void *const *arguments, void *result)
{
    (void)result;
    struct loose value = loose();
    memcpy(trip_pointer(arguments, 0), &value, sizeof value);
}

static void leave(void *const *arguments, void *result)
{
    (void)arguments, (void)result;
}

static void test_bytes_between_members_are_not_in_answers(void **state)
{
    (void)state;
    static const char *const prototypes[] = {
        "struct l { char c; double d; char e; }; void f(out struct l *l)",
        "struct l { char c; double d; char e; }; void f(inout struct l l[1])",
    };
    for (size_t i = 0; i < 2; i++) {
        TRIP(trip, prototypes[i]);
        struct loose value = loose();
        assert_int_equal(seen_in_answer(&trip, fill_loose, stale, sizeof stale,
                                        ARGS(cordon_out(&value, 1)), NULL),
                         0);
        assert_int_equal(trip_pointer(trip.call.arguments, 0) != NULL, true);
        trip_close(&trip);
    }
    TRIP(trip, "struct l { char c; double d; char e; }; struct l f(const char *s)");
    struct loose value = loose();
    assert_int_equal(
        seen_in_answer(&trip, leave, stale, sizeof stale, ARGS(cordon_string("s")), &value), 0);
    trip_close(&trip);
}

static const char *host_text;

static void read_text(void *const *arguments, void *result)
{
    (void)result;
    host_text = ((const struct pair *)trip_pointer(arguments, 0))->text;
}

static void test_pointers_in_structs_are_not_in_answers(void **state)
{
    (void)state;
    TRIP(trip, "struct p { inout char *s; void *t; const char *o; }; void f(inout struct p *p)");
    char text[] = "text";
    struct pair pair = {text, NULL, text};
    const struct cordon_value args[] = {cordon_out(&pair, 1)};
    /* Once to learn where the host has its copy: allocated at the same place again. */
    (void)seen_in_answer(&trip, read_text, "?", 1, args, 1, NULL);
    const char *copy = host_text;
    int seen = seen_in_answer(&trip, read_text, &copy, sizeof copy, args, 1, NULL);
    if (host_text != copy) {
        skip();
    }
    assert_int_equal(seen, 0);
    trip_close(&trip);
}

/* The trap itself. */
static void test_what_is_there_for_a_moment_is_seen(void **state)
{
    (void)state;
    volatile uint8_t *page = test_page_hide("x", 1);
    page[100] = 'x';
    page[100] = 'y';
    assert_int_equal(test_page_seen(), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_there_for_a_moment_is_seen),
        cmocka_unit_test(test_pointers_in_structs_are_never_in_the_request),
        cmocka_unit_test(test_bytes_between_members_do_not_travel),
        cmocka_unit_test(test_bytes_between_members_are_not_in_answers),
        cmocka_unit_test(test_pointers_in_structs_are_not_in_answers),
    };
    return cmocka_run_group_tests(tests, test_page_open, test_page_close);
}

#endif
