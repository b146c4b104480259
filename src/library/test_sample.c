/* SPDX-License-Identifier: Apache-2.0 */
/* A library to load. */
int library_sample(void);

__attribute__((visibility("default"))) int library_sample(void)
{
    return 1;
}
