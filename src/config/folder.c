/* SPDX-License-Identifier: Apache-2.0 */
#include "config/folder.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* Cuts the last name off @path: "/a/b" is "/a" then, "/a" is "/", "a" is ".". Returns whether there was one. */
static bool go_up(char *path)
{
    char *slash = strrchr(path, '/');
    if (strcmp(path, "/") == 0 || strcmp(path, ".") == 0) {
        return false;
    }
    if (!slash) {
        (void)strcpy(path, ".");
    } else {
        slash[slash == path ? 1 : 0] = '\0';
    }
    return true;
}

static bool is_open(const char *folder)
{
    struct stat status;
    return stat(folder, &status) == 0 && S_ISDIR(status.st_mode) && status.st_mode & S_IWOTH &&
           !(status.st_mode & S_ISVTX);
}

/* @path becomes the folder that is found. */
static bool find_above(char *path)
{
    while (go_up(path)) {
        if (is_open(path)) {
            return true;
        }
    }
    return false;
}

bool folder_find_open(const char *path, char ret_folder[PATH_MAX])
{
    char named[PATH_MAX];
    char reached[PATH_MAX];
    if (snprintf(named, sizeof named, "%s", path) >= (int)sizeof named || !*named) {
        return false;
    }
    (void)go_up(named);
    bool leads = realpath(named, reached) != NULL;
    (void)strcpy(named, path);
    if (find_above(named)) {
        (void)strcpy(ret_folder, named);
        return true;
    }
    if (!leads || (!is_open(reached) && !find_above(reached))) {
        return false;
    }
    (void)strcpy(ret_folder, reached);
    return true;
}
