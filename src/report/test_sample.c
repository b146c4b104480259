/* SPDX-License-Identifier: Apache-2.0 */
/* Functions that crash, for what reports say of them. */

#define EXPORTED __attribute__((visibility("default"), noinline))

void sample_outer(int value);
void sample_jump(int value);
void sample_overflow(int value);

static __attribute__((noinline)) void sample_write(volatile int *place, int value)
{
    *place = value;
}

static inline __attribute__((always_inline)) int sample_inlined(int value)
{
    sample_write((volatile int *)16, value);
    return value + 1;
}

EXPORTED void sample_outer(int value)
{
    volatile int kept = sample_inlined(value);
    (void)kept;
}

EXPORTED void sample_jump(int value)
{
    void (*volatile nowhere)(int) = (void (*)(int))0x1000;
    nowhere(value);
    __asm__ volatile("");
}

EXPORTED void sample_overflow(int value)
{
    volatile char room[4096];
    room[0] = (char)value;
    if (value != -1) {
        sample_overflow(value + room[0]);
    }
    room[1] = 0;
}
