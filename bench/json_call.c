/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What does JSON cost a call? One request with a string of 1 KB whose answer is 32 bytes as hexadecimal
 * digits: parsed, duplicate keys looked for, made to values, and answered; each step alone and all of it. Median of
 * rounds, in nanoseconds. `--rounds N`.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "cordon/interface.h"
#include "json/call.h"

#define CALLS_PER_ROUND 2000u
#define ROUNDS_MAX      1000u
#define TEXT_BYTES      1024u

static const char prototype[] = "int digest(const uint8_t data[n], size_t n, out uint8_t md[32])";

struct bench {
    char text[TEXT_BYTES + 256];
    size_t length;
    struct document document;
    struct json_value root;
    struct json_method method;
    struct json_call call;
    struct cordon_result result;
    struct json_out out;
    struct message why;
};

static const char *const skip[] = {"method", "deadline_ms", NULL};

static void require(int r, const struct bench *bench)
{
    if (r != 0) {
        (void)fprintf(stderr, "json_call: %s\n", bench->why.text);
        exit(1);
    }
}

static void parse(struct bench *bench)
{
    require(document_parse(&bench->document, bench->text, bench->length, sizeof bench->text, 64,
                           &bench->root, &bench->why),
            bench);
}

static void look_for_duplicates(struct bench *bench)
{
    require(json_value_duplicate(bench->root, NULL), bench);
}

static void make_values(struct bench *bench)
{
    require(json_call_named(&bench->call, &bench->method, bench->root, skip, NULL, &bench->why),
            bench);
}

static void answer(struct bench *bench)
{
    bench->out.length = 0;
    bench->out.comma = false;
    json_out_object(&bench->out);
    json_out_key(&bench->out, "result");
    json_call_result(&bench->call, &bench->result, NULL, &bench->out);
    json_out_object_end(&bench->out);
}

static void all(struct bench *bench)
{
    parse(bench);
    look_for_duplicates(bench);
    make_values(bench);
    answer(bench);
    json_call_reset(&bench->call);
}

static int compare(const void *left, const void *right)
{
    const double *a = left;
    const double *b = right;
    return (*a > *b) - (*a < *b);
}

static double median_ns(struct bench *bench, void (*step)(struct bench *), uint32_t rounds)
{
    static double times[ROUNDS_MAX];
    for (uint32_t i = 0; i < rounds; i++) {
        uint64_t start_ns = clock_now_ns();
        for (uint32_t k = 0; k < CALLS_PER_ROUND; k++) {
            step(bench);
        }
        times[i] = (double)(clock_now_ns() - start_ns) / CALLS_PER_ROUND;
    }
    qsort(times, rounds, sizeof times[0], compare);
    return times[rounds / 2];
}

static void prepare(struct bench *bench)
{
    struct cordon_interface *interface_;
    size_t bytes;
    char data[TEXT_BYTES + 1];
    for (size_t i = 0; i < TEXT_BYTES; i++) {
        data[i] = (char)('a' + i % 26);
    }
    data[TEXT_BYTES] = '\0';
    bench->length = (size_t)snprintf(bench->text, sizeof bench->text - DOCUMENT_PADDING,
                                     "{\"method\":\"sha256\",\"data\":\"%s\"}", data);
    require(cordon_interface_parse("bench", prototype, strlen(prototype), &interface_, NULL),
            bench);
    const struct json_method_options options = {
        .plan = cordon_interface_plan(interface_, 0, &bytes),
        .result = "md",
        .encoding = JSON_HEX,
    };
    require(json_method_init(&bench->method, &options, &bench->why), bench);
    json_call_init(&bench->call);
    bench->result.value = cordon_int(0);
}

int main(int argc, char **argv)
{
    static struct bench bench;
    uint32_t rounds =
        argc == 3 && strcmp(argv[1], "--rounds") == 0 ? (uint32_t)strtoul(argv[2], NULL, 10) : 101;
    if (argc == 2 || rounds == 0 || rounds > ROUNDS_MAX) {
        (void)fprintf(stderr, "usage: json_call [--rounds N]   N up to %u\n", ROUNDS_MAX);
        return 2;
    }
    prepare(&bench);
    all(&bench);
    printf("all         %8.1f ns\n", median_ns(&bench, all, rounds));
    printf("parse       %8.1f ns   %zu bytes\n", median_ns(&bench, parse, rounds), bench.length);
    printf("duplicates  %8.1f ns\n", median_ns(&bench, look_for_duplicates, rounds));
    printf("values      %8.1f ns\n", median_ns(&bench, make_values, rounds));
    printf("answer      %8.1f ns   %s\n", median_ns(&bench, answer, rounds), bench.out.text);
    return 0;
}
