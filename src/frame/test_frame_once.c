/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A reply is read once. Its writer may change it between two reads, so that what was judged is not what is used;
 * a test that races with the reader finds that by luck, this one for sure.
 *
 * How it works. The reply lies in a page that nobody may touch. Each load faults, is counted, and runs by itself,
 * single-stepped, with the page open; then the page is shut again. What frame_decode() may do is known for each
 * case: copy_out() of certain ranges, once. So it must fault exactly as often as these copies do by themselves: a
 * byte that is looked at twice, or judged in place, is one fault more.
 */
#include "frame/test_trip.h"

#include "frame/walk.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>

#if defined(__x86_64__)

#define PAGE      4096u
#define STEP_FLAG 0x100 /* TF: trap behind the next instruction */

static uint8_t *page;
static volatile sig_atomic_t faults;

static void on_fault(int signal, siginfo_t *info, void *context)
{
    ucontext_t *at = context;
    uint8_t *address = info->si_addr;
    if (address < page || address >= page + PAGE) {
        (void)sigaction(signal, &(struct sigaction){.sa_handler = SIG_DFL}, NULL);
        return; /* somebody else's: happens again, and ends the test */
    }
    faults++;
    (void)mprotect(page, PAGE, PROT_READ);
    at->uc_mcontext.gregs[REG_EFL] |= STEP_FLAG;
}

static void on_step(int signal, siginfo_t *info, void *context)
{
    ucontext_t *at = context;
    (void)signal;
    (void)info;
    (void)mprotect(page, PAGE, PROT_NONE);
    at->uc_mcontext.gregs[REG_EFL] &= ~STEP_FLAG;
}

/* Handlers are the test library's own between tests. */
static void watch(void)
{
    struct sigaction fault = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO};
    struct sigaction step = {.sa_sigaction = on_step, .sa_flags = SA_SIGINFO};
    assert_int_equal(sigaction(SIGSEGV, &fault, NULL), 0);
    assert_int_equal(sigaction(SIGTRAP, &step, NULL), 0);
    assert_int_equal(mprotect(page, PAGE, PROT_NONE), 0);
    faults = 0;
}

static int open_page(void **state)
{
    (void)state;
    page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return page == MAP_FAILED ? -1 : 0;
}

static int close_page(void **state)
{
    (void)state;
    return munmap(page, PAGE);
}

/* Bytes of the reply that may be copied out, once. */
struct range {
    uint64_t at;
    uint64_t bytes;
};

static int count_copies(const struct range *ranges, size_t count)
{
    uint8_t copy[PAGE];
    faults = 0;
    for (size_t i = 0; i < count; i++) {
        copy_out(copy, page + ranges[i].at, ranges[i].bytes);
    }
    return (int)faults;
}

/* Call and answer, then decode from the page: it must fault as the copies of @ranges do. */
static void check_once(struct trip *trip, trip_native *native, const struct cordon_value *args,
                       size_t count, const struct range *ranges, size_t range_count)
{
    uint64_t result[16] = {0};
    MUST(*trip, trip_encode(trip, args, count));
    MUST(*trip, trip_accept(trip));
    native(trip->call.arguments, result);
    MUST(*trip, trip_answer(trip, result));
    assert_in_range(trip->reply_bytes, 1, PAGE);
    assert_int_equal(mprotect(page, PAGE, PROT_READ | PROT_WRITE), 0);
    memcpy(page, trip->reply, trip->reply_bytes);
    watch();
    int expected = count_copies(ranges, range_count);
    assert_true(expected >= (int)range_count);
    faults = 0;
    int r = frame_decode(trip->plan, 0, args, count, &trip->host, &trip->space, &trip->sent,
                         trip->reply_words, page, &trip->result, &trip->why);
    MUST(*trip, r);
    assert_int_equal(faults, expected);
}

#define RANGES(...)                                                                                \
    (const struct range[]){__VA_ARGS__},                                                           \
        sizeof((const struct range[]){__VA_ARGS__}) / sizeof(struct range)

static void write_text(void *const *arguments, void *result)
{
    (void)result;
    memcpy(trip_pointer(arguments, 0), "text", 5);
}

static void test_output_string_is_read_once(void **state)
{
    (void)state;
    TRIP(trip, "void name(out char s[cap], size_t cap)");
    char name[40];
    check_once(&trip, write_text, ARGS(cordon_out(name, 40), cordon_uint(40)), RANGES({16, 40}));
    assert_string_equal(name, "text");
    trip_close(&trip);
}

static void test_changed_string_is_read_once(void **state)
{
    (void)state;
    TRIP(trip, "void up(inout char *s)");
    char name[] = "a name that is longer than text";
    check_once(&trip, write_text, ARGS(cordon_string(name)), RANGES({16, sizeof name}));
    assert_string_equal(name, "text");
    trip_close(&trip);
}

static void test_arrays_are_read_once(void **state)
{
    (void)state;
    TRIP(trip, "void f(out uint8_t a[n], size_t n, inout uint8_t b[24])");
    char a[40];
    char b[24] = "unchanged";
    check_once(&trip, write_text, ARGS(cordon_out(a, 40), cordon_uint(40), cordon_out(b, 24)),
               RANGES({16, 40}, {64, 24}));
    assert_string_equal(a, "text");
    assert_string_equal(b, "unchanged");
    trip_close(&trip);
}

static void write_counted(void *const *arguments, void *result)
{
    (void)result;
    memcpy(trip_pointer(arguments, 0), "text", 5);
    *(uint64_t *)trip_pointer(arguments, 1) = 5;
}

static void test_array_and_its_length_in_a_word_are_read_once(void **state)
{
    (void)state;
    TRIP(trip, "void f(out uint8_t a[*n], inout size_t *n)");
    char a[40];
    uint64_t n = 40;
    check_once(&trip, write_counted, ARGS(cordon_out(a, 40), cordon_out(&n, 1)), RANGES({16, 5}));
    assert_string_equal(a, "text");
    assert_int_equal(n, 5);
    trip_close(&trip);
}

struct cursor {
    char *at;
    size_t left;
    const char *label;
};

static void move_cursor(void *const *arguments, void *result)
{
    struct cursor *cursor = trip_pointer(arguments, 0);
    (void)result;
    cursor->at[0] = 'T';
    cursor->left = 3;
    cursor->label++;
}

static void test_structs_and_what_they_point_to_are_read_once(void **state)
{
    (void)state;
    TRIP(trip, "struct cursor { inout count(left) uint8_t *at; size_t left; const char *label; };"
               "void move(inout struct cursor *c)");
    char text[] = "text";
    struct cursor cursor = {text, 4, "label"};
    MUST(trip, trip_encode(&trip, ARGS(cordon_out(&cursor, 1))));
    uint64_t place;
    memcpy(&place, trip.request + (trip.sent.words[0] & 0x7fffffff), 8);
    check_once(&trip, move_cursor, ARGS(cordon_out(&cursor, 1)),
               RANGES({trip.sent.words[0] >> 32, sizeof cursor}, {place >> 32, 3}));
    assert_string_equal(text, "Text");
    assert_int_equal(cursor.left, 3);
    assert_string_equal(cursor.label, "abel");
    trip_close(&trip);
}

struct value {
    int64_t kind;
    union {
        int64_t i;
        const char *s;
    } u;
};

static void change_value(void *const *arguments, void *result)
{
    (void)result;
    *(struct value *)trip_pointer(arguments, 0) = (struct value){2, {.i = 42}};
}

static void test_unions_and_their_selectors_are_read_once(void **state)
{
    (void)state;
    TRIP(trip, "struct v { int64_t kind; union { case 1: const char *s; case 2: int64_t i; } u"
               " switch(kind); }; void f(inout struct v *v)");
    struct value value = {1, {.s = "text"}};
    check_once(&trip, change_value, ARGS(cordon_out(&value, 1)), RANGES({16, sizeof value}));
    assert_int_equal(value.kind, 2);
    assert_int_equal(value.u.i, 42);
    trip_close(&trip);
}

static void give_text(void *const *arguments, void *result)
{
    (void)arguments;
    memcpy(result, &(const char *){"text"}, sizeof(char *));
}

static void test_given_string_is_read_once(void **state)
{
    (void)state;
    TRIP(trip, "const char *name(int x)");
    check_once(&trip, give_text, ARGS(cordon_int(1)), RANGES({trip.sent.reply_fixed, 4}));
    assert_string_equal(trip.result.value.memory, "text");
    trip_close(&trip);
}

static void give_text_out(void *const *arguments, void *result)
{
    (void)result;
    *(char **)trip_pointer(arguments, 0) = strdup("text");
}

static void test_string_given_through_a_parameter_is_read_once(void **state)
{
    (void)state;
    TRIP(trip, "void name(out owned(free) char **s)");
    void *s = NULL;
    check_once(&trip, give_text_out, ARGS(cordon_out(&s, 1)), RANGES({trip.sent.reply_fixed, 4}));
    assert_string_equal(s, "text");
    free(s);
    trip_close(&trip);
}

static void give_point(void *const *arguments, void *result)
{
    (void)arguments;
    memcpy(result, (const double[]){1, 2, 3}, 3 * sizeof(double));
}

static void test_struct_by_value_is_read_once(void **state)
{
    (void)state;
    TRIP(trip, "struct p { double x; double y; double z; }; struct p f(int x)");
    check_once(&trip, give_point, ARGS(cordon_int(1)), RANGES({trip.sent.reply_fixed, 24}));
    assert_true(((const double *)trip.result.value.memory)[2] == 3);
    trip_close(&trip);
}

static void give_labels(void *const *arguments, void *result)
{
    static const char *labels[] = {"first", "second"};
    (void)arguments;
    memcpy(result, &(const char **){labels}, sizeof(char **));
}

static void test_given_structs_and_their_strings_are_read_once(void **state)
{
    (void)state;
    TRIP(trip, "struct s { const char *label; }; count(2) const struct s *f(int x)");
    /* Where the parts lie is up to the answerer: sizes decide how often a copy faults, places do not. */
    check_once(&trip, give_labels, ARGS(cordon_int(1)), RANGES({0, 16}, {16, 5}, {32, 6}));
    assert_string_equal(((const char *const *)trip.result.value.memory)[1], "second");
    trip_close(&trip);
}

/* The trap itself: what is read twice is counted twice. */
static void test_second_read_of_a_byte_is_one_more_fault(void **state)
{
    (void)state;
    volatile uint8_t *byte = page + 100;
    watch();
    assert_int_equal(*byte, 0);
    assert_int_equal(faults, 1);
    assert_int_equal(*byte, 0);
    assert_int_equal(faults, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_second_read_of_a_byte_is_one_more_fault),
        cmocka_unit_test(test_output_string_is_read_once),
        cmocka_unit_test(test_changed_string_is_read_once),
        cmocka_unit_test(test_arrays_are_read_once),
        cmocka_unit_test(test_array_and_its_length_in_a_word_are_read_once),
        cmocka_unit_test(test_structs_and_what_they_point_to_are_read_once),
        cmocka_unit_test(test_unions_and_their_selectors_are_read_once),
        cmocka_unit_test(test_given_string_is_read_once),
        cmocka_unit_test(test_string_given_through_a_parameter_is_read_once),
        cmocka_unit_test(test_struct_by_value_is_read_once),
        cmocka_unit_test(test_given_structs_and_their_strings_are_read_once),
    };
    return cmocka_run_group_tests(tests, open_page, close_page);
}

#else

int main(void)
{
    (void)printf("no single steps on this processor\n");
    return 77;
}

#endif
