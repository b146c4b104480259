/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/figures.h"

#include <stdio.h>

/* Three digits, and a unit of one letter. */
static const char *scaled(double value, double step, const char *units, char *text)
{
    while (value >= 999.5 && units[1]) {
        value /= step;
        units++;
    }
    int digits = value < 9.995 ? 2 : value < 99.95 ? 1 : 0;
    (void)snprintf(text, FIGURE_BYTES, "%.*f%c", digits, value, *units);
    return text;
}

const char *figure_count(uint64_t count, char text[FIGURE_BYTES])
{
    if (count < 10000) {
        (void)snprintf(text, FIGURE_BYTES, "%llu", (unsigned long long)count);
        return text;
    }
    return scaled((double)count / 1e3, 1e3, "kMGTPE", text);
}

const char *figure_rate(double each_second, char text[FIGURE_BYTES])
{
    if (!(each_second > 0)) {
        (void)snprintf(text, FIGURE_BYTES, "0");
    } else if (each_second < 99.95) {
        (void)snprintf(text, FIGURE_BYTES, each_second < 0.05 ? "%.2f" : "%.1f", each_second);
    } else {
        return each_second < 1e15 ? figure_count((uint64_t)(each_second + 0.5), text) : "?";
    }
    return text;
}

const char *figure_time(uint64_t us, char text[FIGURE_BYTES])
{
    if (us < 1000) {
        (void)snprintf(text, FIGURE_BYTES, "%lluus", (unsigned long long)us);
    } else if (us < 999500) {
        double ms = (double)us / 1e3;
        (void)snprintf(text, FIGURE_BYTES, "%.*fms", ms < 9.995 ? 2 : ms < 99.95 ? 1 : 0, ms);
    } else if (us < 100000000) {
        double s = (double)us / 1e6;
        (void)snprintf(text, FIGURE_BYTES, "%.*fs", s < 9.995 ? 2 : 1, s);
    } else {
        return figure_duration(us / 1000, text);
    }
    return text;
}

const char *figure_memory(uint64_t bytes, char text[FIGURE_BYTES])
{
    if (bytes == 0) {
        (void)snprintf(text, FIGURE_BYTES, "0");
        return text;
    }
    return scaled((double)bytes / 1024, 1024, "KMGTPE", text);
}

const char *figure_duration(uint64_t ms, char text[FIGURE_BYTES])
{
    unsigned long long seconds = ms / 1000;
    if (seconds < 60) {
        (void)snprintf(text, FIGURE_BYTES, "%llus", seconds);
    } else if (seconds < 3600) {
        (void)snprintf(text, FIGURE_BYTES, "%llum %llus", seconds / 60, seconds % 60);
    } else if (seconds < 86400) {
        (void)snprintf(text, FIGURE_BYTES, "%lluh %llum", seconds / 3600, seconds / 60 % 60);
    } else {
        unsigned long long days = seconds / 86400;
        (void)snprintf(text, FIGURE_BYTES, "%llud %lluh", days < 99999999 ? days : 99999999,
                       seconds / 3600 % 24);
    }
    return text;
}
