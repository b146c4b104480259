/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fd.h"
#include "report/capture.h"
#include "report/card.h"
#include "report/directory.h"

static const struct capture_reason crash = {.why = CAPTURE_WHY_CRASH, .report_id = 5, .tid = 9};

static uint64_t read_back(int fd, uint8_t **ret_bytes)
{
    off_t length = lseek(fd, 0, SEEK_END);
    *ret_bytes = aligned_alloc(64, ((size_t)length + 64) & ~(size_t)63);
    assert_non_null(*ret_bytes);
    assert_int_equal(pread(fd, *ret_bytes, (size_t)length, 0), length);
    return (uint64_t)length;
}

static void test_what_is_written_is_read(void **state)
{
    (void)state;
    struct capture capture;
    struct capture_reader reader;
    struct capture_reason reason;
    struct capture_part part;
    uint8_t *bytes;
    OWN_FD fd = memfd_create("capture", MFD_CLOEXEC);
    capture_begin(&capture, fd, &crash);
    assert_int_equal(capture_add(&capture, CAPTURE_STACK, 9, 0x1000, "abc", 3), 3);
    capture_open(&capture, CAPTURE_MAPS, 0, 0);
    assert_int_equal(capture_append(&capture, "one ", 4), 4);
    assert_int_equal(capture_append(&capture, "two", 3), 3);
    capture_close(&capture);
    capture_add_file(&capture, CAPTURE_STATUS, "/proc/none", 100);
    assert_int_equal(capture_end(&capture), 0);
    uint64_t length = read_back(fd, &bytes);
    assert_int_equal(capture_read(&reader, bytes, length, &reason), 0);
    assert_int_equal(reason.report_id, 5);
    assert_int_equal(capture_next(&reader, &part), 1);
    assert_int_equal(part.kind, CAPTURE_STACK);
    assert_int_equal(part.address, 0x1000);
    assert_memory_equal(part.data, "abc", 3);
    assert_int_equal(capture_next(&reader, &part), 1);
    assert_int_equal(part.bytes, 7);
    assert_memory_equal(part.data, "one two", 7);
    assert_int_equal(capture_next(&reader, &part), 1);
    assert_int_equal(part.kind, CAPTURE_NOTE);
    assert_int_equal(capture_next(&reader, &part), 0);
    /* Whatever its end, it is never read behind it. */
    for (uint64_t cut = 0; cut < length; cut++) {
        uint8_t *piece = malloc(cut + 1);
        memcpy(piece, bytes, cut);
        bool more = capture_read(&reader, piece, cut, &reason) == 0;
        while (more) {
            more = capture_next(&reader, &part) == 1;
        }
        free(piece);
    }
    free(bytes);
}

static void test_capture_ends_at_its_limit(void **state)
{
    (void)state;
    static uint8_t megabyte[1u << 20];
    struct capture capture;
    struct capture_reader reader;
    struct capture_reason reason;
    struct capture_part part;
    uint8_t *bytes;
    uint64_t written = 0;
    OWN_FD fd = memfd_create("capture", MFD_CLOEXEC);
    capture_begin(&capture, fd, &crash);
    for (int i = 0; i < 40; i++) {
        written += capture_add(&capture, CAPTURE_MEMORY, 0, 0, megabyte, sizeof megabyte);
    }
    (void)capture_end(&capture);
    uint64_t length = read_back(fd, &bytes);
    assert_true(length <= CAPTURE_BYTES_MAX);
    assert_true(written < CAPTURE_BYTES_MAX && written > CAPTURE_BYTES_MAX - sizeof megabyte);
    assert_int_equal(capture_read(&reader, bytes, length, &reason), 0);
    int r;
    while ((r = capture_next(&reader, &part)) == 1) {
    }
    assert_int_equal(r, 0);
    free(bytes);
}

static void test_write_error_is_told(void **state)
{
    (void)state;
    struct capture capture;
    OWN_FD fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    capture_begin(&capture, fd, &crash);
    assert_int_equal(capture_add(&capture, CAPTURE_STACK, 9, 0, "abc", 3), 0);
    assert_true(capture_end(&capture) < 0);
}

static void test_card_is_read_while_it_grows(void **state)
{
    (void)state;
    struct card_wish wish = {.library = "libx.so", .level = CARD_PROCESS, .reports_max = 3};
    struct card *card;
    struct card_reader reader;
    struct card_header header;
    struct card_part part;
    uint8_t *bytes;
    assert_int_equal(card_new(&wish, &card), 0);
    uint64_t length = read_back(card_peek_fd(card), &bytes);
    assert_int_equal(card_read(&reader, bytes, length, &header), 0);
    assert_string_equal(header.library, "libx.so");
    assert_int_equal(card_next(&reader, &part), 0);
    free(bytes);
    assert_int_equal(card_add_function(card, 12, "a plan", 6), 0);
    assert_int_equal(card_add_function(card, 13, "another plan", 12), 0);
    (void)read_back(card_peek_fd(card), &bytes);
    assert_int_equal(card_read(&reader, bytes, length, &header), 0);
    assert_int_equal(card_next(&reader, &part), 1);
    assert_int_equal(part.id, 12);
    assert_memory_equal(part.data, "a plan", 6);
    assert_int_equal(card_next(&reader, &part), 1);
    assert_int_equal(part.kind, CARD_FUNCTION);
    assert_int_equal(part.id, 13);
    assert_int_equal(part.bytes, 12);
    assert_int_equal(card_next(&reader, &part), 0);
    free(bytes);
    card_free(card);
}

static void test_card_is_full_at_its_limit(void **state)
{
    (void)state;
    struct card_wish wish = {.library = ""};
    struct card *card;
    uint8_t *plan = calloc(1, 1u << 20);
    int added = 0;
    assert_int_equal(card_new(&wish, &card), 0);
    while (card_add_function(card, 1, plan, 1u << 20) == 0) {
        added++;
    }
    assert_int_equal(added, 63);
    assert_int_equal(card_add_function(card, 1, plan, 1u << 20), -ENOSPC);
    free(plan);
    card_free(card);
}

static void test_names_of_reports(void **state)
{
    (void)state;
    char name[DIRECTORY_NAME_BYTES];
    uint64_t id;
    uint32_t part;
    assert_string_equal(directory_name(0xab, 0, name), "00000000000000ab.json");
    assert_string_equal(directory_name(0xab, 3, name), "00000000000000ab-3.json");
    assert_true(directory_parse(name, &id, &part));
    assert_int_equal(id, 0xab);
    assert_int_equal(part, 3);
    static const char *const others[] = {"",
                                         ".00000000000000ab.tmp",
                                         "ab.json",
                                         "00000000000000ab.json~",
                                         "00000000000000ab-.json",
                                         "00000000000000ab-0.json",
                                         "00000000000000AB.json",
                                         "00000000000000ab-03.json"};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        assert_false(directory_parse(others[i], &id, &part));
    }
}

static void put_file(int folder, const char *name, size_t bytes, time_t age_s)
{
    static const char zeros[256];
    struct timespec times[2] = {{.tv_sec = time(NULL) - age_s}, {.tv_sec = time(NULL) - age_s}};
    OWN_FD fd = openat(folder, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_int_equal(write(fd, zeros, bytes), bytes);
    assert_int_equal(futimens(fd, times), 0);
}

static void test_oldest_reports_go_beyond_the_bytes(void **state)
{
    (void)state;
    char path[] = "/tmp/cordon-test-directory-XXXXXX";
    struct directory_entry entries[8];
    assert_non_null(mkdtemp(path));
    OWN_FD folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    put_file(folder, "0000000000000001.json", 100, 0);
    put_file(folder, "0000000000000002-1.json", 100, 0);
    put_file(folder, "0000000000000002.json", 100, 0);
    put_file(folder, "mine.json", 100, 0);
    put_file(folder, ".0000000000000003.tmp", 100, 0);
    put_file(folder, ".0000000000000004.tmp", 100, DIRECTORY_STALE_S + 10);
    directory_prune(folder, 10, 250, 0);
    assert_int_equal(directory_list(folder, entries, 8, false), 2);
    assert_int_equal(entries[0].id, 2);
    assert_int_equal(entries[0].part, 1);
    assert_int_equal(entries[1].part, 0);
    directory_prune(folder, 0, 0, 2);
    assert_int_equal(directory_list(folder, entries, 8, false), 2);
    directory_prune(folder, 0, 0, 0);
    assert_int_equal(directory_list(folder, entries, 8, false), 0);
    /* What is no report stays, what somebody may be writing too. */
    assert_int_equal(unlinkat(folder, "mine.json", 0), 0);
    assert_int_equal(unlinkat(folder, ".0000000000000003.tmp", 0), 0);
    assert_int_equal(rmdir(path), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_written_is_read),
        cmocka_unit_test(test_capture_ends_at_its_limit),
        cmocka_unit_test(test_write_error_is_told),
        cmocka_unit_test(test_card_is_read_while_it_grows),
        cmocka_unit_test(test_card_is_full_at_its_limit),
        cmocka_unit_test(test_names_of_reports),
        cmocka_unit_test(test_oldest_reports_go_beyond_the_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
