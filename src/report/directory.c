/* SPDX-License-Identifier: Apache-2.0 */
#include "report/directory.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define ID_DIGITS 16u

const char *directory_name(uint64_t id, uint32_t part, char name[DIRECTORY_NAME_BYTES])
{
    if (part == 0) {
        (void)snprintf(name, DIRECTORY_NAME_BYTES, "%016" PRIx64 ".json", id);
    } else {
        (void)snprintf(name, DIRECTORY_NAME_BYTES, "%016" PRIx64 "-%" PRIu32 ".json", id, part);
    }
    return name;
}

bool directory_parse(const char *name, uint64_t *ret_id, uint32_t *ret_part)
{
    char again[DIRECTORY_NAME_BYTES];
    if (strspn(name, "0123456789abcdef") != ID_DIGITS) {
        return false;
    }
    *ret_id = strtoull(name, NULL, 16);
    *ret_part = name[ID_DIGITS] == '-' ? (uint32_t)strtoul(name + ID_DIGITS + 1, NULL, 10) : 0;
    return strcmp(directory_name(*ret_id, *ret_part, again), name) == 0;
}

static int by_age(const void *left, const void *right)
{
    const struct directory_entry *a = left;
    const struct directory_entry *b = right;
    /* Within one worker the last part is 0. */
    uint32_t a_part = a->part - 1;
    uint32_t b_part = b->part - 1;
    return a->id != b->id ? (a->id > b->id) - (a->id < b->id)
                          : (a_part > b_part) - (a_part < b_part);
}

static void remove_stale(int fd, const char *name)
{
    struct stat info;
    size_t length = strlen(name);
    if (name[0] == '.' && length == ID_DIGITS + 5 && strcmp(name + length - 4, ".tmp") == 0 &&
        fstatat(fd, name, &info, AT_SYMLINK_NOFOLLOW) == 0 &&
        info.st_mtime + (time_t)DIRECTORY_STALE_S < time(NULL)) {
        (void)unlinkat(fd, name, 0);
    }
}

int directory_list(int fd, struct directory_entry *ret_entries, uint32_t most, bool tidy)
{
    int copy = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *folder = copy >= 0 ? fdopendir(copy) : NULL;
    struct directory_entry *all = calloc(DIRECTORY_FILES_MAX, sizeof *all);
    if (!folder || !all) {
        int error = errno;
        free(all);
        if (folder) {
            (void)closedir(folder);
        } else if (copy >= 0) {
            (void)close(copy);
        }
        return -error;
    }
    uint32_t count = 0;
    const struct dirent *file;
    while ((file = readdir(folder)) != NULL) {
        struct stat info;
        struct directory_entry *entry = &all[count];
        if (tidy) {
            remove_stale(fd, file->d_name);
        }
        if (count < DIRECTORY_FILES_MAX &&
            directory_parse(file->d_name, &entry->id, &entry->part) &&
            fstatat(fd, file->d_name, &info, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(info.st_mode)) {
            entry->bytes = (uint64_t)info.st_size;
            count++;
        }
    }
    (void)closedir(folder);
    qsort(all, count, sizeof *all, by_age);
    uint32_t shown = count < most ? count : most;
    memcpy(ret_entries, all + (count - shown), shown * sizeof *all);
    free(all);
    return (int)shown;
}

void directory_prune(int fd, uint32_t files, uint64_t bytes, uint64_t keep)
{
    struct directory_entry *entries = calloc(DIRECTORY_FILES_MAX, sizeof *entries);
    int count = entries ? directory_list(fd, entries, DIRECTORY_FILES_MAX, true) : 0;
    uint64_t total = 0;
    for (int i = 0; i < count; i++) {
        total += entries[i].bytes;
    }
    uint32_t left = count > 0 ? (uint32_t)count : 0;
    for (int i = 0; i < count && (left > files || total > bytes); i++) {
        char name[DIRECTORY_NAME_BYTES];
        if (entries[i].id == keep) {
            continue;
        }
        (void)unlinkat(fd, directory_name(entries[i].id, entries[i].part, name), 0);
        total -= entries[i].bytes;
        left--;
    }
    free(entries);
}
