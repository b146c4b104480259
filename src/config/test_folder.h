/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONFIG_TEST_FOLDER_H
#define CONFIG_TEST_FOLDER_H

/* What tests of the configuration share: a folder with interfaces, and a cell. */

#include <sys/types.h>

#include "config/findings.h"

/* A cell that nothing is wrong with; lines can follow. Four lines. */
#define CELL                                                                                       \
    "cells:\n"                                                                                     \
    "- name: z\n"                                                                                  \
    "  interface: libz.cordon\n"                                                                   \
    "  limits: {memory_bytes: 64MiB}\n"
#define UNLIMITED "cells:\n- name: z\n  interface: libz.cordon\n"
#define OFFER     "  functions: all\n"

/* With libz.cordon and broken.cordon; of one test's own. */
extern char folder[64];
int make_folder(void **state);
int remove_folder(void **state);
void write_file(const char *name, const char *text, size_t length, mode_t mode);

void print_all(const struct findings *findings);

#endif
