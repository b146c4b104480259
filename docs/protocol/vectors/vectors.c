/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The library that the test vectors call: cc -shared -fPIC -o libvectors.so vectors.c
 * What is declared of it: vectors.cordon.
 */
#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum colour { RED, GREEN = 5, BLUE = -1 };
struct point {
    int32_t x;
    double y;
};
struct padded {
    int8_t a;
    int64_t b;
    bool c;
    int16_t d;
    uint8_t e[3];
};
struct line {
    struct point from;
    struct point to;
    uint8_t colour[4];
};
struct wide {
    double v[4];
};
struct pair {
    int32_t first;
    int32_t second;
};
struct batch {
    const int32_t *values;
    size_t count;
    const char *label;
};
struct tagged {
    int32_t kind;
    union {
        int64_t i;
        double d;
        uint8_t raw[8];
    } u;
};
struct box {
    int32_t content;
};

void nothing(void)
{
}

#define SAME(name, type)                                                                           \
    type name(type x)                                                                              \
    {                                                                                              \
        return x;                                                                                  \
    }
SAME(same_bool, bool)
SAME(same_i8, int8_t)
SAME(same_u8, uint8_t)
SAME(same_i16, int16_t)
SAME(same_u16, uint16_t)
SAME(same_i32, int32_t)
SAME(same_u32, uint32_t)
SAME(same_i64, int64_t)
SAME(same_u64, uint64_t)
SAME(same_f32, float)
SAME(same_f64, double)
SAME(same_colour, enum colour)
SAME(same_token, void *)

int64_t zigzag(int64_t a, int8_t b, uint16_t c, int32_t d, uint8_t e, int16_t f, uint32_t g,
               int64_t h)
{
    return a - b + c - d + e - f + g - h;
}

void halves(uint64_t x, uint32_t *high, uint32_t *low)
{
    *high = (uint32_t)(x >> 32);
    *low = (uint32_t)x;
}

int32_t bump(int32_t *n)
{
    return (*n)++;
}

int32_t bump_if(int32_t *n)
{
    return n ? (*n)++ : -1;
}

int32_t fail(int32_t error)
{
    errno = error;
    return error ? -1 : 0;
}

size_t length_of(const char *s)
{
    return strlen(s);
}

int64_t length_if(const char *s)
{
    return s ? (int64_t)strlen(s) : -1;
}

const char *name_of(int32_t n)
{
    static const char *const names[] = {"zero", "one", "two"};
    return n >= 0 && n < 3 ? names[n] : NULL;
}

char *twice(const char *s)
{
    size_t length = strlen(s);
    char *text = malloc(2 * length + 1);
    if (text) {
        memcpy(text, s, length);
        memcpy(text + length, s, length + 1);
    }
    return text;
}

void greet(char *text, size_t room, const char *name)
{
    snprintf(text, room, "hello, %s", name);
}

void shout(char *text, size_t room)
{
    for (size_t i = 0; i < room && text[i]; i++) {
        text[i] = (char)toupper((unsigned char)text[i]);
    }
}

char *find(const char *s, int32_t c)
{
    return strchr(s, c);
}

int64_t number(const char *s, char **end)
{
    return strtoll(s, end, 10);
}

void split_owned(const char *s, char **copy)
{
    *copy = *s ? strdup(s) : NULL;
}

uint32_t sum(const uint8_t *data, size_t len)
{
    uint32_t total = 0;
    for (size_t i = 0; i < len; i++) {
        total += data[i];
    }
    return total;
}

uint32_t sum_if(const uint8_t *data, size_t len)
{
    return data ? sum(data, len) : UINT32_MAX;
}

void reverse(uint8_t *data, size_t len)
{
    for (size_t i = 0; i < len / 2; i++) {
        uint8_t byte = data[i];
        data[i] = data[len - 1 - i];
        data[len - 1 - i] = byte;
    }
}

void fill(uint8_t *data, size_t len, uint8_t with)
{
    memset(data, with, len);
}

#define TOTAL(name, type)                                                                          \
    int64_t name(const type *v, uint32_t n)                                                        \
    {                                                                                              \
        int64_t total = 0;                                                                         \
        for (uint32_t i = 0; i < n; i++) {                                                         \
            total += v[i];                                                                         \
        }                                                                                          \
        return total;                                                                              \
    }
TOTAL(total_i8, int8_t)
TOTAL(total_i16, int16_t)
TOTAL(total_i32, int32_t)
TOTAL(total_i64, int64_t)

double mean(const double *v, size_t n)
{
    double total = 0;
    for (size_t i = 0; i < n; i++) {
        total += v[i];
    }
    return n ? total / (double)n : 0;
}

float mean_f32(const float *v, size_t n)
{
    float total = 0;
    for (size_t i = 0; i < n; i++) {
        total += v[i];
    }
    return n ? total / (float)n : 0;
}

uint32_t count_true(const bool *v, size_t n)
{
    uint32_t count = 0;
    for (size_t i = 0; i < n; i++) {
        count += v[i];
    }
    return count;
}

void doubled(int32_t *v, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        v[i] *= 2;
    }
}

int64_t total_lengths(const char *const *texts, size_t n)
{
    int64_t total = 0;
    for (size_t i = 0; i < n; i++) {
        total += texts[i] ? (int64_t)strlen(texts[i]) : 100;
    }
    return total;
}

int64_t total_lengths_ended(const char *const *texts)
{
    int64_t total = 0;
    for (; *texts; texts++) {
        total += (int64_t)strlen(*texts);
    }
    return total;
}

void paint(uint8_t *pixels, uint16_t width, uint16_t height, uint8_t grey)
{
    memset(pixels, grey, (size_t)width * height * 4);
}

int32_t stretch(uint8_t *dest, size_t *room, const uint8_t *data, size_t len)
{
    if (*room < 2 * len) {
        return -1;
    }
    for (size_t i = 0; i < len; i++) {
        dest[2 * i] = dest[2 * i + 1] = data[i];
    }
    *room = 2 * len;
    return 0;
}

int64_t evens(uint32_t *found, size_t most, uint32_t limit)
{
    int64_t count = 0;
    for (uint32_t i = 0; i < limit && (size_t)count < most; i += 2) {
        found[count++] = i;
    }
    return count;
}

uint32_t *sevens(size_t *n)
{
    if (*n == 0 || *n > 1000) {
        return NULL;
    }
    uint32_t *memory = malloc(*n * sizeof *memory);
    for (size_t i = 0; memory && i < *n; i++) {
        memory[i] = 7;
    }
    return memory;
}

int64_t dot(const int32_t *a, const int32_t *b, size_t n)
{
    int64_t total = 0;
    for (size_t i = 0; i < n; i++) {
        total += (int64_t)a[i] * b[i];
    }
    return total;
}

struct point moved(struct point p, int32_t by)
{
    return (struct point){p.x + by, p.y + by};
}

double area(const struct line *l)
{
    return (l->to.x - l->from.x) * (l->to.y - l->from.y);
}

void widen(struct line *l, int32_t by)
{
    l->to.x += by;
    l->to.y += by;
    l->colour[3] = 255;
}

struct padded padding(struct padded p)
{
    return (struct padded){(int8_t)-p.a, -p.b, !p.c, (int16_t)-p.d, {p.e[2], p.e[1], p.e[0]}};
}

struct wide scaled(struct wide w, double by)
{
    for (int i = 0; i < 4; i++) {
        w.v[i] *= by;
    }
    return w;
}

void swap(struct pair *to, struct pair from)
{
    *to = (struct pair){from.second, from.first};
}

int64_t total_points(const struct point *p, size_t n)
{
    double total = 0;
    for (size_t i = 0; i < n; i++) {
        total += p[i].x + p[i].y;
    }
    return (int64_t)total;
}

void grid(struct point *p, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        p[i].x = (int32_t)i;
        p[i].y = (double)i / 2;
    }
}

int64_t total_batch(const struct batch *b)
{
    int64_t total = b->label ? (int64_t)strlen(b->label) : 0;
    for (size_t i = 0; i < b->count; i++) {
        total += b->values[i];
    }
    return total;
}

double value_of(const struct tagged *t)
{
    return t->kind == 0 ? 0 : t->kind == 1 ? (double)t->u.i : t->kind == 2 ? t->u.d : t->u.raw[0];
}

void next_kind(struct tagged *t)
{
    t->kind++;
    if (t->kind == 1) {
        t->u.i = -5;
    } else if (t->kind == 2) {
        t->u.d = 0.5;
    } else {
        memset(t->u.raw, t->kind, sizeof t->u.raw);
    }
}

struct box *box_new(int32_t content)
{
    struct box *box = malloc(sizeof *box);
    if (box) {
        box->content = content;
    }
    return box;
}

int32_t box_open(int32_t content, struct box **box)
{
    *box = content < 0 ? NULL : box_new(content);
    return *box ? 0 : -1;
}

int32_t box_content(struct box *box)
{
    return box->content;
}

void box_free(struct box *box)
{
    free(box);
}

struct box *box_none(void)
{
    return NULL;
}

/* By insertion: which pairs are compared, and in what order, is part of the vectors. */
void sort(int32_t *v, size_t n, int32_t (*compare)(const int32_t *a, const int32_t *b))
{
    for (size_t i = 1; i < n; i++) {
        for (size_t j = i; j > 0 && compare(&v[j - 1], &v[j]) > 0; j--) {
            int32_t x = v[j];
            v[j] = v[j - 1];
            v[j - 1] = x;
        }
    }
}

int64_t each(uint32_t n, int64_t (*visit)(void *context, uint32_t index, const char *word),
             void *context)
{
    int64_t total = 0;
    for (uint32_t i = 0; i < n; i++) {
        total += visit(context, i, name_of((int32_t)i));
    }
    return total;
}

int64_t drain(int32_t (*read)(uint8_t *data, size_t room))
{
    uint8_t data[32];
    int64_t total = 0;
    int32_t got;
    while ((got = read(data, sizeof data)) > 0) {
        total += sum(data, (size_t)got);
    }
    return got < 0 ? -1 : total;
}

__attribute__((format(printf, 3, 4)))
int32_t format(char *text, size_t room, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int32_t length = vsnprintf(text, room, format, arguments);
    va_end(arguments);
    return length;
}

uint64_t turn(uint32_t microseconds)
{
    static uint64_t turns;
    usleep(microseconds);
    return ++turns;
}
