/* SPDX-License-Identifier: Apache-2.0 */
#ifndef POLICY_POLICY_H
#define POLICY_POLICY_H

/*
 * Policy: what a cell's library may do, compiled to bounded bytes.
 *
 * Life: the host compiles it from a preset, grants and limits when the cell is opened (compile.h); it
 * travels in START to the keeper and from there to the worker, each of which judges it first; then it
 * only ever gets asked. It is plain data without pointers: copied by assignment, owns nothing.
 *
 * Threads: any; nothing here is changed once it is compiled.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/limits.h"

#define POLICY_VERSION 1u

enum policy_preset {
    POLICY_STRICT = 0,
    POLICY_FILES = 1,
    POLICY_NETWORK = 2,
    POLICY_TRUSTED = 3,
};

/* Grants that have no operand, as bits. What each stands for: docs/man/cordon-policy.5.scd. */
enum policy_group {
    POLICY_SOCKETS = 1u << 0, /* in a network namespace of the worker's own */
    POLICY_UDP = 1u << 1,
    POLICY_UNIX = 1u << 2,
    POLICY_PROCESSES = 1u << 3,
    POLICY_ICONV = 1u << 4,
    POLICY_RESOLVER = 1u << 5,
    POLICY_LOCALE = 1u << 6,
    POLICY_PROVIDERS = 1u << 7,
    POLICY_EVERYTHING = 1u << 8, /* refuse nothing: limits and namespaces only */
};
#define POLICY_GROUPS 0x1ffu

/* Grants that have one. */
enum policy_kind {
    POLICY_READ = 1,    /* text: absolute path, and all beneath */
    POLICY_WRITE = 2,   /* text: absolute path, and all beneath; reading as well */
    POLICY_DEVICE = 3,  /* text: absolute path of a device */
    POLICY_CONNECT = 4, /* number: TCP port; 0: any */
    POLICY_BIND = 5,    /* number: TCP port; 0: any */
    POLICY_ENV = 6,     /* text: NAME=VALUE */
    POLICY_SYSCALL = 7, /* number */
    POLICY_LOADING = 8, /* text: absolute path of a folder of libraries; while loading only */
};

enum policy_violation {
    POLICY_REFUSE = 0, /* the forbidden call answers an errno, and is listed */
    POLICY_KILL = 1,   /* it ends the worker: outcome denied */
};

struct policy_item {
    uint8_t kind; /* enum policy_kind */
    uint8_t unused;
    uint16_t number;
    uint16_t text_at;    /* offset in text */
    uint16_t text_bytes; /* with its NUL; 0: none */
};

struct policy {
    uint16_t version;
    uint8_t preset;        /* enum policy_preset: where it began */
    uint8_t on_violation;  /* enum policy_violation */
    uint32_t groups;       /* enum policy_group */
    uint32_t threads;      /* most at once, the first one included */
    uint32_t fds;          /* RLIMIT_NOFILE */
    uint64_t memory_bytes; /* address space beyond what is mapped before loading; 0: no limit */
    uint64_t cpu_ms;       /* of the worker's life */
    uint64_t file_bytes;   /* largest file it may write */
    uint16_t item_count;
    uint16_t text_bytes;
    uint32_t unused;
    struct policy_item items[LIMIT_GRANTS];
    char text[LIMIT_GRANT_TEXT_BYTES];
};

/* True if every number is in its range and every text in its place: bytes that came from elsewhere. */
bool policy_fits(const struct policy *policy);

/* A preset with the default limits. */
void policy_init(struct policy *policy, enum policy_preset preset);

/* ---- Questions (of a policy that fits) --------------------------------------------------------- */

static inline bool policy_has(const struct policy *policy, uint32_t groups)
{
    return (policy->groups & groups) != 0;
}

/* Text of an item, NUL-terminated; "" if it has none. */
const char *policy_text(const struct policy *policy, const struct policy_item *item);

/* True if there is an item of this kind. */
bool policy_has_kind(const struct policy *policy, enum policy_kind kind);

/* Every path may be read, and every path written: nobody has to look at paths. */
bool policy_reads_all(const struct policy *policy);
bool policy_writes_all(const struct policy *policy);

/*
 * May a file be opened, as far as its name tells? @path is absolute and without "." and ".."; what links
 * lead to is not looked at. The same answer as Landlock's for paths without links.
 */
bool policy_may_open(const struct policy *policy, const char *path, bool writing);

/* Is the system call granted by its name? */
bool policy_grants_call(const struct policy *policy, uint32_t number);

/* TCP ports are limited to the granted ones: Landlock has to look. */
bool policy_limits_ports(const struct policy *policy);

/* Sockets that reach beyond the worker are granted in some form. */
bool policy_has_network(const struct policy *policy);

/* It may make processes, which outlive it. */
bool policy_makes_processes(const struct policy *policy);

/* Each path that may be opened, in no order. @visit returns 0 to go on; its other value is returned. */
struct policy_path {
    const char *path;
    bool writing;
    bool device;
};
typedef int (*policy_visit_fn)(void *context, const struct policy_path *path);
int policy_each_path(const struct policy *policy, policy_visit_fn visit, void *context);

/* The same for what loading reads beside them; @library: soname or path, its folder is one of them. */
int policy_each_loading_path(const struct policy *policy, const char *library,
                             policy_visit_fn visit, void *context);

/*
 * Write it for a person: "strict read:/usr/share/x threads:8 on_violation:refuse ...". Values of
 * environment variables are left out. Returns the bytes that the text takes without its NUL, cut at
 * @bytes - 1.
 */
size_t policy_print(const struct policy *policy, char *text, size_t bytes);

#endif
