/* SPDX-License-Identifier: Apache-2.0 */
/* What floor_spawn.c starts: a program that does nothing. */

int main(void)
{
    return 0;
}
