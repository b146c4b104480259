/* SPDX-License-Identifier: Apache-2.0 */

/* libpng: a resident image, written to memory and read back. */
#include <png.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "libraries/subject.h"

#define PNG_IMAGE                                                                                  \
    "typedef struct png_image { struct png_control *opaque; uint32_t version; uint32_t width;"     \
    " uint32_t height; uint32_t format; uint32_t flags; uint32_t colormap_entries;"                \
    " uint32_t warning_or_error; char message[64]; } png_image;\n"

#define WIDTH  40u
#define HEIGHT 30u

static void draw(uint8_t *pixels)
{
    for (size_t i = 0; i < WIDTH * HEIGHT * 4; i++) {
        pixels[i] = (uint8_t)(i * 13 + i / 160);
    }
}

static void set_number(const struct subject *png, struct cordon_handle image, const char *member,
                       uint32_t value)
{
    struct cordon_error error = {{0}};
    int r = cordon_object_write(png->session, image, member, &value, sizeof value, &error);
    if (r != 0) {
        fail_msg("writing %s: %d: %s", member, r, error.text);
    }
}

static uint32_t get_number(const struct subject *png, struct cordon_handle image,
                           const char *member)
{
    struct cordon_error error = {{0}};
    uint32_t value = 0;
    int r = cordon_object_read(png->session, image, member, &value, sizeof value, &error);
    if (r != 0) {
        fail_msg("reading %s: %d: %s", member, r, error.text);
    }
    return value;
}

static struct cordon_handle new_image(const struct subject *png)
{
    struct cordon_error error = {{0}};
    struct cordon_handle image;
    int r = cordon_object_new(png->session, "png_image", &image, &error);
    if (r != 0) {
        fail_msg("png_image: %d: %s", r, error.text);
    }
    set_number(png, image, "version", PNG_IMAGE_VERSION);
    return image;
}

static void test_image_written_to_memory_equals_direct_calls(const struct harness *harness)
{
    struct subject png = subject_open_interface(harness, "libpng16.cordon");
    static uint8_t pixels[WIDTH * HEIGHT * 4], ours[65536], direct[65536];
    draw(pixels);
    png_image image = {
        .version = PNG_IMAGE_VERSION, .width = WIDTH, .height = HEIGHT, .format = PNG_FORMAT_RGBA};
    png_alloc_size_t direct_bytes = sizeof direct;
    assert_int_equal(
        png_image_write_to_memory(&image, direct, &direct_bytes, 0, pixels, WIDTH * 4, NULL), 1);

    struct cordon_handle object = new_image(&png);
    set_number(&png, object, "width", WIDTH);
    set_number(&png, object, "height", HEIGHT);
    set_number(&png, object, "format", PNG_FORMAT_RGBA);
    size_t ours_bytes = sizeof ours;
    struct cordon_function *write =
        harness_bind(png.cell, PNG_IMAGE
                     "int png_image_write_to_memory(resident png_image *image,"
                     " out uint8_t memory[*memory_bytes], inout size_t *memory_bytes,"
                     " int convert_to_8_bit, const uint8_t buffer[row_stride * 30], int row_stride,"
                     " void *colormap)");
    (void)harness_call(png.session, write,
                       ARGS(cordon_object(object), cordon_out(ours, sizeof ours),
                            cordon_out(&ours_bytes, 1), cordon_int(0),
                            cordon_in(pixels, sizeof pixels), cordon_int(WIDTH * 4),
                            cordon_uint(0)));
    assert_int_equal(ours_bytes, direct_bytes);
    assert_memory_equal(ours, direct, direct_bytes);

    /* Read the header back, from memory that the library keeps. */
    struct cordon_handle reader = new_image(&png);
    assert_int_equal(subject_int(&png, "png_image_begin_read_from_memory",
                                 ARGS(cordon_object(reader), cordon_in(ours, ours_bytes))),
                     1);
    assert_int_equal(get_number(&png, reader, "width"), WIDTH);
    assert_int_equal(get_number(&png, reader, "height"), HEIGHT);
    assert_int_equal(get_number(&png, reader, "format"), PNG_FORMAT_RGBA);
    struct cordon_function *finish =
        harness_bind(png.cell, PNG_IMAGE
                     "int png_image_finish_read(resident png_image *image, void *background,"
                     " out uint8_t buffer[row_stride * 30], int row_stride, void *colormap)");
    static uint8_t again[WIDTH * HEIGHT * 4];
    (void)harness_call(png.session, finish,
                       ARGS(cordon_object(reader), cordon_uint(0), cordon_out(again, sizeof again),
                            cordon_int(WIDTH * 4), cordon_uint(0)));
    assert_memory_equal(again, pixels, sizeof pixels);
    subject_void(&png, "png_image_free", ARGS(cordon_object(reader)));
    subject_close(&png);
}

static void test_facts_equal_direct_calls(const struct harness *harness)
{
    struct subject png = subject_open_interface(harness, "libpng16.cordon");
    assert_int_equal(subject_uint(&png, "png_access_version_number", NO_ARGS),
                     png_access_version_number());
    static const uint8_t good[8] = {137, 80, 78, 71, 13, 10, 26, 10};
    static const uint8_t bad[8] = {137, 80, 78, 71, 13, 10, 26, 11};
    assert_int_equal(
        subject_int(&png, "png_sig_cmp", ARGS(cordon_in(good, 8), cordon_uint(0), cordon_uint(8))),
        0);
    assert_true(subject_int(&png, "png_sig_cmp",
                            ARGS(cordon_in(bad, 8), cordon_uint(0), cordon_uint(8))) != 0);
    subject_close(&png);
}

int main(int argc, char **argv)
{
    static const struct harness_case cases[] = {
        {"image_written_to_memory_equals_direct_calls",
         test_image_written_to_memory_equals_direct_calls, HARNESS_ALL_LEVELS, 0, 0},
        {"facts_equal_direct_calls", test_facts_equal_direct_calls, HARNESS_ALL_LEVELS, 0, 0},
    };
    return harness_main(argc, argv, cases, HARNESS_COUNT(cases));
}
