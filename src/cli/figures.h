/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_FIGURES_H
#define CLI_FIGURES_H

/* Figures: numbers with their units, at most six characters wide, for tables. */

#include <stddef.h>
#include <stdint.h>

#define FIGURE_BYTES 16u

/* 0, 7, 1234, 12.3k, 4.56M */
const char *figure_count(uint64_t count, char text[FIGURE_BYTES]);
/* As a count, with one digit behind the point below 100: 0.2, 12.5, 873 */
const char *figure_rate(double each_second, char text[FIGURE_BYTES]);
/* 12us, 1.20ms, 3.4s, 2m */
const char *figure_time(uint64_t us, char text[FIGURE_BYTES]);
/* 512K, 12.3M, 1.20G */
const char *figure_memory(uint64_t bytes, char text[FIGURE_BYTES]);
/* 12s, 5m 3s, 2h 10m, 3d 4h */
const char *figure_duration(uint64_t ms, char text[FIGURE_BYTES]);

#endif
