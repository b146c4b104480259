/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/exposition.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "json/bytes.h"

static void put(struct exposition *x, const char *text, size_t length)
{
    char *place = json_out_raw(x->out, length);
    if (place) {
        memcpy(place, text, length);
    }
}

static void put_text(struct exposition *x, const char *text)
{
    put(x, text, strlen(text));
}

void exposition_family(struct exposition *x, enum exposition_kind kind, const char *name,
                       const char *help)
{
    static const struct {
        const char *suffix;
        const char *classic;
        const char *open;
    } kinds[] = {
        [EXPOSITION_GAUGE] = {"", "gauge", "gauge"},
        [EXPOSITION_COUNTER] = {"_total", "counter", "counter"},
        [EXPOSITION_HISTOGRAM] = {"", "histogram", "histogram"},
        [EXPOSITION_INFO] = {"_info", "gauge", "info"},
    };
    char text[512];
    const char *suffix = kinds[kind].suffix;
    const char *family = x->is_openmetrics ? "" : suffix;
    x->name = name;
    x->suffix = suffix;
    x->labels_length = 0;
    (void)snprintf(text, sizeof text, "# HELP %s%s %s\n# TYPE %s%s %s\n", name, family, help, name,
                   family, x->is_openmetrics ? kinds[kind].open : kinds[kind].classic);
    put_text(x, text);
}

/* Backslash, quote and line end are escaped. Returns how many bytes, at most twice EXPOSITION_VALUE_BYTES. */
static size_t escape(const char *value, char *text)
{
    size_t length = strnlen(value, EXPOSITION_VALUE_BYTES);
    size_t at = 0;
    for (size_t i = 0; i < length;) {
        size_t bytes = bytes_utf8_sequence(value + i, length - i);
        char c = value[i];
        if (bytes == 0) {
            text[at++] = '?';
            i++;
            continue;
        }
        if (c == '\\' || c == '"' || c == '\n') {
            text[at++] = '\\';
            c = c == '\n' ? 'n' : c;
        }
        text[at] = c;
        memcpy(text + at + 1, value + i + 1, bytes - 1);
        at += bytes;
        i += bytes;
    }
    return at;
}

/* name="value" */
static size_t write_label(const struct exposition_label *label, char *text)
{
    size_t name = strlen(label->name);
    memcpy(text, label->name, name);
    memcpy(text + name, "=\"", 2);
    size_t at = name + 2 + escape(label->value, text + name + 2);
    text[at] = '"';
    return at + 1;
}

void exposition_labels(struct exposition *x, const struct exposition_label *labels, size_t count)
{
    size_t at = 0;
    for (size_t i = 0; i < count; i++) {
        size_t most = strlen(labels[i].name) + 2 * (size_t)EXPOSITION_VALUE_BYTES + 4;
        if (at + most > sizeof x->labels) {
            break;
        }
        if (at > 0) {
            x->labels[at++] = ',';
        }
        at += write_label(&labels[i], x->labels + at);
    }
    x->labels_length = at;
}

static void put_sample(struct exposition *x, const char *suffix,
                       const struct exposition_label *last, const char *value)
{
    char text[2 * EXPOSITION_VALUE_BYTES + 64];
    put_text(x, x->name);
    put_text(x, suffix);
    if (x->labels_length > 0 || last) {
        put(x, "{", 1);
        put(x, x->labels, x->labels_length);
        if (last) {
            put(x, ",", x->labels_length > 0);
            put(x, text, write_label(last, text));
        }
        put(x, "}", 1);
    }
    put(x, " ", 1);
    put_text(x, value);
    put(x, "\n", 1);
}

static const char *count_text(uint64_t value, char text[24])
{
    (void)snprintf(text, 24, "%" PRIu64, value);
    return text;
}

void exposition_sample(struct exposition *x, const struct exposition_label *last, uint64_t value)
{
    char text[24];
    put_sample(x, x->suffix, last, count_text(value, text));
}

void exposition_sample_real(struct exposition *x, const struct exposition_label *last, double value)
{
    char text[48];
    (void)snprintf(text, sizeof text, "%.17g", value);
    put_sample(x, x->suffix, last, text);
}

void exposition_bucket(struct exposition *x, const char *le, uint64_t below)
{
    char text[24];
    put_sample(x, "_bucket", &(struct exposition_label){"le", le}, count_text(below, text));
}

void exposition_sum(struct exposition *x, double sum, uint64_t count)
{
    char text[48];
    (void)snprintf(text, sizeof text, "%.9f", sum);
    put_sample(x, "_sum", NULL, text);
    put_sample(x, "_count", NULL, count_text(count, text));
}

void exposition_end(struct exposition *x)
{
    if (x->is_openmetrics) {
        put_text(x, "# EOF\n");
    }
}
