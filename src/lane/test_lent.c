/* SPDX-License-Identifier: Apache-2.0 */
/* A lane whose host is a client: what it writes into H, and what the keeper makes of it. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/memfd.h"
#include "lane/host.h"
#include "lane/keeper.h"
#include "lane/lease.h"

#define MOST_NS (4 * CLOCK_SECOND_NS)
#define NOW_NS  (1000 * CLOCK_SECOND_NS)

struct bench {
    struct lane *lane;
    struct lane_host_page *h; /* as the client has it */
    struct lane_worker_page *w;
    struct lane_ward ward;
    int bell;
    int ledger_fd;
    struct lease_ledger *ledger; /* as the lender has it */
};

static int new_ledger(struct lease_ledger **ret_ledger)
{
    int fd = -1;
    assert_int_equal(memfd_new("ledger", LEASE_LEDGER_BYTES, F_SEAL_SHRINK | F_SEAL_GROW, &fd), 0);
    struct lease_ledger *ledger =
        mmap(NULL, LEASE_LEDGER_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    assert_ptr_not_equal(ledger, MAP_FAILED);
    ledger->magic = LEASE_LEDGER_MAGIC;
    ledger->version = LEASE_VERSION;
    *ret_ledger = ledger;
    return fd;
}

static void set_up(struct bench *bench)
{
    struct lane_options options = {.h_bytes = LANE_BYTES_MIN, .w_bytes = LANE_BYTES_MIN};
    assert_int_equal(lane_open(&options, &bench->lane), 0);
    bench->h = lane_peek_h(bench->lane);
    bench->w = lane_peek_w(bench->lane);
    bench->bell = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    bench->ledger_fd = new_ledger(&bench->ledger);
    assert_int_equal(lane_ward_open_lent(&bench->ward, lane_peek_h_fd(bench->lane),
                                         lane_peek_w_fd(bench->lane), bench->bell, bench->ledger_fd,
                                         MOST_NS),
                     0);
}

static void tear_down(struct bench *bench)
{
    lane_ward_close(&bench->ward);
    lane_close(bench->lane);
    (void)munmap(bench->ledger, LEASE_LEDGER_BYTES);
    fd_release(&bench->ledger_fd);
    fd_release(&bench->bell);
}

static uint32_t submit(struct bench *bench, uint64_t deadline_ns)
{
    struct lane_message message = {.verb = LANE_CALL, .tag = 1};
    uint32_t seq = 0;
    assert_int_equal(lane_submit(bench->lane, &message, deadline_ns, false, &seq), 0);
    return seq;
}

static bool rang(const struct bench *bench)
{
    uint64_t count = 0;
    return read(bench->bell, &count, sizeof count) == sizeof count && count > 0;
}

static void test_lent_lane_needs_a_ledger_and_wakes_by_futexes_beside_a_bell(void **state)
{
    (void)state;
    struct bench bench;
    struct lane_ward ward;
    set_up(&bench);
    int h_fd = lane_peek_h_fd(bench.lane);
    int w_fd = lane_peek_w_fd(bench.lane);
    assert_int_equal(lane_ward_open_lent(&ward, h_fd, w_fd, bench.bell, w_fd, MOST_NS), -EBADMSG);
    assert_int_equal(lane_ward_open_lent(&ward, h_fd, w_fd, bench.bell, bench.bell, MOST_NS),
                     -EBADMSG);
    bench.ledger->version++;
    assert_int_equal(lane_ward_open_lent(&ward, h_fd, w_fd, bench.bell, bench.ledger_fd, MOST_NS),
                     -EBADMSG);
    tear_down(&bench);
}

static void test_no_deadline_and_a_moving_one_end_at_the_lenders(void **state)
{
    (void)state;
    struct bench bench;
    uint32_t late = 0;
    uint64_t next_ns = 0;
    set_up(&bench);
    assert_false(lane_ward_overdue(&bench.ward, NOW_NS, &late, &next_ns));
    assert_int_equal(next_ns, NOW_NS + LANE_LENT_LOOK_MAX_NS);
    uint32_t seq = submit(&bench, CLOCK_NEVER);
    assert_false(lane_ward_overdue(&bench.ward, NOW_NS, &late, &next_ns));
    for (uint64_t passed_ns = 0; passed_ns < MOST_NS; passed_ns += MOST_NS / 8) {
        /* The client puts it off, again and again. */
        atomic_store(&bench.h->record[lane_slot_of(seq)].deadline_ns,
                     NOW_NS + passed_ns + 2 * MOST_NS);
        assert_false(lane_ward_overdue(&bench.ward, NOW_NS + passed_ns, &late, &next_ns));
        assert_in_range(next_ns, NOW_NS + passed_ns + 1,
                        NOW_NS + passed_ns + LANE_LENT_LOOK_MAX_NS);
    }
    assert_true(lane_ward_overdue(&bench.ward, NOW_NS + MOST_NS, &late, &next_ns));
    assert_int_equal(late, seq);
    tear_down(&bench);
}

static void test_an_earlier_deadline_is_the_clients_to_give(void **state)
{
    (void)state;
    struct bench bench;
    uint32_t late = 0;
    uint64_t next_ns = 0;
    set_up(&bench);
    uint32_t seq = submit(&bench, NOW_NS + 100);
    assert_false(lane_ward_overdue(&bench.ward, NOW_NS, &late, &next_ns));
    assert_int_equal(next_ns, NOW_NS + 100);
    assert_int_equal(atomic_load(&bench.h->watch_until_ns), 0); /* that is the client's */
    assert_true(lane_ward_overdue(&bench.ward, NOW_NS + 100, &late, &next_ns));
    assert_int_equal(late, seq);
    tear_down(&bench);
}

static void test_verdict_that_the_client_writes_is_nobodys(void **state)
{
    (void)state;
    struct bench bench;
    set_up(&bench);
    for (uint32_t lie = LANE_DIED; lie < 20; lie++) {
        atomic_store(&bench.h->verdict, lie);
        atomic_store(&bench.h->verdict_seq, 12345);
        atomic_store(&bench.h->verdict_final, 3);
        assert_int_equal(lane_ward_verdict(&bench.ward), LANE_ALIVE);
        assert_int_equal(lane_ward_blamed(&bench.ward), 0);
        assert_true(lane_ward_is_over(&bench.ward)); /* it leaves, and is let go */
        assert_int_equal(atomic_load(&bench.ledger->verdict), LANE_ALIVE);
    }
    struct lane_death death = {.code = 2, .status = 11, .text = "why"};
    assert_true(lane_ward_condemn(&bench.ward, LANE_WORKER_DENIED, 7, &death));
    assert_false(lane_ward_condemn(&bench.ward, LANE_DIED, 8, NULL));
    atomic_store(&bench.h->verdict, LANE_ALIVE);
    assert_false(lane_ward_condemn(&bench.ward, LANE_DIED, 8, NULL));
    assert_int_equal(lane_ward_verdict(&bench.ward), LANE_WORKER_DENIED);
    assert_int_equal(lane_ward_blamed(&bench.ward), 7);
    assert_int_equal(atomic_load(&bench.ledger->verdict), LANE_WORKER_DENIED);
    assert_int_equal(bench.ledger->blamed, 7);
    assert_int_equal(bench.ledger->death.status, 11);
    assert_true(rang(&bench));
    tear_down(&bench);
}

static void test_worker_that_left_on_the_clients_word_did_not_die(void **state)
{
    (void)state;
    static const struct {
        enum lane_verdict said;
        bool late;
        enum lane_verdict told;
    } cases[] = {
        {LANE_ALIVE, false, LANE_DIED},       {LANE_DIED, false, LANE_DIED},
        {LANE_CLOSED, false, LANE_CLOSED},    {LANE_CLOSED, true, LANE_DEADLINE},
        {LANE_DEADLINE, true, LANE_DEADLINE}, {LANE_DEADLINE, false, LANE_CLOSED},
        {LANE_LIED, false, LANE_CLOSED},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct bench bench;
        set_up(&bench);
        (void)submit(&bench, cases[i].late ? clock_now_ns() - 1 : CLOCK_NEVER);
        atomic_store(&bench.h->verdict, cases[i].said);
        assert_int_equal(lane_ward_is_said_dead(&bench.ward), cases[i].said == LANE_DIED);
        assert_true(lane_ward_condemn(&bench.ward, LANE_DIED, 1, NULL));
        assert_int_equal(atomic_load(&bench.ledger->verdict), cases[i].told);
        assert_false(lane_ward_is_said_dead(&bench.ward));
        tear_down(&bench);
    }
}

static void test_death_that_the_client_writes_is_nobodys(void **state)
{
    (void)state;
    struct bench bench;
    const struct lane_death forged = {.code = 2, .status = 12345, .text = "the daemon did it"};
    const struct lane_death real = {.code = 2, .status = 11, .text = "real"};
    set_up(&bench);
    bench.h->death = forged;
    atomic_store(&bench.h->verdict, LANE_DIED);
    atomic_store(&bench.h->verdict_final, LANE_FINAL_SEQ | LANE_FINAL_DEATH);
    assert_int_equal(lane_ward_death(&bench.ward).status, 0);
    assert_true(lane_ward_condemn(&bench.ward, LANE_DIED, 1, &real));
    bench.h->death = forged;
    assert_int_equal(lane_ward_death(&bench.ward).status, 11);
    assert_string_equal(lane_ward_death(&bench.ward).text, "real");
    tear_down(&bench);
}

static void test_gone_is_told_in_both_and_the_first_death_stays(void **state)
{
    (void)state;
    struct bench bench;
    struct lane_death first = {.code = 2, .status = 6, .text = "first"};
    struct lane_death second = {.code = 1, .status = 0};
    set_up(&bench);
    assert_true(lane_ward_condemn(&bench.ward, LANE_DIED, 1, &first));
    (void)rang(&bench);
    bench.h->death = second;
    lane_ward_gone(&bench.ward, &second);
    assert_int_equal(atomic_load(&bench.ledger->gone), 1);
    assert_string_equal(bench.ledger->death.text, "first");
    assert_int_equal(atomic_load(&bench.h->gone), 1);
    assert_true(rang(&bench));
    tear_down(&bench);
}

/* Whatever stands there: bounded work, a next look that is near, and no verdict that we did not give. */
static void test_rewriting_client_gets_bounded_looks(void **state)
{
    (void)state;
    struct bench bench;
    unsigned seed = 1;
    set_up(&bench);
    uint64_t now_ns = NOW_NS;
    for (uint32_t round = 0; round < 200000; round++) {
        uint32_t *words =
            (uint32_t *)bench.h + 16; /* behind what is read once, when it is opened */
        size_t count = (sizeof *bench.h - 64) / sizeof(uint32_t);
        for (int i = 0; i < 8; i++) {
            words[(size_t)rand_r(&seed) % count] = (uint32_t)rand_r(&seed) * 2654435761u;
        }
        uint32_t base = (uint32_t)rand_r(&seed);
        atomic_store(&bench.h->collected, base);
        atomic_store(&bench.h->submitted, base + (uint32_t)rand_r(&seed) % 70u);
        atomic_store(&bench.w->mail[round % LANE_SLOTS].turn, (uint32_t)rand_r(&seed));
        now_ns += (uint64_t)(rand_r(&seed) % 1000000);
        uint32_t late = 0;
        uint64_t next_ns = 0;
        if (!lane_ward_overdue(&bench.ward, now_ns, &late, &next_ns)) {
            assert_in_range(next_ns, now_ns + 1, now_ns + LANE_LENT_LOOK_MAX_NS);
        }
        (void)lane_ward_unanswered(&bench.ward);
        (void)lane_ward_is_over(&bench.ward);
        assert_int_equal(lane_ward_verdict(&bench.ward), LANE_ALIVE);
    }
    atomic_store(&bench.h->host_parked, 65);
    assert_true(lane_ward_condemn(&bench.ward, LANE_RECALLED, 0, NULL));
    assert_int_equal(atomic_load(&bench.ledger->verdict), LANE_RECALLED);
    tear_down(&bench);
}

/* A memory of huge pages bears all seals, and no page may be there when it is touched. */
static void test_memory_of_huge_pages_is_no_lane(void **state)
{
    (void)state;
    uint64_t bytes;
    OWN_FD fd = memfd_create("huge", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_HUGETLB);
    if (fd < 0) {
        skip();
    }
    assert_int_equal(ftruncate(fd, 2 << 20), 0);
    assert_int_equal(memfd_seal(fd, F_SEAL_SHRINK | F_SEAL_GROW), 0);
    assert_int_equal(memfd_judge(fd, F_SEAL_SHRINK | F_SEAL_GROW, &bytes), -EBADMSG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lent_lane_needs_a_ledger_and_wakes_by_futexes_beside_a_bell),
        cmocka_unit_test(test_no_deadline_and_a_moving_one_end_at_the_lenders),
        cmocka_unit_test(test_an_earlier_deadline_is_the_clients_to_give),
        cmocka_unit_test(test_verdict_that_the_client_writes_is_nobodys),
        cmocka_unit_test(test_worker_that_left_on_the_clients_word_did_not_die),
        cmocka_unit_test(test_death_that_the_client_writes_is_nobodys),
        cmocka_unit_test(test_gone_is_told_in_both_and_the_first_death_stays),
        cmocka_unit_test(test_rewriting_client_gets_bounded_looks),
        cmocka_unit_test(test_memory_of_huge_pages_is_no_lane),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
