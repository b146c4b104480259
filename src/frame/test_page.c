/* SPDX-License-Identifier: Apache-2.0 */
#include "frame/test_page.h"

#if TEST_PAGE_WORKS

#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>

#include "frame/walk.h"

#define STEP_FLAG 0x100 /* TF: trap behind the next instruction */

static uint8_t *page;
static volatile sig_atomic_t reads;

/* Behind this read (0: none) the word at forged_at becomes forged_word. */
static volatile sig_atomic_t forge_behind;
static size_t forged_at;
static uint64_t forged_word;

/* What nobody may see there at any moment; NULL: anything may lie there. */
static const void *hidden;
static size_t hidden_bytes;
static volatile sig_atomic_t seen;

static void on_fault(int signal, siginfo_t *info, void *context)
{
    ucontext_t *at = context;
    uint8_t *address = info->si_addr;
    if (address < page || address >= page + TEST_PAGE_BYTES) {
        (void)sigaction(signal, &(struct sigaction){.sa_handler = SIG_DFL}, NULL);
        return; /* somebody else's: happens again, and ends the test */
    }
    reads++;
    (void)mprotect(page, TEST_PAGE_BYTES, PROT_READ | PROT_WRITE);
    at->uc_mcontext.gregs[REG_EFL] |= STEP_FLAG;
}

static void on_step(int signal, siginfo_t *info, void *context)
{
    ucontext_t *at = context;
    (void)signal;
    (void)info;
    if (reads == forge_behind) {
        memcpy(page + forged_at, &forged_word, sizeof forged_word);
    }
    if (hidden && memmem(page, TEST_PAGE_BYTES, hidden, hidden_bytes)) {
        seen++;
    }
    (void)mprotect(page, TEST_PAGE_BYTES, PROT_NONE);
    at->uc_mcontext.gregs[REG_EFL] &= ~STEP_FLAG;
}

int test_page_open(void **state)
{
    (void)state;
    page = mmap(NULL, TEST_PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return page == MAP_FAILED ? -1 : 0;
}

int test_page_close(void **state)
{
    (void)state;
    return munmap(page, TEST_PAGE_BYTES);
}

volatile const uint8_t *test_page(void)
{
    return page;
}

int test_page_reads(void)
{
    return (int)reads;
}

void test_page_watch(void)
{
    struct sigaction fault = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO};
    struct sigaction step = {.sa_sigaction = on_step, .sa_flags = SA_SIGINFO};
    assert_int_equal(sigaction(SIGSEGV, &fault, NULL), 0);
    assert_int_equal(sigaction(SIGTRAP, &step, NULL), 0);
    assert_int_equal(mprotect(page, TEST_PAGE_BYTES, PROT_NONE), 0);
    reads = 0;
}

static int count_copies(const struct test_range *ranges, size_t count)
{
    uint8_t copy[TEST_PAGE_BYTES];
    reads = 0;
    for (size_t i = 0; i < count; i++) {
        copy_out(copy, page + ranges[i].at, ranges[i].bytes);
    }
    return (int)reads;
}

uint8_t *test_page_hide(const void *bytes, size_t count)
{
    assert_int_equal(mprotect(page, TEST_PAGE_BYTES, PROT_READ | PROT_WRITE), 0);
    memset(page, 0, TEST_PAGE_BYTES);
    hidden = bytes;
    hidden_bytes = count;
    seen = 0;
    test_page_watch();
    return page;
}

int test_page_seen(void)
{
    assert_true(reads > 0);
    assert_int_equal(mprotect(page, TEST_PAGE_BYTES, PROT_READ | PROT_WRITE), 0);
    hidden = NULL;
    return (int)seen;
}

/* Copy the trip's reply to the page, and shut it. */
static void fill_page(const struct trip *trip)
{
    assert_in_range(trip->reply_bytes, 1, TEST_PAGE_BYTES);
    assert_int_equal(mprotect(page, TEST_PAGE_BYTES, PROT_READ | PROT_WRITE), 0);
    memcpy(page, trip->reply, trip->reply_bytes);
    test_page_watch();
}

static int decode_page(struct trip *trip, const struct cordon_value *args, size_t count)
{
    reads = 0;
    return frame_decode(trip->plan, 0, args, count, &trip->host, &trip->space, &trip->sent,
                        trip->reply_words, page, &trip->result, &trip->why);
}

void test_page_check_once(struct trip *trip, trip_native *native, const struct cordon_value *args,
                          size_t count, const struct test_range *ranges, size_t range_count)
{
    trip_perform(trip, native, args, count);
    forge_behind = 0;
    fill_page(trip);
    int expected = count_copies(ranges, range_count);
    assert_true(expected >= (int)range_count);
    MUST(*trip, decode_page(trip, args, count));
    assert_int_equal(reads, expected);
}

void test_page_rewrite(struct trip *trip, const struct cordon_value *args, size_t count,
                       uint64_t at, uint64_t forged, test_page_check *check)
{
    forged_at = at;
    forged_word = forged;
    sig_atomic_t behind = 0;
    do {
        forge_behind = ++behind;
        fill_page(trip);
        int r = decode_page(trip, args, count);
        assert_true(reads > 0);
        check(trip, r);
    } while (reads > behind);
    forge_behind = 0;
}

#else

#include <stdio.h>

/* Of every test that needs a page. */
int main(void)
{
    (void)printf("no single steps on this processor\n");
    return 77;
}

#endif
