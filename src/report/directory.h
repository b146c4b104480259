/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REPORT_DIRECTORY_H
#define REPORT_DIRECTORY_H

/*
 * Directory: where reports are kept. Files are named by report: ID.json, ID-PART.json, with ID 16
 * hexadecimal digits that begin with the time, so that names sort by age. They are written under a
 * temporary name (".ID.tmp"), mode 0600. What is more, or more in bytes, than the card says goes, oldest
 * first.
 */

#include <stdbool.h>
#include <stdint.h>

#define DIRECTORY_NAME_BYTES 48u
#define DIRECTORY_FILES_MAX  4096u /* most that are looked at */
#define DIRECTORY_STALE_S    60u   /* half-written files older than this are nobody's */
#define DIRECTORY_FILES      64u   /* default bounds */
#define DIRECTORY_BYTES      (64u << 20)

/* "0123456789abcdef.json" and "0123456789abcdef-2.json". Returns @name. */
const char *directory_name(uint64_t id, uint32_t part, char name[DIRECTORY_NAME_BYTES]);

/* The report that a file's name means. False: it is no report. */
bool directory_parse(const char *name, uint64_t *ret_id, uint32_t *ret_part);

struct directory_entry {
    uint64_t id;
    uint32_t part;
    uint64_t bytes;
};

/*
 * The reports in @fd, oldest first. Returns how many, at most @most (the newest ones), or a negative errno.
 * Half-written files of long ago are removed on the way if @tidy.
 */
int directory_list(int fd, struct directory_entry *ret_entries, uint32_t most, bool tidy);

/* Remove the oldest until there are at most @files with @bytes in all; @keep stays. */
void directory_prune(int fd, uint32_t files, uint64_t bytes, uint64_t keep);

#endif
