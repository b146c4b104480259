/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Each grant of a policy: what it allows is refused without it, and works with it. The C library itself
 * is the foreign code: its functions are called in a worker under the policy.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cordon/cordon.h"
#include "harness/harness.h"

#define GRANTS_MAX 4
#define ARGS(...)                                                                                  \
    (const struct cordon_value[]){__VA_ARGS__},                                                    \
        sizeof((const struct cordon_value[]){__VA_ARGS__}) / sizeof(struct cordon_value)

/* A worker in which the C library is called. */
struct room {
    struct cordon_cell *cell;
    struct cordon_session *session;
};

static struct room room_open(const struct harness *harness, const char *const *grants)
{
    struct cordon_cell_options options = harness_options(harness);
    options.library = "";
    options.grants = grants;
    struct room room = {.cell = harness_open_with(&options)};
    room.session = harness_session(room.cell);
    return room;
}

static void room_close(struct room *room)
{
    cordon_session_close(room->session);
    cordon_cell_close(room->cell);
}

struct answer {
    int64_t value;
    int error_number;
};

static struct answer ask(const struct room *room, const char *prototype,
                         const struct cordon_value *args, size_t count)
{
    struct cordon_function *function = harness_bind(room->cell, prototype);
    struct cordon_result result = harness_call(room->session, function, args, count);
    return (struct answer){.value = result.value.i, .error_number = result.error_number};
}

static void expect_refused(struct answer answer)
{
    assert_int_equal(answer.value, -1);
    if (answer.error_number != EACCES && answer.error_number != EPERM) {
        fail_msg("refused with errno %d, not EACCES or EPERM", answer.error_number);
    }
}

static void expect_done(struct answer answer)
{
    if (answer.value < 0) {
        fail_msg("not done: errno %d (%s)", answer.error_number, strerror(answer.error_number));
    }
}

static struct answer open_file(const struct room *room, const char *path, int flags)
{
    return ask(room, "int open(const char *path, int flags, ...)",
               ARGS(cordon_string(path), cordon_int(flags), cordon_int(0600)));
}

/* What one claim does with a worker. */
typedef struct answer (*act_fn)(const struct room *room);

/* Where system calls are not looked at, the cell says so, and there is nothing to see. */
static void need_seccomp(const struct harness *harness)
{
    struct room room = room_open(harness, NULL);
    uint32_t isolation = cordon_cell_isolation(room.cell);
    room_close(&room);
    if (harness->without & CORDON_SECCOMP) {
        assert_int_equal(isolation & (CORDON_NO_NETWORK | CORDON_NO_PROCESSES | CORDON_NO_WRITES),
                         0);
        harness_skip("without seccomp this is not refused");
    }
}

/* Without Landlock paths are not looked at, and the cell does not claim so. */
static void expect_isolation_of_files(const struct harness *harness, const struct room *room)
{
    bool confined = (cordon_cell_isolation(room->cell) & CORDON_CONFINES_READS) != 0;
    assert_int_equal(confined, !(harness->without & CORDON_LANDLOCK));
}

/* Refused under strict, done with the grants, and nothing else that strict forbids with them. */
static void expect_grant(const struct harness *harness, act_fn act, const char *const *grants)
{
    struct room room = room_open(harness, NULL);
    expect_refused(act(&room));
    room_close(&room);
    room = room_open(harness, grants);
    expect_done(act(&room));
    room_close(&room);
}

/* ---- Files ------------------------------------------------------------------------------------- */

static char folder[] = "/tmp/cordon-policy-XXXXXX";
static char file[sizeof folder + 8];

static void make_folder(void)
{
    assert_non_null(mkdtemp(folder));
    assert_int_equal(chmod(folder, 0777), 0);
    (void)snprintf(file, sizeof file, "%s/file", folder);
    int fd = open(file, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    assert_true(fd >= 0 && write(fd, "x", 1) == 1);
    assert_int_equal(fchmod(fd, 0666), 0);
    (void)close(fd);
}

static void remove_folder(void)
{
    (void)unlink(file);
    assert_int_equal(rmdir(folder), 0);
}

static struct answer read_file(const struct room *room)
{
    return open_file(room, file, O_RDONLY);
}

static struct answer write_file(const struct room *room)
{
    return open_file(room, file, O_WRONLY | O_TRUNC);
}

static void test_read(const struct harness *harness)
{
    make_folder();
    char grant[sizeof folder + 8];
    (void)snprintf(grant, sizeof grant, "read:%s", folder);
    const char *const grants[] = {grant, NULL};
    expect_grant(harness, read_file, grants);
    struct room room = room_open(harness, grants);
    expect_refused(write_file(&room));
    expect_isolation_of_files(harness, &room);
    if (!(harness->without & CORDON_LANDLOCK)) {
        expect_refused(open_file(&room, "/etc/passwd", O_RDONLY));
    }
    room_close(&room);
    remove_folder();
}

static void test_write(const struct harness *harness)
{
    make_folder();
    char grant[sizeof folder + 8];
    (void)snprintf(grant, sizeof grant, "write:%s", folder);
    const char *const grants[] = {grant, NULL};
    expect_grant(harness, write_file, grants);
    struct room room = room_open(harness, grants);
    expect_done(read_file(&room));
    if (!(harness->without & CORDON_LANDLOCK)) {
        expect_refused(open_file(&room, "/tmp/cordon-policy-never", O_WRONLY | O_CREAT));
    }
    /* Landlock would not look whose mode it is. */
    expect_refused(ask(&room, "int chmod(const char *path, unsigned mode)",
                       ARGS(cordon_string(file), cordon_uint(0600))));
    room_close(&room);
    remove_folder();
}

static struct answer open_zero(const struct room *room)
{
    return open_file(room, "/dev/zero", O_RDWR);
}

static void test_device(const struct harness *harness)
{
    const char *const grants[] = {"device:/dev/zero", NULL};
    expect_grant(harness, open_zero, grants);
}

/* ---- Network ----------------------------------------------------------------------------------- */

static int listen_somewhere(uint16_t *ret_port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(fd, 8), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &length), 0);
    *ret_port = ntohs(address.sin_port);
    return fd;
}

static struct answer make_socket(const struct room *room, int family, int type)
{
    return ask(room, "int socket(int family, int type, int protocol)",
               ARGS(cordon_int(family), cordon_int(type), cordon_int(0)));
}

static struct answer reach(const struct room *room, const char *function, uint16_t port)
{
    char prototype[128];
    (void)snprintf(prototype, sizeof prototype,
                   "int %s(int fd, const uint8_t address[length], uint32_t length)", function);
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct answer made = make_socket(room, AF_INET, SOCK_STREAM);
    if (made.value < 0) {
        return made;
    }
    return ask(room, prototype, ARGS(cordon_int(made.value), cordon_in(&address, sizeof address)));
}

static bool looks_at_ports(const struct room *room)
{
    return (cordon_cell_isolation(room->cell) & CORDON_ONLY_GRANTED_PORTS) != 0;
}

static void test_connect(const struct harness *harness)
{
    need_seccomp(harness);
    uint16_t port;
    uint16_t other;
    int here = listen_somewhere(&port);
    int there = listen_somewhere(&other);
    char grant[32];
    (void)snprintf(grant, sizeof grant, "connect:%u", port);
    const char *const grants[] = {grant, NULL};
    struct room room = room_open(harness, NULL);
    expect_refused(reach(&room, "connect", port));
    room_close(&room);
    room = room_open(harness, grants);
    expect_done(reach(&room, "connect", port));
    if (looks_at_ports(&room)) {
        expect_refused(reach(&room, "connect", other));
    }
    expect_refused(reach(&room, "bind", 0));
    expect_refused(make_socket(&room, AF_INET, SOCK_DGRAM));
    room_close(&room);
    (void)close(here);
    (void)close(there);
}

static void test_bind(const struct harness *harness)
{
    uint16_t port;
    int here = listen_somewhere(&port);
    (void)close(here); /* nobody listens there now */
    char grant[32];
    (void)snprintf(grant, sizeof grant, "bind:%u", port);
    const char *const grants[] = {grant, NULL};
    struct room room = room_open(harness, NULL);
    expect_refused(reach(&room, "bind", port));
    room_close(&room);
    room = room_open(harness, grants);
    expect_done(reach(&room, "bind", port));
    if (looks_at_ports(&room)) {
        expect_refused(reach(&room, "bind", (uint16_t)(port + 1)));
    }
    expect_refused(reach(&room, "connect", port));
    room_close(&room);
}

static struct answer make_udp(const struct room *room)
{
    return make_socket(room, AF_INET, SOCK_DGRAM);
}

static void test_udp(const struct harness *harness)
{
    need_seccomp(harness);
    const char *const grants[] = {"udp", NULL};
    expect_grant(harness, make_udp, grants);
    struct room room = room_open(harness, grants);
    expect_refused(make_socket(&room, AF_INET, SOCK_STREAM));
    expect_refused(make_socket(&room, AF_INET, SOCK_RAW));
    room_close(&room);
}

static struct answer make_unix(const struct room *room)
{
    return make_socket(room, AF_UNIX, SOCK_STREAM);
}

static void test_unix(const struct harness *harness)
{
    need_seccomp(harness);
    const char *const grants[] = {"unix", NULL};
    expect_grant(harness, make_unix, grants);
}

/* ---- Processes, variables, calls --------------------------------------------------------------- */

static struct answer make_child(const struct room *room)
{
    return ask(room, "int system(const char *command)", ARGS(cordon_string("exit 0")));
}

static void test_processes(const struct harness *harness)
{
    const char *const grants[] = {"processes", NULL};
    struct room room = room_open(harness, NULL);
    assert_int_equal(make_child(&room).value, 127 << 8); /* no shell could be run */
    room_close(&room);
    room = room_open(harness, grants);
    assert_int_equal(make_child(&room).value, 0);
    room_close(&room);
}

static void test_env(const struct harness *harness)
{
    const char *const grants[] = {"env:CORDON_POLICY_TAKEN", "env:CORDON_POLICY_SET=is set", NULL};
    assert_int_equal(setenv("CORDON_POLICY_TAKEN", "is taken", 1), 0);
    struct room room = room_open(harness, NULL);
    struct cordon_function *get = harness_bind(room.cell, "const char *getenv(const char *name)");
    struct cordon_result result =
        harness_call(room.session, get, ARGS(cordon_string("CORDON_POLICY_TAKEN")));
    assert_int_equal(result.value.kind, CORDON_VALUE_NULL);
    room_close(&room);
    room = room_open(harness, grants);
    get = harness_bind(room.cell, "const char *getenv(const char *name)");
    result = harness_call(room.session, get, ARGS(cordon_string("CORDON_POLICY_TAKEN")));
    assert_string_equal(result.value.memory, "is taken");
    cordon_result_release(&result);
    result = harness_call(room.session, get, ARGS(cordon_string("CORDON_POLICY_SET")));
    assert_string_equal(result.value.memory, "is set");
    cordon_result_release(&result);
    room_close(&room);
}

static struct answer ask_personality(const struct room *room)
{
    return ask(room, "int personality(unsigned long persona)", ARGS(cordon_uint(0xffffffff)));
}

static void test_syscall(const struct harness *harness)
{
    need_seccomp(harness);
    const char *const grants[] = {"syscall:personality", NULL};
    expect_grant(harness, ask_personality, grants);
}

/* ---- Limits ------------------------------------------------------------------------------------ */

static void test_fds(const struct harness *harness)
{
    struct cordon_cell_options options = harness_options(harness);
    options.library = "";
    options.fds = 32;
    struct room room = {.cell = harness_open_with(&options)};
    room.session = harness_session(room.cell);
    struct answer answer = {0};
    for (int i = 0; i < 64 && answer.value >= 0; i++) {
        answer = ask(&room, "int dup(int fd)", ARGS(cordon_int(0)));
    }
    assert_int_equal(answer.value, -1);
    assert_int_equal(answer.error_number, EMFILE);
    room_close(&room);
}

static void test_file_bytes(const struct harness *harness)
{
    make_folder();
    char grant[sizeof folder + 8];
    (void)snprintf(grant, sizeof grant, "write:%s", folder);
    const char *const grants[] = {grant, NULL};
    struct cordon_cell_options options = harness_options(harness);
    options.library = "";
    options.grants = grants;
    options.file_bytes = 1000;
    struct room room = {.cell = harness_open_with(&options)};
    room.session = harness_session(room.cell);
    struct answer opened = open_file(&room, file, O_WRONLY);
    expect_done(opened);
    const char *write_at = "ssize_t pwrite(int fd, const uint8_t bytes[n], size_t n, int64_t at)";
    assert_int_equal(
        ask(&room, write_at, ARGS(cordon_int(opened.value), cordon_in("x", 1), cordon_int(999)))
            .value,
        1);
    struct answer answer =
        ask(&room, write_at, ARGS(cordon_int(opened.value), cordon_in("x", 1), cordon_int(1000)));
    assert_int_equal(answer.value, -1);
    assert_int_equal(answer.error_number, EFBIG);
    room_close(&room);
    remove_folder();
}

static void test_cpu_ms(const struct harness *harness)
{
    struct cordon_cell_options options = harness_options(harness);
    options.library = "";
    options.cpu_ms = 1;
    options.deadline_ms = 20000;
    struct cordon_cell *cell = harness_open_with(&options);
    struct cordon_function *spin =
        harness_bind(cell, "const char *strstr(const char *text, const char *part)");
    struct cordon_result result;
    size_t bytes = 1u << 20;
    char *text = malloc(bytes);
    assert_non_null(text);
    memset(text, 'a', bytes - 1);
    text[bytes - 1] = '\0';
    int outcome = CORDON_DONE;
    for (int i = 0; i < 100000 && outcome == CORDON_DONE; i++) {
        outcome = cordon_call(spin, ARGS(cordon_string(text), cordon_string("aab")), CORDON_DEFAULT,
                              &result);
    }
    harness_expect(outcome, CORDON_CRASHED, &result);
    assert_int_equal(result.signal, SIGXCPU);
    assert_non_null(strstr(result.error.text, "cpu_ms"));
    free(text);
    cordon_cell_close(cell);
}

/* ---- What cannot be ---------------------------------------------------------------------------- */

static void expect_sentence(const struct harness *harness, const char *grant, const char *sentence)
{
    const char *const grants[] = {grant, NULL};
    struct cordon_cell_options options = harness_options(harness);
    struct cordon_cell *cell;
    struct cordon_error error = {{0}};
    options.library = "";
    options.grants = grants;
    assert_int_equal(cordon_cell_open(&options, &cell, &error), -EINVAL);
    assert_string_equal(error.text, sentence);
}

static void test_bad_grants_are_named(const struct harness *harness)
{
    expect_sentence(harness, "read:usr/share",
                    "grant 'read:usr/share': the path must be absolute, like read:/usr/share");
    expect_sentence(harness, "read:/usr/../etc",
                    "grant 'read:/usr/../etc': the path must be without '.' and '..'");
    expect_sentence(harness, "connect:0", "grant 'connect:0': a port is 1 to 65535, or * for any");
    expect_sentence(harness, "bind:65536",
                    "grant 'bind:65536': a port is 1 to 65535, or * for any");
    expect_sentence(harness, "syscall:io_uring_setpu",
                    "grant 'syscall:io_uring_setpu': this machine has no such system call; did you "
                    "mean 'syscall:io_uring_setup'?");
    expect_sentence(harness, "raed:/etc", "no grant is named 'raed'; did you mean 'read:PATH'?");
    expect_sentence(harness, "iconv:x", "grant 'iconv:x' is written 'iconv'");
    expect_sentence(harness, "threads:5000",
                    "grant 'threads:5000': threads are 1 to LIMIT_THREADS_MAX (4096)");
}

int main(int argc, char **argv)
{
    static const struct harness_case cases[] = {
        {"read", test_read, HARNESS_PROCESS, 0, 0},
        {"write", test_write, HARNESS_PROCESS, 0, 0},
        {"device", test_device, HARNESS_PROCESS, 0, 0},
        {"connect", test_connect, HARNESS_PROCESS, 0, 0},
        {"bind", test_bind, HARNESS_PROCESS, 0, 0},
        {"udp", test_udp, HARNESS_PROCESS, 0, 0},
        {"unix", test_unix, HARNESS_PROCESS, 0, 0},
        {"processes", test_processes, HARNESS_PROCESS, 0, 0},
        {"env", test_env, HARNESS_PROCESS, 0, 0},
        {"syscall", test_syscall, HARNESS_PROCESS, 0, 0},
        {"fds", test_fds, HARNESS_PROCESS, 0, 0},
        {"file_bytes", test_file_bytes, HARNESS_PROCESS, 0, 0},
        {"cpu_ms", test_cpu_ms, HARNESS_PROCESS, 0, 60},
        {"bad_grants_are_named", test_bad_grants_are_named, HARNESS_PROCESS, 0, 0},
    };
    return harness_main(argc, argv, cases, sizeof cases / sizeof cases[0]);
}
