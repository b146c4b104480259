/* SPDX-License-Identifier: Apache-2.0 */
/* What a library tries that it may not: refused, counted in the result, listed with the grant. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>

#include "cordon/cordon.h"
#include "harness/harness.h"

#define ARGS(...)                                                                                  \
    (const struct cordon_value[]){__VA_ARGS__},                                                    \
        sizeof((const struct cordon_value[]){__VA_ARGS__}) / sizeof(struct cordon_value)

static const char open_text[] = "int open(const char *path, int flags)";
static const char socket_text[] = "int socket(int domain, int type, int protocol)";

/* A worker in which the C library is called. */
struct room {
    struct cordon_cell *cell;
    struct cordon_session *session;
};

static struct room room_open(const struct harness *harness, enum cordon_on_violation on_violation)
{
    struct cordon_cell_options options = harness_options(harness);
    options.library = "";
    options.on_violation = on_violation;
    struct room room = {.cell = harness_open_with(&options)};
    room.session = harness_session(room.cell);
    if (!(cordon_cell_isolation(room.cell) & CORDON_LISTS_VIOLATIONS)) {
        cordon_cell_close(room.cell);
        harness_skip("refused system calls are not listed here");
    }
    return room;
}

static void room_close(struct room *room)
{
    cordon_session_close(room->session);
    cordon_cell_close(room->cell);
}

static struct cordon_result call(const struct room *room, const char *prototype,
                                 const struct cordon_value *args, size_t count)
{
    return harness_call(room->session, harness_bind(room->cell, prototype), args, count);
}

static void expect_last(const struct room *room, const char *act, const char *grant, int error)
{
    struct cordon_violation last;
    assert_int_equal(cordon_session_violations(room->session, &last, 1, NULL), 1);
    assert_string_equal(last.act, act);
    assert_string_equal(last.grant, grant);
    assert_int_equal(last.error_number, error);
}

static void forbidden_acts_are_counted_and_named(const struct harness *harness)
{
    struct room room = room_open(harness, CORDON_REFUSE);
    struct cordon_result result =
        call(&room, open_text, ARGS(cordon_string("/etc/shadow"), cordon_int(O_RDONLY)));
    assert_int_equal(result.value.i, -1);
    assert_int_equal(result.error_number, EACCES);
    assert_int_equal(result.violations, 1);
    expect_last(&room, "openat /etc/shadow", "read:/etc/shadow", EACCES);
    result = call(&room, open_text, ARGS(cordon_string("/etc/../etc/x"), cordon_int(O_RDONLY)));
    assert_int_equal(result.error_number, ENOENT);
    assert_int_equal(result.violations, 0);
    result =
        call(&room, socket_text, ARGS(cordon_int(AF_INET), cordon_int(SOCK_STREAM), cordon_int(0)));
    assert_int_equal(result.violations, 1);
    expect_last(&room, "socket", "connect:PORT", EPERM);
    result = call(&room, "int abs(int number)", ARGS(cordon_int(-3)));
    assert_int_equal(result.violations, 0);
    uint64_t ever = 0;
    struct cordon_violation all[CORDON_VIOLATIONS_KEPT];
    assert_int_equal(cordon_session_violations(room.session, all, CORDON_VIOLATIONS_KEPT, &ever),
                     2);
    assert_int_equal(ever, 2);
    assert_string_equal(all[0].act, "openat /etc/shadow");
    room_close(&room);
}

/* Flags of what is the worker's own can be set; what was open for appending stays so. */
static void flags_of_own_pipes_are_set(const struct harness *harness)
{
    static const char fcntl_text[] = "int fcntl(int fd, int command, int flags)";
    struct room room = room_open(harness, CORDON_REFUSE);
    int ends[2] = {-1, -1};
    struct cordon_result result =
        call(&room, "int pipe(out int ends[2])", ARGS(cordon_out(ends, 2)));
    assert_int_equal(result.value.i, 0);
    result = call(&room, fcntl_text,
                  ARGS(cordon_int(ends[0]), cordon_int(F_SETFL), cordon_int(O_NONBLOCK)));
    assert_int_equal(result.value.i, 0);
    assert_int_equal(result.violations, 0);
    result = call(&room, fcntl_text, ARGS(cordon_int(ends[0]), cordon_int(F_GETFL), cordon_int(0)));
    assert_int_equal(result.value.i & (O_NONBLOCK | O_ACCMODE), O_NONBLOCK | O_RDONLY);
    (void)call(&room, fcntl_text,
               ARGS(cordon_int(ends[1]), cordon_int(F_SETFL), cordon_int(O_APPEND)));
    result = call(&room, fcntl_text, ARGS(cordon_int(ends[1]), cordon_int(F_SETFL), cordon_int(0)));
    assert_int_equal(result.error_number, EPERM);
    assert_int_equal(result.violations, 1);
    expect_last(&room, "fcntl", "syscall:fcntl", EPERM);
    room_close(&room);
}

static void the_last_eight_are_kept(const struct harness *harness)
{
    struct room room = room_open(harness, CORDON_REFUSE);
    struct cordon_violation all[CORDON_VIOLATIONS_KEPT];
    uint64_t ever = 0;
    for (int i = 0; i < 11; i++) {
        const char *path = i == 0 ? "/etc/shadow" : "/etc/gshadow";
        struct cordon_result result =
            call(&room, open_text, ARGS(cordon_string(path), cordon_int(O_RDONLY)));
        assert_int_equal(result.violations, 1);
    }
    assert_int_equal(cordon_session_violations(room.session, all, 100, &ever),
                     CORDON_VIOLATIONS_KEPT);
    assert_int_equal(ever, 11);
    assert_string_equal(all[0].act, "openat /etc/gshadow");
    room_close(&room);
}

static void list_outlives_the_worker(const struct harness *harness)
{
    struct room room = room_open(harness, CORDON_REFUSE);
    struct cordon_result result;
    (void)call(&room, open_text, ARGS(cordon_string("/etc/shadow"), cordon_int(O_RDONLY)));
    int r = cordon_session_call(room.session, harness_bind(room.cell, "void exit(int status)"),
                                ARGS(cordon_int(3)), CORDON_DEFAULT, &result);
    harness_expect(r, CORDON_CRASHED, &result);
    assert_int_equal(result.exit_status, 3);
    result =
        call(&room, socket_text, ARGS(cordon_int(AF_INET), cordon_int(SOCK_STREAM), cordon_int(0)));
    assert_int_equal(result.violations, 1);
    struct cordon_violation all[CORDON_VIOLATIONS_KEPT];
    assert_int_equal(cordon_session_violations(room.session, all, CORDON_VIOLATIONS_KEPT, NULL), 2);
    assert_string_equal(all[0].act, "openat /etc/shadow");
    assert_string_equal(all[1].act, "socket");
    room_close(&room);
}

static void policy_that_kills_ends_the_call_as_denied(const struct harness *harness)
{
    struct room room = room_open(harness, CORDON_KILL);
    struct cordon_result result;
    int r = cordon_session_call(room.session, harness_bind(room.cell, open_text),
                                ARGS(cordon_string("/etc/shadow"), cordon_int(O_RDONLY)),
                                CORDON_DEFAULT, &result);
    harness_expect(r, CORDON_DENIED, &result);
    assert_string_equal(result.error.text,
                        "the library called openat /etc/shadow, which its policy forbids; "
                        "read:/etc/shadow would allow it");
    assert_int_equal(result.violations, 1);
    expect_last(&room, "openat /etc/shadow", "read:/etc/shadow", 0);
    /* The next call has another worker. */
    result = call(&room, "int abs(int number)", ARGS(cordon_int(-3)));
    assert_int_equal(result.value.i, 3);
    room_close(&room);
}

static void crash_says_where(const struct harness *harness)
{
    struct room room = room_open(harness, CORDON_REFUSE);
    struct cordon_result result;
    int r = cordon_session_call(room.session,
                                harness_bind(room.cell, "unsigned long strlen(uintptr_t text)"),
                                ARGS(cordon_uint(0x1238)), CORDON_DEFAULT, &result);
    harness_expect(r, CORDON_CRASHED, &result);
    assert_non_null(strstr(result.error.text, "segmentation fault reading address 0x1238"));
    room_close(&room);
}

int main(int argc, char **argv)
{
    static const struct harness_case cases[] = {
        {"counted", forbidden_acts_are_counted_and_named, HARNESS_PROCESS, 0, 0},
        {"flags", flags_of_own_pipes_are_set, HARNESS_PROCESS, 0, 0},
        {"kept", the_last_eight_are_kept, HARNESS_PROCESS, 0, 0},
        {"outlives", list_outlives_the_worker, HARNESS_PROCESS, 0, 0},
        {"killed", policy_that_kills_ends_the_call_as_denied, HARNESS_PROCESS, 0, 0},
        {"crash", crash_says_where, HARNESS_PROCESS, 0, 0},
    };
    return harness_main(argc, argv, cases, HARNESS_COUNT(cases));
}
