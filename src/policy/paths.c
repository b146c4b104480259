/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/paths.h"

#include <stddef.h>
#include <string.h>

#include "policy/policy.h"

#if defined(__x86_64__)
#define MULTIARCH "x86_64-linux-gnu"
#elif defined(__aarch64__)
#define MULTIARCH "aarch64-linux-gnu"
#else
#error "the folder of this architecture's libraries is not known"
#endif

#define LOADS                                                                                      \
    (POLICY_RESOLVER | POLICY_PROVIDERS | POLICY_PROCESSES) /* what needs further libraries */
#define CONVERTS (POLICY_ICONV | POLICY_LOCALE)

/* What is not there on a system is no harm. Folders of both layouts, with and without links. */
const struct group_path group_paths[] = {
    {CONVERTS, "/usr/lib/" MULTIARCH "/gconv"},
    {CONVERTS, "/lib/" MULTIARCH "/gconv"},
    {CONVERTS, "/usr/lib64/gconv"},
    {CONVERTS, "/lib64/gconv"},
    {CONVERTS, "/usr/lib/gconv"},
    {POLICY_LOCALE, "/usr/lib/locale"},
    {POLICY_LOCALE, "/usr/share/locale"},
    {POLICY_LOCALE, "/usr/share/locale-langpack"},
    {POLICY_LOCALE, "/usr/share/i18n"},
    {POLICY_LOCALE, "/usr/share/zoneinfo"},
    {POLICY_LOCALE, "/etc/localtime"},
    {POLICY_LOCALE, "/etc/timezone"},
    {POLICY_RESOLVER, "/etc/nsswitch.conf"},
    {POLICY_RESOLVER, "/etc/resolv.conf"},
    {POLICY_RESOLVER, "/etc/hosts"},
    {POLICY_RESOLVER, "/etc/host.conf"},
    {POLICY_RESOLVER, "/etc/gai.conf"},
    {POLICY_RESOLVER, "/etc/services"},
    {POLICY_RESOLVER, "/etc/protocols"},
    {POLICY_RESOLVER, "/etc/networks"},
    {POLICY_PROVIDERS, "/etc/ssl"},
    {POLICY_PROVIDERS, "/etc/pki"},
    {POLICY_PROVIDERS, "/etc/crypto-policies"},
    {POLICY_PROVIDERS, "/usr/lib/ssl"},
    {POLICY_PROVIDERS, "/usr/share/ca-certificates"},
    {POLICY_PROCESSES, "/bin"},
    {POLICY_PROCESSES, "/usr/bin"},
    {POLICY_PROCESSES, "/usr/local/bin"},
    {LOADS, "/etc/ld.so.cache"},
    {LOADS, "/usr/lib"},
    {LOADS, "/usr/lib64"},
    {LOADS, "/lib"},
    {LOADS, "/lib64"},
    {0, NULL},
};

const char *const loading_paths[] = {
    "/etc/ld.so.cache", "/etc/ld.so.preload", "/usr/lib",         "/usr/lib64", "/lib",
    "/lib64",           "/usr/local/lib",     "/usr/local/lib64", NULL,
};

static const char *const group_names[] = {
    "sockets", "udp", "unix", "processes", "iconv", "resolver", "locale", "providers", "everything",
};

const char *group_name(uint32_t group)
{
    for (size_t i = 0; i < sizeof group_names / sizeof group_names[0]; i++) {
        if (group == 1u << i) {
            return group_names[i];
        }
    }
    return NULL;
}

bool path_beneath(const char *path, const char *folder)
{
    size_t length = strlen(folder);
    if (length == 1) {
        return path[0] == '/'; /* the root folder */
    }
    return strncmp(path, folder, length) == 0 && (path[length] == '\0' || path[length] == '/');
}
