/* SPDX-License-Identifier: Apache-2.0 */
/* Structs: by value, nested, with unions and lengths inside, and linked to each other. */
#include "calls/shape.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <string.h>

static void test_members_behind_pointers_and_in_unions_come_back(const struct harness *harness)
{
    struct bench c = bench_open(harness, "libc.so.6",
                                "struct iovec { out void base[len]; size_t len; };"
                                "struct piece { union { case 6: out uint8_t b[len]; case 0: ; "
                                "default: out char t[len : all]; }"
                                "               u switch(len); size_t len; };"
                                "int open(const char *path, int flags, ...); int close(int fd);"
                                "ssize_t readv(int fd, const struct iovec iov[n], int n);"
                                "symbol(\"preadv\") ssize_t preadv_pieces(int fd, inout struct "
                                "piece iov[n], int n, off_t at);");
    struct {
        char *base;
        size_t len;
    } pieces[2];
    char first[7] = "......";
    char second[3] = "..";
    pieces[0].base = first;
    pieces[0].len = 6;
    pieces[1].base = second;
    pieces[1].len = 2;
    int64_t fd =
        value(&c, "open", ARGS(cordon_string("/proc/self/status"), cordon_int(O_RDONLY))).i;
    assert_true(fd >= 0);
    assert_int_equal(value(&c, "readv", ARGS(cordon_int(fd), cordon_in(pieces, 2))).i, 8);
    assert_memory_equal(first, "Name:\t", 6);
    memset(first, '.', 6);
    struct cordon_result result =
        call(&c, "preadv_pieces", ARGS(cordon_int(fd), cordon_out(pieces, 2), cordon_int(0)));
    assert_int_equal(result.value.i, 8);
    assert_memory_equal(first, "Name:\t", 6);
    assert_ptr_equal(pieces[0].base, first);
    assert_int_equal(value(&c, "close", ARGS(cordon_int(fd))).i, 0);
    bench_close(&c);
}

static void test_structs_nest_and_pass_by_value(const struct harness *harness)
{
    struct bench c = bench_open(
        harness, "libc.so.6",
        "typedef struct { int quot; int rem; } div_t; div_t div(int numer, int denom);"
        "struct point { int x; int y; }; struct box { struct point corners[2]; double weight; };"
        "enum kind { NOTHING, NUMBER, TEXT };"
        "struct any { enum kind kind; union { case NOTHING: ; case NUMBER: int i;"
        "             case TEXT: char text[8]; } u switch(kind); };"
        "symbol(\"memcmp\") int differ(const struct box *a, const struct box *b, size_t bytes);"
        "symbol(\"memcmp\") int differ_any(const struct any *a, const struct any *b, size_t bytes);"
        "symbol(\"abs\") enum kind kind_of(enum kind kind); symbol(\"abs\") bool truth(bool b);");
    struct {
        int quot, rem;
    } divided;
    struct cordon_result result = call(&c, "div", ARGS(cordon_int(17), cordon_int(5)));
    memcpy(&divided, result.value.memory, sizeof divided);
    cordon_result_release(&result);
    assert_int_equal(divided.quot, 3);
    assert_int_equal(divided.rem, 2);
    struct {
        int corners[2][2];
        double weight;
    } box = {{{1, 2}, {3, 4}}, 0.5}, other = box;
    assert_int_equal(
        value(&c, "differ", ARGS(cordon_in(&box, 1), cordon_in(&other, 1), cordon_uint(sizeof box)))
            .i,
        0);
    other.corners[1][0] = 5;
    assert_int_not_equal(
        value(&c, "differ", ARGS(cordon_in(&box, 1), cordon_in(&other, 1), cordon_uint(sizeof box)))
            .i,
        0);
    struct {
        uint32_t kind;
        char text[8];
    } a = {1, "\1\0\0\0AAA"}, b = {1, "\1\0\0\0BBB"};
    const size_t any = sizeof a;
    assert_int_equal(
        value(&c, "differ_any", ARGS(cordon_in(&a, 1), cordon_in(&b, 1), cordon_uint(any))).i, 0);
    a.kind = b.kind = 2;
    assert_int_not_equal(
        value(&c, "differ_any", ARGS(cordon_in(&a, 1), cordon_in(&b, 1), cordon_uint(any))).i, 0);
    a.kind = b.kind = 0;
    assert_int_equal(
        value(&c, "differ_any", ARGS(cordon_in(&a, 1), cordon_in(&b, 1), cordon_uint(any))).i, 0);
    a.kind = 3;
    assert_int_equal(cordon_session_call(c.session, harness_bind(c.cell, "differ_any"),
                                         ARGS(cordon_in(&a, 1), cordon_in(&b, 1), cordon_uint(any)),
                                         CORDON_DEFAULT, &result),
                     -EINVAL);
    assert_non_null(strstr(result.error.text, "union"));
    assert_int_equal(value(&c, "kind_of", ARGS(cordon_int(2))).u, 2);
    assert_int_equal(value(&c, "truth", ARGS(cordon_bool(true))).u, 1);
    bench_close(&c);
}

#define ADDRESSES                                                                                  \
    "struct addrinfo { int ai_flags; int ai_family; int ai_socktype; int ai_protocol;"             \
    "    socklen_t ai_addrlen; const void ai_addr[ai_addrlen]; const char *ai_canonname;"          \
    "    struct addrinfo *ai_next; };"                                                             \
    "int getaddrinfo(nullable const char *node, nullable const char *service,"                     \
    "    nullable const struct addrinfo *hints, out resident struct addrinfo **res);"              \
    "void freeaddrinfo(release resident struct addrinfo *res);"

static void read_int(const struct bench *c, struct cordon_handle object, const char *member,
                     int expected)
{
    struct cordon_error error = {{0}};
    int number = -1;
    must(cordon_object_read(c->session, object, member, &number, sizeof number, &error), &error);
    assert_int_equal(number, expected);
}

static void test_linked_results_are_followed(const struct harness *harness)
{
    struct bench c = bench_open(harness, "libc.so.6", ADDRESSES);
    struct {
        int flags, family, type, protocol;
        uint32_t bytes;
        void *address;
        const char *name;
        void *next;
    } hints = {.flags =
                   0x404}; /* AI_NUMERICHOST, AI_NUMERICSERV: three entries, one for each type */
    struct cordon_handle first = {0};
    struct cordon_handle next = {0};
    struct cordon_handle again = {0};
    struct cordon_handle last = {0};
    struct cordon_error error = {{0}};
    assert_int_equal(value(&c, "getaddrinfo",
                           ARGS(cordon_string("127.0.0.1"), cordon_string("80"),
                                cordon_in(&hints, 1), cordon_out(&first, 1)))
                         .i,
                     0);
    read_int(&c, first, "ai_family", AF_INET);
    read_int(&c, first, "ai_addrlen", sizeof(struct sockaddr_in));
    struct sockaddr_in address;
    must(cordon_object_fetch(c.session, first, "ai_addr", 0, &address, sizeof address, &error),
         &error);
    assert_int_equal(ntohs(address.sin_port), 80);
    assert_int_equal(ntohl(address.sin_addr.s_addr), INADDR_LOOPBACK);
    assert_int_equal(
        cordon_object_fetch(c.session, first, "ai_addr", 1, &address, sizeof address, &error),
        -EINVAL);
    char name[16];
    assert_int_equal(
        cordon_object_fetch(c.session, first, "ai_canonname", 0, name, sizeof name, &error),
        -ENOENT);
    int type = 0;
    must(cordon_object_read(c.session, first, "ai_socktype", &type, sizeof type, &error), &error);
    must(cordon_object_follow(c.session, first, "ai_next", &next, &error), &error);
    must(cordon_object_follow(c.session, first, "ai_next", &again, &error), &error);
    assert_memory_equal(&next, &again, sizeof next);
    assert_int_equal(next.tag, first.tag);
    int other = 0;
    must(cordon_object_read(c.session, next, "ai_socktype", &other, sizeof other, &error), &error);
    assert_int_not_equal(type, other);
    must(cordon_object_follow(c.session, next, "ai_next", &next, &error), &error);
    must(cordon_object_follow(c.session, next, "ai_next", &last, &error), &error);
    assert_memory_equal(&last, &(struct cordon_handle){0}, sizeof last); /* the end */
    assert_int_equal(cordon_object_follow(c.session, first, "ai_addr", &last, &error), -EINVAL);
    (void)call(&c, "freeaddrinfo", ARGS(cordon_object(first)));
    assert_int_equal(cordon_object_read(c.session, next, "ai_flags", &type, sizeof type, &error),
                     CORDON_STALE); /* the list ended as a whole */
    bench_close(&c);
}

static void test_strings_of_results_are_fetched(const struct harness *harness)
{
    struct bench c = bench_open(harness, "libc.so.6", ADDRESSES);
    struct {
        int flags, family, type, protocol;
        uint32_t bytes;
        void *address;
        const char *name;
        void *next;
    } hints = {.flags = 0x406, .type = 1}; /* AI_CANONNAME too */
    struct cordon_handle found = {0};
    struct cordon_error error = {{0}};
    assert_int_equal(value(&c, "getaddrinfo",
                           ARGS(cordon_string("127.0.0.1"), cordon_string("80"),
                                cordon_in(&hints, 1), cordon_out(&found, 1)))
                         .i,
                     0);
    char name[32];
    memset(name, 'x', sizeof name);
    must(cordon_object_fetch(c.session, found, "ai_canonname", 0, name, sizeof name, &error),
         &error);
    assert_string_equal(name, "127.0.0.1");
    assert_int_equal(name[sizeof name - 1], '\0');
    must(cordon_object_fetch(c.session, found, "ai_canonname", 4, name, 3, &error), &error);
    assert_memory_equal(name, "0.0", 3);
    (void)call(&c, "freeaddrinfo", ARGS(cordon_object(found)));
    bench_close(&c);
}

int main(int argc, char **argv)
{
    static const struct harness_case cases[] = {
        SHAPE(members_behind_pointers_and_in_unions_come_back, 0),
        SHAPE(structs_nest_and_pass_by_value, 0),
        SHAPE(linked_results_are_followed, HARNESS_LEAVES_FDS),
        SHAPE(strings_of_results_are_fetched, HARNESS_LEAVES_FDS),
    };
    return harness_main(argc, argv, cases, HARNESS_COUNT(cases));
}
