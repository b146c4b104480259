/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/http_library.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>

/* Of all versions that have these functions as the header declares them. */
#define LIBRARY "libmicrohttpd.so.12"

struct http_library http_library;

#define ENTRY(name) {"MHD_" #name, offsetof(struct http_library, name)},
static const struct {
    const char *name;
    size_t offset;
} entries[] = {HTTP_LIBRARY_FUNCTIONS(ENTRY)};

static int find_all(void *library, struct message *why)
{
    for (size_t i = 0; i < sizeof entries / sizeof entries[0]; i++) {
        void *function = dlsym(library, entries[i].name);
        if (!function) {
            return message_set(why, -ELIBACC, "%s has no %s", LIBRARY, entries[i].name);
        }
        *(void **)((char *)&http_library + entries[i].offset) = function;
    }
    return 0;
}

int http_library_load(struct message *why)
{
    static bool loaded;
    if (loaded) {
        return 0;
    }
    void *library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);
    if (!library) {
        return message_set(why, -ELIBACC, "libmicrohttpd cannot be loaded: %s", dlerror());
    }
    int r = find_all(library, why);
    loaded = r == 0;
    return r;
}
