/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/loader_folders.h"

#include <glob.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "policy/paths.h"

#define FOLDERS_MAX 16 /* more configure a machine, not a library */

struct search {
    int (*add)(void *context, const char *folder);
    void *context;
    int found;
};

static bool is_known(const char *folder)
{
    for (size_t i = 0; loading_paths[i]; i++) {
        if (path_beneath(folder, loading_paths[i])) {
            return true;
        }
    }
    return strcmp(folder, "/") == 0;
}

static int take_line(struct search *search, char *line)
{
    line += strspn(line, " \t");
    line[strcspn(line, "#\r\n \t")] = '\0';
    if (line[0] != '/' || is_known(line) || search->found == FOLDERS_MAX) {
        return 0; /* "include" and "hwcap" lines as well */
    }
    search->found++;
    return search->add(search->context, line);
}

static int read_file(struct search *search, const char *path)
{
    FILE *file = fopen(path, "re");
    char line[PATH_MAX];
    int r = 0;
    while (file && r == 0 && fgets(line, sizeof line, file)) {
        r = take_line(search, line);
    }
    if (file) {
        (void)fclose(file);
    }
    return r;
}

int loader_folders(int (*add)(void *context, const char *folder), void *context)
{
    struct search search = {.add = add, .context = context};
    glob_t files;
    int r = read_file(&search, "/etc/ld.so.conf");
    if (r != 0 || glob("/etc/ld.so.conf.d/*.conf", 0, NULL, &files) != 0) {
        return r;
    }
    for (size_t i = 0; r == 0 && i < files.gl_pathc; i++) {
        r = read_file(&search, files.gl_pathv[i]);
    }
    globfree(&files);
    return r;
}
