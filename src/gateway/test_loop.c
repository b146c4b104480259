/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A gateway on a real loop, with a real socket. When there is no memory: each allocation fails once, of a client's and
 * of a change of houses, and nothing is lost. And whose turn it is.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka.h wants those four before it. */
#include <cmocka.h>

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "gateway/connection.h"
#include "gateway/gateway.h"
#include "gateway/log.h"
#include "gateway/request.h"

#define TURNS_MAX 100000 /* of 100 us */

/* The linker leads the calls of all that is linked in here first (--wrap); shared libraries have the real ones. */
void *__real_malloc(size_t bytes);
void *__real_calloc(size_t count, size_t bytes);
void *__real_realloc(void *memory, size_t bytes);
char *__real_strdup(const char *text);
void __real_free(void *memory);
/* Visible: where shared libraries are built with a sanitizer, the linker wants to lead their names here, too. */
#pragma GCC visibility push(default)
void *__wrap_malloc(size_t bytes);
void *__wrap_calloc(size_t count, size_t bytes);
void *__wrap_realloc(void *memory, size_t bytes);
char *__wrap_strdup(const char *text);
void __wrap_free(void *memory);
#pragma GCC visibility pop

static _Thread_local size_t left; /* allocations until one fails; 0: none does */
static atomic_size_t live;        /* of all threads */

static bool fails(void)
{
    return left != 0 && --left == 0;
}

static void *taken(void *memory)
{
    atomic_fetch_add(&live, memory != NULL);
    return memory;
}

void *__wrap_malloc(size_t bytes)
{
    return fails() ? NULL : taken(__real_malloc(bytes));
}

void *__wrap_calloc(size_t count, size_t bytes)
{
    return fails() ? NULL : taken(__real_calloc(count, bytes));
}

void *__wrap_realloc(void *memory, size_t bytes)
{
    if (fails()) {
        return NULL;
    }
    bool is_new = !memory;
    void *grown = __real_realloc(memory, bytes);
    return is_new ? taken(grown) : grown;
}

char *__wrap_strdup(const char *text)
{
    return fails() ? NULL : taken(__real_strdup(text));
}

void __wrap_free(void *memory)
{
    atomic_fetch_sub(&live, memory != NULL);
    __real_free(memory);
}

static struct {
    uv_loop_t loop;
    uv_pipe_t server;
    struct gateway gateway;
    struct sockaddr_un address;
    socklen_t address_bytes;
} scene;

static void on_client(uv_stream_t *server, int status)
{
    assert_int_equal(status, 0);
    connection_accept(&scene.gateway, server);
}

static int set_up(void **state)
{
    struct gateway_limits limits = GATEWAY_LIMITS;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    (void)state;
    log_configure(LOG_ERROR, LOG_TEXT);
    (void)signal(SIGPIPE, SIG_IGN);
    assert_int_equal(uv_loop_init(&scene.loop), 0);
    assert_int_equal(gateway_init(&scene.gateway, &scene.loop, &limits), 0);
    assert_int_equal(uv_pipe_init(&scene.loop, &scene.server, 0), 0);
    /* A name of the kernel's choice, that no file has. */
    scene.address.sun_family = AF_UNIX;
    scene.address_bytes = sizeof scene.address;
    assert_int_equal(bind(fd, (struct sockaddr *)&scene.address, sizeof(sa_family_t)), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&scene.address, &scene.address_bytes), 0);
    assert_int_equal(uv_pipe_open(&scene.server, fd), 0);
    assert_int_equal(uv_listen((uv_stream_t *)&scene.server, 8, on_client), 0);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    uv_close((uv_handle_t *)&scene.server, NULL);
    gateway_close(&scene.gateway);
    (void)uv_run(&scene.loop, UV_RUN_DEFAULT);
    gateway_deinit(&scene.gateway);
    assert_int_equal(uv_loop_close(&scene.loop), 0);
    return 0;
}

/* ---- Clients ----------------------------------------------------------------------------------- */

static int come(void)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&scene.address, scene.address_bytes), 0);
    return fd;
}

static void say(int fd, const char *text)
{
    uint8_t head[4] = {0, 0, (uint8_t)(strlen(text) >> 8), (uint8_t)strlen(text)};
    assert_int_equal(send(fd, head, sizeof head, MSG_NOSIGNAL), sizeof head);
    assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

/* Turn the loop until @frames answers came, or the end. Returns how many came; @text: of the first one, if there is room. */
static unsigned hear(int fd, unsigned frames, char *text, size_t room)
{
    static uint8_t came[1 << 20];
    size_t length = 0;
    for (unsigned turns = 0; turns < TURNS_MAX; turns++) {
        (void)uv_run(&scene.loop, UV_RUN_NOWAIT);
        ssize_t got = recv(fd, came + length, sizeof came - length, MSG_DONTWAIT);
        length += got > 0 ? (size_t)got : 0;
        unsigned count = 0;
        for (size_t at = 0; length - at >= 4;) {
            size_t bytes = (size_t)came[at + 1] << 16 | (size_t)came[at + 2] << 8 | came[at + 3];
            if (length - at - 4 < bytes) {
                break;
            }
            if (count == 0 && bytes < room) {
                memcpy(text, came + at + 4, bytes);
                text[bytes] = '\0';
            }
            count++;
            at += 4 + bytes;
        }
        if (count == frames || got == 0 || (got < 0 && errno != EAGAIN)) {
            return count;
        }
        (void)usleep(100);
    }
    fail_msg("the daemon neither answers nor closes");
    return 0;
}

/* The loop turns until nothing of a client's is left. */
static void settle(void)
{
    unsigned turns = 0;
    while (scene.gateway.client_count > 0 || scene.gateway.in_flight > 0 || scene.gateway.dirty) {
        (void)uv_run(&scene.loop, UV_RUN_NOWAIT);
        (void)usleep(100);
        assert_true(++turns < TURNS_MAX);
    }
}

static void serves(void)
{
    char text[256] = "";
    int fd = come();
    say(fd, "{\"method\":\"cordon.ping\"}");
    assert_int_equal(hear(fd, 1, text, sizeof text), 1);
    assert_non_null(strstr(text, "\"protocol\":1"));
    (void)close(fd);
    settle();
}

/* Each allocation from its being accepted on. */
static void test_clients_are_answered_or_closed_whatever_fails(void **state)
{
    char long_id[400];
    (void)state;
    memset(long_id, 'x', sizeof long_id);
    memcpy(long_id, "{\"jsonrpc\":\"2.0\",\"method\":\"nix\",\"id\":\"", 38);
    memcpy(long_id + sizeof long_id - 3, "\"}", 3);
    static const char batch[] = "[{\"jsonrpc\":\"2.0\",\"method\":\"nix\",\"id\":1},7,"
                                "{\"jsonrpc\":\"2.0\",\"method\":\"cordon.ping\",\"id\":2}]";
    const char *const said[] = {long_id, "{\"jsonrpc\":\"2.0\",\"method\":7,\"id\":1}",
                                "{\"method\":\"nix\"}", batch, "{\"method\":\"cordon.stats\"}"};
    const unsigned count = sizeof said / sizeof said[0];
    unsigned closed = 0;
    for (size_t failing = 1;; failing++) {
        requests_free(&scene.gateway); /* kept requests have their memory */
        int fd = come();
        for (unsigned i = 0; i < count; i++) {
            say(fd, said[i]);
        }
        left = failing;
        unsigned answers = hear(fd, count, NULL, 0);
        bool failed = left == 0;
        left = 0;
        (void)close(fd);
        settle();
        assert_null(scene.gateway.unaccepted);
        closed += answers < count;
        serves();
        if (!failed) {
            assert_int_equal(answers, count);
            assert_in_range(failing, 10, 1000);
            assert_true(closed > 0); /* some cannot be told */
            return;
        }
    }
}

/* ---- Houses ------------------------------------------------------------------------------------ */

/* @functions: declarations of the C library's. */
static struct house *open_house_of(const char *name, const char *functions)
{
    struct message why = {.text = ""};
    struct house *house = NULL;
    struct cell_settings cell = {.name = strdup(name), .workers = 2, .every_function = true};
    static char text[65536];
    (void)snprintf(text, sizeof text, "library \"libc.so.6\";\n%s", functions);
    cell.options.size = sizeof cell.options;
    cell.options.level = CORDON_LEVEL_INLINE;
    cell.options.interface_text = strdup(text);
    cell.options.interface_name = strdup(name);
    if (house_open(&cell, 1, &house, &why) != 0) {
        fail_msg("%s", why.text);
    }
    return house;
}

static struct house *open_house(const char *name, const char *function)
{
    char text[128];
    (void)snprintf(text, sizeof text, "symbol(\"abs\") int %s(int j);\n", function);
    return open_house_of(name, text);
}

static struct house **list(struct house *first, struct house *second, struct house *third)
{
    struct house **houses = calloc(3, sizeof(struct house *));
    assert_non_null(houses);
    houses[0] = first;
    houses[1] = second;
    houses[2] = third;
    return houses;
}

/* What was replaced, or was not to be, is closed in the pool: nothing of it is left. */
static void turn_until_closed(size_t before)
{
    for (unsigned turns = 0; scene.gateway.retired || atomic_load(&live) != before; turns++) {
        assert_true(turns < TURNS_MAX);
        (void)uv_run(&scene.loop, UV_RUN_NOWAIT);
        (void)usleep(100);
    }
}

static void calls(const char *method)
{
    char text[256] = "";
    char request[128];
    int fd = come();
    (void)snprintf(request, sizeof request, "{\"method\":\"%s\",\"j\":-4}", method);
    say(fd, request);
    assert_int_equal(hear(fd, 1, text, sizeof text), 1);
    assert_string_equal(text, "{\"result\":4}");
    (void)close(fd);
    settle();
}

static void test_houses_that_cannot_be_set_leave_those_that_were(void **state)
{
    struct message why = {.text = ""};
    struct house *kept = open_house("kept", "first");
    (void)state;
    assert_int_equal(
        gateway_set_houses(&scene.gateway, list(kept, open_house("old", "second"), NULL), 2, &why),
        0);
    calls("first");
    calls("old.second");
    size_t before = atomic_load(&live);
    assert_int_equal(
        gateway_set_houses(&scene.gateway, list(kept, open_house("twice", "first"), NULL), 2, &why),
        -EEXIST);
    assert_non_null(strstr(why.text, "'first' is offered twice"));
    turn_until_closed(before);
    calls("kept.first");
    calls("second");
    for (size_t failing = 1;; failing++) {
        before = atomic_load(&live);
        struct house **houses = list(kept, open_house("a", "fourth"), open_house("b", "fifth"));
        left = failing;
        int r = gateway_set_houses(&scene.gateway, houses, 3, &why);
        bool failed = left == 0;
        left = 0;
        if (!failed) {
            assert_int_equal(r, 0);
            assert_in_range(failing, 4, 100);
            break;
        }
        assert_int_equal(r, -ENOMEM);
        turn_until_closed(before);
        assert_int_equal(scene.gateway.house_count, 2);
        assert_null(gateway_find_house(&scene.gateway, "a"));
        calls("kept.first");
        calls("old.second");
    }
    calls("first");
    calls("b.fifth");
}

/* Of requests that are answered at once, too: a client that asks for much is heard again after the others. */
static void test_large_answers_are_given_in_turns(void **state)
{
    static char text[32768];
    struct message why;
    (void)state;
    for (size_t i = 0, at = 0; i < 400; i++) {
        at += (size_t)snprintf(text + at, sizeof text - at,
                               "symbol(\"abs\") int number_%zu(int j);\n", i);
    }
    struct house **houses = list(open_house_of("many", text), NULL, NULL);
    assert_int_equal(gateway_set_houses(&scene.gateway, houses, 1, &why), 0);
    int fd = come();
    for (int i = 0; i < 8; i++) {
        say(fd, "{\"method\":\"cordon.describe\"}");
    }
    for (unsigned turns = 0; !scene.gateway.connections || !scene.gateway.connections->asked;
         turns++) {
        assert_true(turns < TURNS_MAX);
        (void)uv_run(&scene.loop, UV_RUN_NOWAIT);
    }
    assert_int_equal(scene.gateway.connections->asked, 1);
    assert_ptr_equal(scene.gateway.active, scene.gateway.connections);
    assert_int_equal(hear(fd, 8, NULL, 0), 8);
    (void)close(fd);
    settle();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_clients_are_answered_or_closed_whatever_fails, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_houses_that_cannot_be_set_leave_those_that_were,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_large_answers_are_given_in_turns, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
