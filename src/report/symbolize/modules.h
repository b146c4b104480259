/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REPORT_SYMBOLIZE_MODULES_H
#define REPORT_SYMBOLIZE_MODULES_H

/*
 * Modules: the files that were mapped in the worker. A file is read (pread) into a memory of our own
 * when its symbols are needed, and never mapped itself: whoever can write it could change it under us.
 */

#include <elfutils/libdwfl.h>

#include "report/symbolize/evidence.h"

#define MODULES_MAX       512u
#define MODULE_BYTES_MAX  (128u << 20) /* of one file */
#define MODULES_BYTES_MAX (384u << 20) /* of all that are read */
#define BUILD_ID_MAX      32u

struct module {
    const char *path; /* of the mapping */
    uint64_t start;
    uint64_t end;
    uint64_t inode;
    bool has_code;
    bool is_file; /* a path, and not deleted */
    uint8_t build_id[BUILD_ID_MAX];
    uint32_t build_id_bytes;
    const char *symbols; /* why there are none; NULL: not asked for, or found */
};

struct modules {
    struct module list[MODULES_MAX];
    uint32_t count;
    uint64_t bytes; /* read so far */
    Dwfl *dwfl;     /* NULL: could not be had */
};

/* Find the modules of @evidence, read their build ids, and prepare for symbols; for the rest of the process's life. */
void modules_open(struct modules *modules, const struct evidence *evidence);

/* The one that holds @address, or NULL. */
struct module *modules_find(struct modules *modules, uint64_t address);

#endif
