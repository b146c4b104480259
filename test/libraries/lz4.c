/* SPDX-License-Identifier: Apache-2.0 */

/* LZ4: outputs whose length is the result. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <lz4.h>
#include <lz4hc.h>

#include "libraries/subject.h"

#define BYTES 20000

static void fill(char *bytes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        bytes[i] = "the same words again and again, "[(i + i / 100) % 32];
    }
}

static void test_compress_and_back_equal_direct_calls(const struct harness *harness)
{
    struct subject lz4 = subject_open_interface(harness, "lz4.cordon");
    static char text[BYTES], ours[BYTES * 2], direct[BYTES * 2], again[BYTES];
    fill(text, BYTES);
    int room = LZ4_compressBound(BYTES);
    assert_int_equal(subject_int(&lz4, "LZ4_compressBound", ARGS(cordon_int(BYTES))), room);
    int64_t made =
        subject_int(&lz4, "LZ4_compress_default",
                    ARGS(cordon_in(text, BYTES), cordon_out(ours, (size_t)room), cordon_int(room)));
    assert_int_equal(made, LZ4_compress_default(text, direct, BYTES, room));
    assert_memory_equal(ours, direct, (size_t)made);
    assert_int_equal(subject_int(&lz4, "LZ4_decompress_safe",
                                 ARGS(cordon_in(ours, (size_t)made), cordon_out(again, BYTES),
                                      cordon_int(BYTES))),
                     BYTES);
    assert_memory_equal(again, text, BYTES);
    for (int level = 1; level <= 12; level += 5) {
        made = subject_int(&lz4, "LZ4_compress_HC",
                           ARGS(cordon_in(text, BYTES), cordon_out(ours, (size_t)room),
                                cordon_int(room), cordon_int(level)));
        assert_int_equal(made, LZ4_compress_HC(text, direct, BYTES, room, level));
        assert_memory_equal(ours, direct, (size_t)made);
    }
    made = subject_int(&lz4, "LZ4_compress_fast",
                       ARGS(cordon_in(text, BYTES), cordon_out(ours, (size_t)room),
                            cordon_int(room), cordon_int(9)));
    assert_int_equal(made, LZ4_compress_fast(text, direct, BYTES, room, 9));
    assert_memory_equal(ours, direct, (size_t)made);
    subject_close(&lz4);
}

static void test_too_little_room_is_0_and_garbage_negative(const struct harness *harness)
{
    struct subject lz4 = subject_open_interface(harness, "lz4.cordon");
    char text[1000], out[8];
    for (int i = 0; i < 1000; i++) {
        text[i] = (char)(i * 7919 >> 3);
    }
    assert_int_equal(
        subject_int(&lz4, "LZ4_compress_default",
                    ARGS(cordon_in(text, sizeof text), cordon_out(out, 8), cordon_int(8))),
        0);
    int direct = LZ4_decompress_safe(text, out, 1000, 8);
    assert_true(direct < 0);
    assert_int_equal(
        subject_int(&lz4, "LZ4_decompress_safe",
                    ARGS(cordon_in(text, sizeof text), cordon_out(out, 8), cordon_int(8))),
        direct);
    subject_text(&lz4, LZ4_versionString(), "LZ4_versionString", NO_ARGS);
    assert_int_equal(subject_int(&lz4, "LZ4_versionNumber", NO_ARGS), LZ4_versionNumber());
    subject_close(&lz4);
}

int main(int argc, char **argv)
{
    static const struct harness_case cases[] = {
        {"compress_and_back_equal_direct_calls", test_compress_and_back_equal_direct_calls,
         HARNESS_ALL_LEVELS, 0, 0},
        {"too_little_room_is_0_and_garbage_negative",
         test_too_little_room_is_0_and_garbage_negative, HARNESS_ALL_LEVELS, 0, 0},
    };
    return harness_main(argc, argv, cases, HARNESS_COUNT(cases));
}
