/* SPDX-License-Identifier: Apache-2.0 */

/* zlib, from its manual: checksums, one-shot and streaming compression, a resident z_stream. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <zlib.h>

#include "libraries/subject.h"

static const char interface_text[] =
    "library \"libz.so.1\";\n"
    "typedef unsigned long uLong;\n"
    "typedef unsigned int uInt;\n"
    "typedef unsigned char Bytef;\n"
    "struct z_stream {\n"
    "    void *next_in; uInt avail_in; uLong total_in;\n"
    "    void *next_out; uInt avail_out; uLong total_out;\n"
    "    const char *msg; void *state; void *zalloc; void *zfree; void *opaque;\n"
    "    int data_type; uLong adler; uLong reserved;\n"
    "};\n"
    "const char *zlibVersion(void);\n"
    "uLong zlibCompileFlags(void);\n"
    "const char *zError(int code);\n"
    "uLong crc32(uLong crc, const Bytef buf[len], uInt len);\n"
    "uLong crc32_z(uLong crc, const Bytef buf[len], size_t len);\n"
    "uLong adler32(uLong adler, const Bytef buf[len], uInt len);\n"
    "uLong adler32_z(uLong adler, const Bytef buf[len], size_t len);\n"
    "uLong crc32_combine(uLong crc1, uLong crc2, long len2);\n"
    "uLong adler32_combine(uLong adler1, uLong adler2, long len2);\n"
    "uLong compressBound(uLong sourceLen);\n"
    "int compress(out Bytef dest[*destLen], inout uLong *destLen,\n"
    "             const Bytef source[sourceLen], uLong sourceLen);\n"
    "int compress2(out Bytef dest[*destLen], inout uLong *destLen,\n"
    "              const Bytef source[sourceLen], uLong sourceLen, int level);\n"
    "int uncompress(out Bytef dest[*destLen], inout uLong *destLen,\n"
    "               const Bytef source[sourceLen], uLong sourceLen);\n"
    "int deflateInit_(resident struct z_stream *strm, int level, const char *version, int size);\n"
    "int deflate(resident struct z_stream *strm, int flush);\n"
    "int deflateEnd(resident struct z_stream *strm);\n"
    "int inflateInit_(resident struct z_stream *strm, const char *version, int size);\n"
    "int inflate(resident struct z_stream *strm, int flush);\n"
    "int inflateEnd(resident struct z_stream *strm);\n";

#define TEXT_BYTES 50000u

/* Text that compresses, the same each time. */
static void fill_text(uint8_t *text, size_t bytes)
{
    static const char words[] = "the cell calls, the worker answers, and the caller goes on. ";
    for (size_t i = 0; i < bytes; i++) {
        text[i] = (uint8_t)(words[(i * 7 + i / 50) % (sizeof words - 1)]);
    }
}

static void test_checksums_equal_direct_calls(const struct harness *harness)
{
    struct subject zlib = subject_open(harness, NULL, interface_text, 0);
    uint8_t text[TEXT_BYTES];
    fill_text(text, sizeof text);
    const size_t sizes[] = {0, 1, 7, 64, 1000, 4096, 4097, TEXT_BYTES};
    for (size_t i = 0; i < HARNESS_COUNT(sizes); i++) {
        size_t n = sizes[i];
        assert_int_equal(subject_uint(&zlib, "crc32", ARGS(cordon_uint(0), cordon_in(text, n))),
                         crc32(0, text, (uInt)n));
        assert_int_equal(subject_uint(&zlib, "crc32_z", ARGS(cordon_uint(9), cordon_in(text, n))),
                         crc32_z(9, text, n));
        assert_int_equal(subject_uint(&zlib, "adler32", ARGS(cordon_uint(1), cordon_in(text, n))),
                         adler32(1, text, (uInt)n));
        assert_int_equal(subject_uint(&zlib, "adler32_z", ARGS(cordon_uint(1), cordon_in(text, n))),
                         adler32_z(1, text, n));
    }
    assert_int_equal(subject_uint(&zlib, "crc32_combine",
                                  ARGS(cordon_uint(123456), cordon_uint(654321), cordon_int(99))),
                     crc32_combine(123456, 654321, 99));
    assert_int_equal(subject_uint(&zlib, "adler32_combine",
                                  ARGS(cordon_uint(123456), cordon_uint(654321), cordon_int(99))),
                     adler32_combine(123456, 654321, 99));
    subject_close(&zlib);
}

static void test_facts_equal_direct_calls(const struct harness *harness)
{
    struct subject zlib = subject_open(harness, NULL, interface_text, 0);
    subject_text(&zlib, zlibVersion(), "zlibVersion", NO_ARGS);
    assert_int_equal(subject_uint(&zlib, "zlibCompileFlags", NO_ARGS), zlibCompileFlags());
    for (int code = -6; code <= 2; code++) {
        subject_text(&zlib, zError(code), "zError", ARGS(cordon_int(code)));
    }
    for (unsigned long n = 0; n < 1000000; n = n * 3 + 1) {
        assert_int_equal(subject_uint(&zlib, "compressBound", ARGS(cordon_uint(n))),
                         compressBound(n));
    }
    subject_close(&zlib);
}

static void test_compress_and_back_equal_direct_calls(const struct harness *harness)
{
    struct subject zlib = subject_open(harness, NULL, interface_text, 0);
    static uint8_t text[TEXT_BYTES], packed[TEXT_BYTES + 1000], direct[TEXT_BYTES + 1000];
    static uint8_t again[TEXT_BYTES];
    fill_text(text, sizeof text);
    for (int level = 0; level <= 9; level += 3) {
        unsigned long packed_bytes = sizeof packed;
        unsigned long direct_bytes = sizeof direct;
        assert_int_equal(compress2(direct, &direct_bytes, text, sizeof text, level), Z_OK);
        assert_int_equal(
            subject_int(&zlib, "compress2",
                        ARGS(cordon_out(packed, sizeof packed), cordon_out(&packed_bytes, 1),
                             cordon_in(text, sizeof text), cordon_int(level))),
            Z_OK);
        assert_int_equal(packed_bytes, direct_bytes);
        assert_memory_equal(packed, direct, direct_bytes);
        unsigned long again_bytes = sizeof again;
        assert_int_equal(
            subject_int(&zlib, "uncompress",
                        ARGS(cordon_out(again, sizeof again), cordon_out(&again_bytes, 1),
                             cordon_in(packed, packed_bytes))),
            Z_OK);
        assert_int_equal(again_bytes, sizeof text);
        assert_memory_equal(again, text, sizeof text);
    }
    subject_close(&zlib);
}

static void test_compress_reports_too_little_room(const struct harness *harness)
{
    struct subject zlib = subject_open(harness, NULL, interface_text, 0);
    uint8_t text[1000];
    uint8_t packed[4];
    fill_text(text, sizeof text);
    unsigned long packed_bytes = sizeof packed;
    assert_int_equal(subject_int(&zlib, "compress",
                                 ARGS(cordon_out(packed, sizeof packed),
                                      cordon_out(&packed_bytes, 1), cordon_in(text, sizeof text))),
                     Z_BUF_ERROR);
    subject_close(&zlib);
}

static void object_set(const struct subject *zlib, struct cordon_handle stream, const char *member,
                       const void *value, size_t bytes)
{
    struct cordon_error error = {{0}};
    int r = cordon_object_write(zlib->session, stream, member, value, bytes, &error);
    if (r != 0) {
        fail_msg("writing %s: %d: %s", member, r, error.text);
    }
}

static unsigned long object_total(const struct subject *zlib, struct cordon_handle stream)
{
    unsigned long total = 0;
    struct cordon_error error = {{0}};
    int r = cordon_object_read(zlib->session, stream, "total_out", &total, sizeof total, &error);
    if (r != 0) {
        fail_msg("reading total_out: %d: %s", r, error.text);
    }
    return total;
}

/* Run a stream over arena memory in small steps; bytes it made. */
static unsigned long run_stream(const struct subject *zlib, const char *step,
                                struct cordon_handle stream, uint8_t *in, unsigned in_bytes,
                                uint8_t *out, unsigned out_bytes)
{
    object_set(zlib, stream, "next_in", &in, sizeof in);
    object_set(zlib, stream, "avail_in", &in_bytes, sizeof in_bytes);
    unsigned long made = 0;
    for (int r = Z_OK; r == Z_OK; made = object_total(zlib, stream)) {
        uint8_t *next_out = out + made;
        unsigned room = out_bytes - (unsigned)made < 512 ? out_bytes - (unsigned)made : 512;
        object_set(zlib, stream, "next_out", &next_out, sizeof next_out);
        object_set(zlib, stream, "avail_out", &room, sizeof room);
        r = (int)subject_int(zlib, step, ARGS(cordon_object(stream), cordon_int(Z_FINISH)));
        assert_true(r == Z_OK || r == Z_STREAM_END || r == Z_BUF_ERROR);
        if (r == Z_BUF_ERROR) {
            r = Z_OK; /* it wants more room: the next round gives it */
        }
    }
    return made;
}

static void test_resident_stream_works_over_the_arena(const struct harness *harness)
{
    struct subject zlib = subject_open(harness, NULL, interface_text, 1u << 20);
    struct cordon_error error = {{0}};
    struct cordon_handle stream;
    uint8_t *text = cordon_arena_alloc(zlib.session, TEXT_BYTES);
    uint8_t *packed = cordon_arena_alloc(zlib.session, TEXT_BYTES);
    uint8_t *again = cordon_arena_alloc(zlib.session, TEXT_BYTES);
    assert_true(text && packed && again);
    fill_text(text, TEXT_BYTES);

    assert_int_equal(cordon_object_new(zlib.session, "struct z_stream", &stream, &error), 0);
    assert_int_equal(subject_int(&zlib, "deflateInit_",
                                 ARGS(cordon_object(stream), cordon_int(6),
                                      cordon_string(ZLIB_VERSION), cordon_int(sizeof(z_stream)))),
                     Z_OK);
    unsigned long packed_bytes =
        run_stream(&zlib, "deflate", stream, text, TEXT_BYTES, packed, TEXT_BYTES);
    assert_int_equal(subject_int(&zlib, "deflateEnd", ARGS(cordon_object(stream))), Z_OK);
    assert_int_equal(cordon_object_free(zlib.session, stream, &error), 0);

    static uint8_t direct[TEXT_BYTES];
    unsigned long direct_bytes = sizeof direct;
    assert_int_equal(uncompress(direct, &direct_bytes, packed, packed_bytes), Z_OK);
    assert_int_equal(direct_bytes, TEXT_BYTES);
    assert_memory_equal(direct, text, TEXT_BYTES);

    assert_int_equal(cordon_object_new(zlib.session, "struct z_stream", &stream, &error), 0);
    assert_int_equal(subject_int(&zlib, "inflateInit_",
                                 ARGS(cordon_object(stream), cordon_string(ZLIB_VERSION),
                                      cordon_int(sizeof(z_stream)))),
                     Z_OK);
    assert_int_equal(
        run_stream(&zlib, "inflate", stream, packed, (unsigned)packed_bytes, again, TEXT_BYTES),
        TEXT_BYTES);
    assert_int_equal(subject_int(&zlib, "inflateEnd", ARGS(cordon_object(stream))), Z_OK);
    assert_memory_equal(again, text, TEXT_BYTES);
    subject_close(&zlib);
}

int main(int argc, char **argv)
{
    static const struct harness_case cases[] = {
        {"checksums_equal_direct_calls", test_checksums_equal_direct_calls, HARNESS_ALL_LEVELS, 0,
         0},
        {"facts_equal_direct_calls", test_facts_equal_direct_calls, HARNESS_ALL_LEVELS, 0, 0},
        {"compress_and_back_equal_direct_calls", test_compress_and_back_equal_direct_calls,
         HARNESS_ALL_LEVELS, 0, 0},
        {"compress_reports_too_little_room", test_compress_reports_too_little_room,
         HARNESS_ALL_LEVELS, 0, 0},
        {"resident_stream_works_over_the_arena", test_resident_stream_works_over_the_arena,
         HARNESS_ALL_LEVELS, 0, 0},
    };
    return harness_main(argc, argv, cases, HARNESS_COUNT(cases));
}
