/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEST_SOAK_LIBRARY_H
#define TEST_SOAK_LIBRARY_H

#include <stddef.h>

#define SOAK_EXPORT __attribute__((visibility("default")))

struct soak_counter;

SOAK_EXPORT int soak_add(int a, int b);
SOAK_EXPORT void soak_fill(unsigned char *bytes, size_t count, int value);
SOAK_EXPORT char *soak_repeat(const char *text);
SOAK_EXPORT struct soak_counter *soak_counter_new(int value);
SOAK_EXPORT int soak_counter_add(struct soak_counter *counter, int more);
SOAK_EXPORT void soak_counter_free(struct soak_counter *counter);
SOAK_EXPORT int soak_sum(int count, int (*next)(int index));
SOAK_EXPORT void soak_crash(void);

#endif
