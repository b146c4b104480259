/* SPDX-License-Identifier: Apache-2.0 */
/* What the soak calls: a bit of everything, and a crash. */
#include <stdlib.h>
#include <string.h>

#include "library.h"

struct soak_counter {
    int value;
};

int soak_add(int a, int b)
{
    return a + b;
}

void soak_fill(unsigned char *bytes, size_t count, int value)
{
    memset(bytes, value, count);
}

char *soak_repeat(const char *text)
{
    size_t length = strlen(text);
    char *twice = malloc(2 * length + 1);
    if (twice) {
        memcpy(twice, text, length + 1);
        memcpy(twice + length, text, length + 1);
    }
    return twice;
}

struct soak_counter *soak_counter_new(int value)
{
    struct soak_counter *counter = malloc(sizeof *counter);
    if (counter) {
        counter->value = value;
    }
    return counter;
}

int soak_counter_add(struct soak_counter *counter, int more)
{
    return counter->value += more;
}

void soak_counter_free(struct soak_counter *counter)
{
    free(counter);
}

int soak_sum(int count, int (*next)(int index))
{
    int sum = 0;
    for (int i = 0; i < count; i++) {
        sum += next(i);
    }
    return sum;
}

void soak_crash(void)
{
    abort();
}
