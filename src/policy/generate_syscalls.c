/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes syscalls.h: the names of the system calls of an architecture, by number. Runs while Cordon is
 * built: generate_syscalls ARCHITECTURE OUTPUT.
 */
#include <seccomp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define NUMBERS 512 /* above every table so far */

int main(int argc, char **argv)
{
    uint32_t architecture = argc == 3 ? seccomp_arch_resolve_name(argv[1]) : 0;
    FILE *out = architecture != 0 ? fopen(argv[2], "we") : NULL;
    if (!out) {
        fprintf(stderr, "usage: generate_syscalls ARCHITECTURE OUTPUT\n");
        return 2;
    }
    fprintf(out, "/* Made by src/policy/generate_syscalls.c */\n\n"
                 "static const char *const syscall_names[] = {\n");
    for (int number = 0; number < NUMBERS; number++) {
        char *name = seccomp_syscall_resolve_num_arch(architecture, number);
        if (name) {
            fprintf(out, "    [%d] = \"%s\",\n", number, name);
            free(name);
        }
    }
    fprintf(out, "};\n");
    return fclose(out) == 0 ? 0 : 1;
}
