/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Captures of a process that crashes, taken with ptrace as the keeper does, and what cordon-symbolize makes
 * of them.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fd.h"
#include "lane/layout.h"
#include "prototype/prototype.h"
#include "report/capture.h"
#include "report/card.h"
#include "report/directory.h"
#include "report/registers.h"
#include "report/symbolize.h"

#define REPORT_ID 0x65a0000012345678ull

static char directory[] = "/tmp/cordon-test-report-XXXXXX";

/* ---- A process that is stopped by its fault ------------------------------------------------------- */

static pid_t start_faulting(const char *library, const char *function)
{
    pid_t pid = fork();
    if (pid == 0) {
        (void)ptrace(PTRACE_TRACEME, 0, NULL, NULL);
        void *handle = dlopen(library, RTLD_NOW);
        void *symbol = handle ? dlsym(handle, function) : NULL;
        if (symbol) {
            void (*call)(int);
            memcpy(&call, &symbol, sizeof call);
            call(5);
        }
        _exit(99);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSTOPPED(status));
    return pid;
}

static void add_stack(struct capture *capture, pid_t pid, uint64_t sp)
{
    static uint8_t bytes[CAPTURE_STACK_BYTES];
    for (size_t want = sizeof bytes; want >= 4096; want /= 2) {
        struct iovec here = {bytes, want};
        struct iovec there = {(void *)(uintptr_t)sp, want};
        ssize_t count = process_vm_readv(pid, &here, 1, &there, 1, 0);
        if (count > 0) {
            (void)capture_add(capture, CAPTURE_STACK, (uint32_t)pid, sp, bytes, (uint64_t)count);
            return;
        }
    }
}

static int capture_of(pid_t pid, struct lane_host_page *page, struct capture_reason *reason)
{
    struct user_regs_struct regs;
    struct iovec set = {&regs, sizeof regs};
    struct capture_thread thread;
    struct capture capture;
    siginfo_t info;
    char path[64];
    assert_int_equal(ptrace(PTRACE_GETREGSET, pid, (void *)NT_PRSTATUS, &set), 0);
    assert_int_equal(ptrace(PTRACE_GETSIGINFO, pid, NULL, &info), 0);
    reason->signal = info.si_signo;
    reason->code = info.si_code;
    reason->fault_address = (uint64_t)(uintptr_t)info.si_addr;
    reason->flags |= CAPTURE_HAS_FAULT | CAPTURE_ENDED;
    reason->tid = reason->pid = (uint32_t)pid;
    int fd = memfd_create("capture", MFD_CLOEXEC);
    assert_true(fd >= 0);
    capture_begin(&capture, fd, reason);
    capture_thread_from_ptrace(&thread, &regs);
    thread.flags = CAPTURE_THREAD_BLAMED;
    (void)snprintf(thread.name, sizeof thread.name, "faulting");
    (void)capture_add(&capture, CAPTURE_THREAD, (uint32_t)pid, 0, &thread, sizeof thread);
    add_stack(&capture, pid, thread.registers[CAPTURE_REGISTER_SP]);
    (void)snprintf(path, sizeof path, "/proc/%d/maps", (int)pid);
    capture_add_file(&capture, CAPTURE_MAPS, path, CAPTURE_TEXT_BYTES);
    (void)snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    capture_add_file(&capture, CAPTURE_STATUS, path, CAPTURE_TEXT_BYTES);
    if (page) {
        (void)capture_add(&capture, CAPTURE_LANE, 0, 0, page, sizeof *page);
    }
    assert_int_equal(capture_end(&capture), 0);
    (void)kill(pid, SIGKILL);
    (void)waitpid(pid, NULL, 0);
    return fd;
}

/* ---- Running the program -------------------------------------------------------------------------- */

static bool is_in_a_hurry; /* whoever starts it */

static int symbolize(int capture, int card, int h)
{
    pid_t pid = fork();
    if (pid == 0) {
        OWN_FD folder = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        int fds[] = {fcntl(capture, F_DUPFD, 20), fcntl(folder, F_DUPFD, 20),
                     card < 0 ? -1 : fcntl(card, F_DUPFD, 20), h < 0 ? -1 : fcntl(h, F_DUPFD, 20)};
        for (int i = 0; i < 4; i++) {
            (void)close(SYMBOLIZE_FD_CAPTURE + i);
            if (fds[i] >= 0) {
                (void)dup2(fds[i], SYMBOLIZE_FD_CAPTURE + i);
            }
        }
        if (is_in_a_hurry) { /* told so before it can hear it */
            sigset_t hurry;
            (void)sigemptyset(&hurry);
            (void)sigaddset(&hurry, SIGTERM);
            (void)sigprocmask(SIG_BLOCK, &hurry, NULL);
            (void)raise(SIGTERM);
        }
        (void)execl(SYMBOLIZE_PROGRAM, "cordon-symbolize", (char *)NULL);
        _exit(127);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static json_t *read_report(uint64_t id)
{
    char path[256];
    char name[DIRECTORY_NAME_BYTES];
    struct stat info;
    (void)snprintf(path, sizeof path, "%s/%s", directory, directory_name(id, 0, name));
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);
    json_error_t error;
    json_t *report = json_load_file(path, 0, &error);
    assert_non_null(report);
    return report;
}

static json_t *frame_named(json_t *report, const char *function)
{
    json_t *threads = json_object_get(report, "threads");
    json_t *stack = json_object_get(json_array_get(threads, 0), "stack");
    size_t index;
    json_t *frame;
    json_array_foreach(stack, index, frame)
    {
        const char *name = json_string_value(json_object_get(frame, "function"));
        if (name && strcmp(name, function) == 0) {
            return frame;
        }
    }
    return NULL;
}

static const char *text_at(json_t *json, const char *key)
{
    const char *text = json_string_value(json_object_get(json, key));
    return text ? text : "";
}

static struct capture_reason crash_reason(void)
{
    return (struct capture_reason){.why = CAPTURE_WHY_CRASH,
                                   .report_id = REPORT_ID,
                                   .realtime_ns = 1800000000123456789u,
                                   .worker = 7};
}

static json_t *report_of_fault(const char *library, const char *function)
{
    struct capture_reason reason = crash_reason();
    struct card_wish wish = {.library = library};
    struct card *card;
    pid_t pid = start_faulting(library, function);
    OWN_FD capture = capture_of(pid, NULL, &reason);
    assert_int_equal(card_new(&wish, &card), 0);
    assert_int_equal(symbolize(capture, card_peek_fd(card), -1), SYMBOLIZE_COMPLETE);
    card_free(card);
    return read_report(REPORT_ID);
}

/* ---- Cases ---------------------------------------------------------------------------------------- */

static void test_crash_has_functions_and_lines(void **state)
{
    (void)state;
    json_t *report = report_of_fault(SAMPLE, "sample_outer");
    json_t *leaf = frame_named(report, "sample_write");
    assert_non_null(leaf);
    assert_non_null(strstr(text_at(leaf, "file"), "test_sample.c"));
    assert_true(json_integer_value(json_object_get(leaf, "line")) > 0);
    assert_string_equal(text_at(leaf, "by"), "registers");
    json_t *inner = frame_named(report, "sample_inlined");
    assert_non_null(inner);
    assert_true(json_is_true(json_object_get(inner, "inlined")));
    json_t *outer = frame_named(report, "sample_outer");
    assert_non_null(outer);
    assert_string_equal(text_at(outer, "by"), "cfi");
    json_t *signal = json_object_get(report, "signal");
    assert_string_equal(text_at(signal, "name"), "SIGSEGV");
    assert_string_equal(text_at(signal, "address"), "0x10");
    assert_string_equal(text_at(signal, "there"), "near NULL");
    json_decref(report);
}

static void test_crash_in_stripped_library_has_module_and_offset(void **state)
{
    (void)state;
    json_t *report = report_of_fault(SAMPLE_STRIPPED, "sample_outer");
    json_t *stack = json_object_get(json_array_get(json_object_get(report, "threads"), 0), "stack");
    json_t *leaf = json_array_get(stack, 0);
    assert_string_equal(text_at(leaf, "module"), SAMPLE_STRIPPED);
    assert_string_equal(text_at(leaf, "function"), "");
    assert_int_equal(strncmp(text_at(leaf, "offset"), "0x", 2), 0);
    assert_non_null(frame_named(report, "sample_outer")); /* exported: in .dynsym */
    json_decref(report);
}

static void test_jump_to_nowhere_shows_the_caller(void **state)
{
    (void)state;
    json_t *report = report_of_fault(SAMPLE, "sample_jump");
    assert_non_null(frame_named(report, "sample_jump"));
    json_decref(report);
}

static void test_stack_overflow_is_named(void **state)
{
    (void)state;
    json_t *report = report_of_fault(SAMPLE, "sample_overflow");
    assert_non_null(strstr(text_at(json_object_get(report, "signal"), "there"), "overflowed"));
    json_decref(report);
}

/* A card with one function, and a page whose first call was of it. */
static struct card *card_with(const char *prototype, uint32_t flags)
{
    struct interface *interface;
    struct card *card;
    size_t bytes;
    struct card_wish wish = {.library = SAMPLE, .program = "/bin/host", .flags = flags};
    assert_int_equal(interface_parse("test", prototype, strlen(prototype), &interface, NULL), 0);
    const void *plan = interface_plan(interface, 0, &bytes);
    assert_int_equal(card_new(&wish, &card), 0);
    assert_int_equal(card_add_function(card, 3, plan, bytes), 0);
    interface_free(interface);
    return card;
}

static json_t *report_of_call(const char *prototype, const uint64_t *words)
{
    static struct lane_host_page page;
    struct capture_reason reason = crash_reason();
    struct card *card = card_with(prototype, 0);
    page.submitted = 1;
    page.record[0].function_id = 3;
    for (int i = 0; i < 6; i++) {
        page.record[0].words[i] = words[i];
    }
    reason.flags = CAPTURE_HAS_CALL;
    reason.seq = 1;
    reason.function_id = 3;
    pid_t pid = start_faulting(SAMPLE, "sample_outer");
    OWN_FD capture = capture_of(pid, &page, &reason);
    assert_int_equal(symbolize(capture, card_peek_fd(card), -1), SYMBOLIZE_COMPLETE);
    card_free(card);
    return read_report(REPORT_ID);
}

static void test_call_has_function_and_arguments(void **state)
{
    (void)state;
    const uint64_t words[6] = {5, 0x4004000000000000};
    json_t *report = report_of_call("int put(int count, double factor)", words);
    json_t *call = json_object_get(report, "call");
    assert_string_equal(text_at(call, "function"), "put");
    json_t *arguments = json_object_get(call, "arguments");
    assert_int_equal(json_array_size(arguments), 2);
    assert_int_equal(json_integer_value(json_object_get(json_array_get(arguments, 0), "value")), 5);
    assert_true(json_real_value(json_object_get(json_array_get(arguments, 1), "value")) == 2.5);
    assert_true(json_is_true(json_object_get(json_object_get(call, "replay"), "possible")));
    assert_int_equal(json_array_size(json_object_get(report, "history")), 1);
    json_decref(report);
}

static void test_secrets_are_masked_and_not_kept(void **state)
{
    (void)state;
    const uint64_t words[6] = {5, 424242};
    json_t *report = report_of_call("int put(int count, secret int pin)", words);
    char *text = json_dumps(report, 0);
    json_t *call = json_object_get(report, "call");
    json_t *pin = json_array_get(json_object_get(call, "arguments"), 1);
    assert_string_equal(text_at(pin, "value"), "secret");
    assert_null(strstr(text, "424242"));
    assert_null(strstr(text, "0x67932"));
    assert_false(json_is_true(json_object_get(json_object_get(call, "replay"), "possible")));
    free(text);
    json_decref(report);
}

static void test_corrupt_captures_make_poor_reports_or_none(void **state)
{
    (void)state;
    struct capture_reason reason = crash_reason();
    pid_t pid = start_faulting(SAMPLE, "sample_outer");
    OWN_FD capture = capture_of(pid, NULL, &reason);
    uint64_t lie = UINT64_MAX / 2;
    off_t second = (off_t)(sizeof(struct capture_header) + sizeof(struct capture_section) +
                           sizeof(struct capture_reason));
    assert_int_equal(pwrite(capture, &lie, sizeof lie, second + 16), sizeof lie);
    assert_int_equal(symbolize(capture, -1, -1), SYMBOLIZE_POOR);
    json_t *report = read_report(REPORT_ID);
    assert_string_equal(text_at(report, "what"), "crash");
    json_decref(report);
    assert_int_equal(pwrite(capture, &lie, sizeof lie, 0), sizeof lie);
    assert_int_equal(symbolize(capture, -1, -1), SYMBOLIZE_NONE);
}

static void test_one_in_a_hurry_is_told_what_the_keeper_knew(void **state)
{
    (void)state;
    struct capture_reason reason = crash_reason();
    pid_t pid = start_faulting(SAMPLE, "sample_outer");
    OWN_FD capture = capture_of(pid, NULL, &reason);
    is_in_a_hurry = true;
    int r = symbolize(capture, -1, -1);
    is_in_a_hurry = false;
    assert_int_equal(r, SYMBOLIZE_POOR);
    json_t *report = read_report(REPORT_ID);
    assert_string_equal(text_at(report, "what"), "crash");
    assert_null(json_object_get(report, "threads"));
    json_decref(report);
}

static void test_directory_is_bounded(void **state)
{
    (void)state;
    struct capture_reason reason = {.why = CAPTURE_WHY_RECYCLED, .realtime_ns = 1};
    struct card *card;
    struct card_wish wish = {.library = "", .reports_max = 3, .report_bytes_max = 1 << 20};
    assert_int_equal(card_new(&wish, &card), 0);
    for (uint64_t i = 1; i <= 5; i++) {
        struct capture capture;
        OWN_FD fd = memfd_create("capture", MFD_CLOEXEC);
        reason.report_id = 0x7000000000000000u + i;
        capture_begin(&capture, fd, &reason);
        assert_int_equal(capture_end(&capture), 0);
        assert_int_equal(symbolize(fd, card_peek_fd(card), -1), SYMBOLIZE_COMPLETE);
    }
    struct directory_entry entries[16];
    OWN_FD folder = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_int_equal(directory_list(folder, entries, 16, false), 3);
    assert_int_equal(entries[0].id, 0x7000000000000003u);
    assert_int_equal(entries[2].id, 0x7000000000000005u);
    card_free(card);
}

static int make_directory(void **state)
{
    (void)state;
    return mkdtemp(directory) ? 0 : -1;
}

static int remove_directory(void **state)
{
    (void)state;
    OWN_FD folder = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    directory_prune(folder, 0, 0, 0);
    return rmdir(directory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_crash_has_functions_and_lines),
        cmocka_unit_test(test_crash_in_stripped_library_has_module_and_offset),
        cmocka_unit_test(test_jump_to_nowhere_shows_the_caller),
        cmocka_unit_test(test_stack_overflow_is_named),
        cmocka_unit_test(test_call_has_function_and_arguments),
        cmocka_unit_test(test_secrets_are_masked_and_not_kept),
        cmocka_unit_test(test_corrupt_captures_make_poor_reports_or_none),
        cmocka_unit_test(test_one_in_a_hurry_is_told_what_the_keeper_knew),
        cmocka_unit_test(test_directory_is_bounded),
    };
    return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
