/* SPDX-License-Identifier: Apache-2.0 */
#include "timing.h"

#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cordon/cordon.h"

/* What dlsym() finds, until it is cast to what it is. */
typedef void any_function(void);

#define BLOCK     65536u
#define NUMBERS   100u
#define ROUNDS    5u /* direct and isolated alternate: the machine's pace changes */
#define ROUND_NS  20000000ull
#define CALLS_MIN 3u

static uint8_t block[BLOCK];
static uint8_t packed[BLOCK * 2];
static uint8_t digest[32];
static char text[64];
static int numbers[NUMBERS];

static void shuffle(void)
{
    for (unsigned i = 0; i < NUMBERS; i++) {
        numbers[i] = (int)(i * 37 % NUMBERS);
    }
}

static int compare_directly(const void *a, const void *b)
{
    int x;
    int y;
    memcpy(&x, a, sizeof x);
    memcpy(&y, b, sizeof y);
    return (x > y) - (x < y);
}

static int compare(void *context, struct cordon_session *session, const struct cordon_value *args,
                   size_t count, struct cordon_value *ret_value)
{
    (void)context, (void)session, (void)count;
    *ret_value = cordon_int(compare_directly(args[0].memory, args[1].memory));
    return 0;
}

/* What is timed: the direct call through its address, and the isolated one. */
struct subject {
    const char *what;
    const char *library;
    const char *symbol;
    const char *prototype;
    void (*direct)(any_function *address);
    size_t (*arguments)(struct cordon_value *args); /* returns how many */
};

static struct cordon_callback *order;

static void direct_crc32(any_function *address)
{
    (void)((unsigned long (*)(unsigned long, const uint8_t *, unsigned))address)(0, block, BLOCK);
}

static size_t arguments_crc32(struct cordon_value *args)
{
    args[0] = cordon_uint(0);
    args[1] = cordon_in(block, BLOCK);
    return 2;
}

static void direct_sha256(any_function *address)
{
    (void)((uint8_t * (*)(const uint8_t *, size_t, uint8_t *)) address)(block, BLOCK, digest);
}

static size_t arguments_sha256(struct cordon_value *args)
{
    args[0] = cordon_in(block, BLOCK);
    args[1] = cordon_out(digest, sizeof digest);
    return 2;
}

static unsigned long packed_bytes;

static void direct_compress(any_function *address)
{
    packed_bytes = sizeof packed;
    (void)((int (*)(uint8_t *, unsigned long *, const uint8_t *, unsigned long))address)(
        packed, &packed_bytes, block, BLOCK);
}

static size_t arguments_compress(struct cordon_value *args)
{
    packed_bytes = sizeof packed;
    args[0] = cordon_out(packed, sizeof packed);
    args[1] = cordon_out(&packed_bytes, 1);
    args[2] = cordon_in(block, BLOCK);
    return 3;
}

static void direct_snprintf(any_function *address)
{
    (void)((int (*)(char *, size_t, const char *, ...))address)(text, sizeof text, "%d %s", 42,
                                                                "text");
}

static size_t arguments_snprintf(struct cordon_value *args)
{
    args[0] = cordon_out(text, sizeof text);
    args[1] = cordon_uint(sizeof text);
    args[2] = cordon_string("%d %s");
    args[3] = cordon_int(42);
    args[4] = cordon_string("text");
    return 5;
}

static void direct_qsort(any_function *address)
{
    shuffle();
    ((void (*)(void *, size_t, size_t, int (*)(const void *, const void *)))address)(
        numbers, NUMBERS, sizeof numbers[0], compare_directly);
}

static size_t arguments_qsort(struct cordon_value *args)
{
    shuffle();
    args[0] = cordon_out(numbers, NUMBERS);
    args[1] = cordon_uint(sizeof numbers[0]);
    args[2] = cordon_function_pointer(order);
    return 3;
}

static void direct_abs(any_function *address)
{
    (void)((int (*)(int))address)(-1);
}

static size_t arguments_abs(struct cordon_value *args)
{
    args[0] = cordon_int(-1);
    return 1;
}

static const struct subject subjects[] = {
    {"abs", "libc.so.6", "abs", "int abs(int j)", direct_abs, arguments_abs},
    {"snprintf", "libc.so.6", "snprintf",
     "int snprintf(out char s[size], size_t size, const char *format, ...)", direct_snprintf,
     arguments_snprintf},
    {"crc32, 64 KB", "libz.so.1", "crc32",
     "unsigned long crc32(unsigned long crc, const uint8_t buf[len], unsigned len)", direct_crc32,
     arguments_crc32},
    {"SHA256, 64 KB", "libcrypto.so.3", "SHA256",
     "within(md) uint8_t *SHA256(const uint8_t d[n], size_t n, out uint8_t md[32])", direct_sha256,
     arguments_sha256},
    {"compress, 64 KB", "libz.so.1", "compress",
     "int compress(out uint8_t dest[*n], inout unsigned long *n,"
     " const uint8_t source[m], unsigned long m)",
     direct_compress, arguments_compress},
    {"qsort, 100 callbacks+", "libc.so.6", "qsort",
     "void qsort(int base[n], size_t n, size_t size,"
     " int (*cmp)(const int *a, const int *b) fails(0))",
     direct_qsort, arguments_qsort},
};

static uint64_t now_ns(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000ull + (uint64_t)now.tv_nsec;
}

/* One round: nanoseconds per call, or 0 when a call was not done. */
static double time_direct(const struct subject *subject, any_function *address)
{
    uint64_t begin = now_ns();
    uint64_t end = begin;
    unsigned calls = 0;
    for (; calls < CALLS_MIN || end - begin < ROUND_NS; calls++) {
        subject->direct(address);
        end = now_ns();
    }
    return (double)(end - begin) / calls;
}

static double time_isolated(const struct subject *subject, struct cordon_function *function)
{
    struct cordon_value args[5];
    struct cordon_result result;
    uint64_t begin = now_ns();
    uint64_t end = begin;
    unsigned calls = 0;
    for (; calls < CALLS_MIN || end - begin < ROUND_NS; calls++) {
        size_t count = subject->arguments(args);
        if (cordon_call(function, args, count, CORDON_DEFAULT, &result) != CORDON_DONE) {
            fprintf(stderr, "%s: %s\n", subject->what, result.error.text);
            return 0;
        }
        end = now_ns();
    }
    return (double)(end - begin) / calls;
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *values)
{
    qsort(values, ROUNDS, sizeof values[0], by_size);
    return values[ROUNDS / 2];
}

static int print_line(const struct subject *subject, any_function *address, enum cordon_level level)
{
    static const char *const names[] = {"process", "thread", "inline"};
    struct cordon_cell_options options = CORDON_CELL_OPTIONS;
    struct cordon_cell *cell = NULL;
    struct cordon_function *function = NULL;
    struct cordon_error error;
    double isolated[ROUNDS];
    double ratio[ROUNDS];
    options.library = subject->library;
    options.level = level;
    int r = cordon_cell_open(&options, &cell, &error);
    if (r == 0) {
        r = cordon_bind(cell, subject->prototype, 0, &function, &error);
    }
    if (r != 0) {
        fprintf(stderr, "%s\n", error.text);
    }
    for (unsigned i = 0; r == 0 && i < ROUNDS; i++) {
        double direct = time_direct(subject, address);
        isolated[i] = time_isolated(subject, function);
        ratio[i] = isolated[i] / direct;
        r = isolated[i] > 0 ? 0 : -1;
    }
    if (r == 0) {
        printf("%-22s %-8s %12.2f us %10.2f\n", subject->what, names[level],
               median(isolated) / 1000, median(ratio));
    }
    cordon_cell_close(cell);
    return r;
}

int timing_print(void)
{
    for (unsigned i = 0; i < BLOCK; i++) {
        block[i] = (uint8_t)("what the worker sees "[i % 21] + i / 4096);
    }
    if (cordon_callback_new(compare, NULL, &order) != 0) {
        return 1;
    }
    printf("%-22s %-8s %15s %10s\n", "function", "level", "time per call", "ratio");
    int r = 0;
    for (size_t i = 0; r == 0 && i < sizeof subjects / sizeof subjects[0]; i++) {
        void *library = dlopen(subjects[i].library, RTLD_NOW | RTLD_LOCAL);
        void *symbol = library ? dlsym(library, subjects[i].symbol) : NULL;
        any_function *address;
        memcpy(&address, &symbol, sizeof address);
        if (!symbol) {
            fprintf(stderr, "%s\n", dlerror());
            r = 1;
        }
        for (int level = CORDON_LEVEL_PROCESS; r == 0 && level <= CORDON_LEVEL_INLINE; level++) {
            r = print_line(&subjects[i], address, (enum cordon_level)level);
        }
    }
    cordon_callback_free(order);
    return r == 0 ? 0 : 1;
}
