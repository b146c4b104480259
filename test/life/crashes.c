/* SPDX-License-Identifier: Apache-2.0 */
/* A library whose constructor dereferences NULL. */
__attribute__((constructor)) static void crash(void)
{
    volatile int *volatile nowhere = (volatile int *)0;
    *nowhere = 1;
}
