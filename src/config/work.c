/* SPDX-License-Identifier: Apache-2.0 */
#include "config/work.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "config/folder.h"

/* ---- Fields and findings ----------------------------------------------------------------------- */

struct config_field config_field(const char *format, ...)
{
    struct config_field field;
    va_list args;
    va_start(args, format);
    (void)vsnprintf(field.text, sizeof field.text, format, args);
    va_end(args);
    return field;
}

void config_say(struct config_work *work, enum finding_severity severity, struct config_field field,
                const char *format, ...)
{
    uint32_t line;
    uint32_t column;
    va_list args;
    tree_place(tree_find(work->root, field.text, NULL), &line, &column);
    va_start(args, format);
    findings_add_v(work->findings, severity, work->file, line, column, field.text, format, args);
    va_end(args);
}

bool config_has(const struct config_work *work, struct config_field field)
{
    bool found;
    (void)tree_find(work->root, field.text, &found);
    return found;
}

/* ---- Texts ------------------------------------------------------------------------------------- */

char *config_keep(struct config_work *work, const char *text)
{
    char *copy = text ? strdup(text) : NULL;
    work->no_memory = work->no_memory || (text && !copy);
    return copy;
}

char *config_path(struct config_work *work, const char *path)
{
    char *joined = NULL;
    if (!path || path[0] == '/') {
        return config_keep(work, path);
    }
    if (asprintf(&joined, "%s/%s", work->directory, path) < 0) {
        work->no_memory = true;
        return NULL;
    }
    return joined;
}

/* ---- Files ------------------------------------------------------------------------------------- */

/* Whoever may write it says what is called, and how. */
static void judge_writers(struct config_work *work, const char *path, const struct stat *status,
                          const char *what, struct config_field field)
{
    char open_folder[PATH_MAX];
    if (status->st_mode & S_IWOTH) {
        config_say(work, FINDING_UNSAFE, field,
                   "everybody may write %s %s: take that away (chmod o-w)", what, path);
    } else if (status->st_mode & S_IWGRP && status->st_gid != getegid()) {
        config_say(work, FINDING_UNSAFE, field,
                   "group %u may write %s %s: take that away (chmod g-w)", (unsigned)status->st_gid,
                   what, path);
    }
    if (status->st_uid != 0 && status->st_uid != geteuid()) {
        config_say(work, FINDING_NOTE, field, "%s %s belongs to user %u, who can change it", what,
                   path, (unsigned)status->st_uid);
    }
    if (folder_find_open(path, open_folder)) {
        config_say(work, FINDING_UNSAFE, field,
                   "everybody may write the folder %s, and so replace %s %s: take that away "
                   "(chmod o-w)",
                   open_folder, what, path);
    }
}

/* Returns 0, -errno; -EFBIG. */
static int read_all(int fd, char **ret_text, size_t *ret_length)
{
    char *text = malloc(CONFIG_BYTES_MAX + 1);
    size_t length = 0;
    ssize_t n = text ? 1 : -1;
    while (n > 0 && length <= CONFIG_BYTES_MAX) {
        n = read(fd, text + length, CONFIG_BYTES_MAX + 1 - length);
        if (n < 0 && errno == EINTR) {
            n = 1;
            continue;
        }
        length += n > 0 ? (size_t)n : 0;
    }
    int r = !text ? -ENOMEM : n < 0 ? -errno : length > CONFIG_BYTES_MAX ? -EFBIG : 0;
    char *cut = r == 0 ? realloc(text, length + 1) : NULL;
    if (!cut) {
        free(text);
        return r < 0 ? r : -ENOMEM;
    }
    cut[length] = '\0';
    *ret_text = cut;
    *ret_length = length;
    return 0;
}

/* A FIFO is not waited for, a device not read. */
static int open_regular(const char *path, struct stat *ret_status)
{
    OWN_FD fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0 || fstat(fd, ret_status) < 0) {
        return -errno;
    }
    if (!S_ISREG(ret_status->st_mode)) {
        return S_ISDIR(ret_status->st_mode) ? -EISDIR : -EINVAL;
    }
    return take_fd(&fd);
}

int config_read_file(struct config_work *work, const char *path, const char *what,
                     struct config_field field, char **ret_text, size_t *ret_length)
{
    struct stat status = {.st_mode = 0};
    OWN_FD fd = open_regular(path, &status);
    int r = fd < 0 ? fd : read_all(fd, ret_text, ret_length);
    if (r == -ENOMEM) {
        work->no_memory = true;
    } else if (r == -EFBIG) {
        config_say(work, FINDING_ERROR, field, "%s %s is larger than %u bytes", what, path,
                   CONFIG_BYTES_MAX);
    } else if (r < 0) {
        config_say(work, FINDING_ERROR, field, "cannot read %s %s: %s", what, path,
                   r == -EINVAL ? "it is no regular file" : strerror(-r));
    } else {
        judge_writers(work, path, &status, what, field);
    }
    return r < 0 ? r : 0;
}
