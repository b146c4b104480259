/* SPDX-License-Identifier: Apache-2.0 */
#include "frame/test_trip.h"

#include <stdio.h>
#include <string.h>

/* A small generator with a fixed seed: a failure can be repeated. */
static uint64_t random_next(uint64_t *seed)
{
    *seed = *seed * 6364136223846793005u + 1442695040888963407u;
    return *seed >> 33;
}

#define SHAPE_PARAMS 8
#define SHAPE_BYTES  96

enum shape {
    SHAPE_NUMBER,
    SHAPE_ARRAY_IN,
    SHAPE_ARRAY_INOUT,
    SHAPE_ARRAY_OUT,
    SHAPE_TEXT,
    SHAPE_ONE,
    SHAPE_COUNT
};

struct shaped_call {
    enum shape shapes[SHAPE_PARAMS];
    size_t counts[SHAPE_PARAMS];
    uint8_t memory[SHAPE_PARAMS][SHAPE_BYTES];
    uint8_t expected[SHAPE_PARAMS][SHAPE_BYTES];
    struct cordon_value args[SHAPE_PARAMS];
    size_t count;
    char prototype[1024];
};

/* One more parameter: its text, its value, and what its memory must hold after the call. */
static void add_shape(struct shaped_call *shaped, uint64_t *seed)
{
    static const struct {
        const char *before;
        bool sized;
    } texts[SHAPE_COUNT] = {
        {"int64_t ", false},    {"const uint8_t ", true}, {"inout uint8_t ", true},
        {"out uint8_t ", true}, {"const char *", false},  {"inout uint64_t *", false},
    };
    size_t i = shaped->count++;
    enum shape shape = random_next(seed) % SHAPE_COUNT;
    size_t count = random_next(seed) % 64;
    uint8_t *memory = shaped->memory[i];
    shaped->shapes[i] = shape;
    shaped->counts[i] = shape == SHAPE_ONE ? 8 : count;
    for (size_t byte = 0; byte < SHAPE_BYTES; byte++) {
        memory[byte] = (uint8_t)(random_next(seed) | 1);
    }
    memory[count] = shape == SHAPE_TEXT ? 0 : memory[count];
    memcpy(shaped->expected[i], memory, SHAPE_BYTES);
    bool changes = shape == SHAPE_ARRAY_INOUT || shape == SHAPE_ARRAY_OUT || shape == SHAPE_ONE;
    for (size_t byte = 0; changes && byte < shaped->counts[i]; byte++) {
        shaped->expected[i][byte] =
            shape == SHAPE_ARRAY_OUT ? (uint8_t)(byte + i) : (uint8_t)~memory[byte];
    }
    shaped->args[i] = shape == SHAPE_NUMBER ? cordon_int((int64_t)random_next(seed) - (1 << 30))
                      : shape == SHAPE_TEXT ? cordon_string((const char *)memory)
                                            : cordon_out(memory, shape == SHAPE_ONE ? 1 : count);
    char brackets[16] = "";
    if (texts[shape].sized) {
        (void)snprintf(brackets, sizeof brackets, "[%zu]", count);
    }
    size_t used = strlen(shaped->prototype);
    (void)snprintf(shaped->prototype + used, sizeof shaped->prototype - used, "%s%sp%zu%s",
                   i ? ", " : "int64_t f(", texts[shape].before, i, brackets);
}

/* The function: sees what the caller gave, and changes what it may. */
static void run_shaped(const struct shaped_call *shaped, void *const *arguments)
{
    for (size_t i = 0; i < shaped->count; i++) {
        uint8_t *native = trip_pointer(arguments, i);
        switch (shaped->shapes[i]) {
        case SHAPE_NUMBER:
            assert_int_equal(*(int64_t *)arguments[i], shaped->args[i].i);
            break;
        case SHAPE_TEXT:
            assert_string_equal((char *)native, (const char *)shaped->memory[i]);
            break;
        case SHAPE_ARRAY_OUT:
            for (size_t byte = 0; byte < shaped->counts[i]; byte++) {
                native[byte] = (uint8_t)(byte + i);
            }
            break;
        default:
            assert_memory_equal(native, shaped->memory[i], shaped->counts[i]);
            for (size_t byte = 0; shaped->shapes[i] != SHAPE_ARRAY_IN && byte < shaped->counts[i];
                 byte++) {
                native[byte] = (uint8_t)~native[byte];
            }
            break;
        }
    }
}

static void test_random_shapes_survive_the_round_trip(void **state)
{
    (void)state;
    uint64_t seed = 20240229;
    for (int round = 0; round < 500; round++) {
        struct shaped_call shaped = {.count = 0};
        size_t count = 1 + random_next(&seed) % SHAPE_PARAMS;
        while (shaped.count < count) {
            add_shape(&shaped, &seed);
        }
        strcat(shaped.prototype, ")");
        TRIP(trip, shaped.prototype);
        trip.space.request_bytes = 4096;
        trip.space.reply_bytes = 4096;
        MUST(trip, trip_encode(&trip, shaped.args, count));
        MUST(trip, trip_accept(&trip));
        run_shaped(&shaped, trip.call.arguments);
        int64_t result = (int64_t)random_next(&seed);
        MUST(trip, trip_answer(&trip, &result));
        MUST(trip, trip_decode(&trip, shaped.args, count));
        assert_int_equal(trip.result.value.i, result);
        for (size_t i = 0; i < count; i++) {
            assert_memory_equal(shaped.memory[i], shaped.expected[i], SHAPE_BYTES);
        }
        trip_close(&trip);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_shapes_survive_the_round_trip),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
