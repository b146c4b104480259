/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONFIG_KEYS_H
#define CONFIG_KEYS_H

/*
 * Keys of cordon.yaml, each written down once: KEY(kind, member, "key", flags, least, most, initial, extra).
 *
 * The lists are read three times: here, as the members of the structs that libcyaml fills; in keys.c, as its
 * schema, and as the table that the file is judged by (judge.c), which also has what stands for a
 * key that is left out. cordon-yaml(5) describes them; test_config.c compares it with them.
 *
 * kinds  TEXT; TEXTS: a list of them; COUNT: a whole number; BYTES: that, or with KiB, MiB, GiB; MS: or with ms, s,
 *        min, h; WORD: the number of one of the words called @extra; JSON: a mapping, as JSON text; PART: a mapping
 *        with the keys called @extra; PARTS: a list of such.
 * flags  REQUIRED; NONE: the word `none` is UINT64_MAX.
 */

#include <stddef.h>
#include <stdint.h>

#include "base/limits.h"
#include "config/daemon_limits.h"

#define MS_SECOND 1000ull
#define MS_HOUR   (3600 * MS_SECOND)
#define KIB       1024ull
#define MIB       (1024 * KIB)
#define GIB       (1024 * MIB)
#define TIB       (1024 * GIB)

/* Of what may be as large as it likes. */
#define CONFIG_COUNT_MAX (1ull << 40)

#define CONFIG_ROOT_KEYS(KEY)                                                                      \
    KEY(TEXT, socket, "socket", 0, 1, 107, 0, none)                                                \
    KEY(TEXTS, users, "users", 0, 0, 256, 0, none)                                                 \
    KEY(TEXTS, groups, "groups", 0, 0, 256, 0, none)                                               \
    KEY(TEXT, http, "http", 0, 1, 112, 0, none)                                                    \
    KEY(MS, drain_ms, "drain_ms", 0, 0, MS_HOUR, GATEWAY_DRAIN_MS, none)                           \
    KEY(PART, log, "log", 0, 0, 0, 0, log)                                                         \
    KEY(PART, limits, "limits", 0, 0, 0, 0, limits)                                                \
    KEY(PARTS, cells, "cells", KEY_REQUIRED, 1, 256, 0, cells)

#define CONFIG_LOG_KEYS(KEY)                                                                       \
    KEY(WORD, level, "level", 0, 0, 0, LOG_LEVEL_DEFAULT, log_levels)                              \
    KEY(WORD, format, "format", 0, 0, 0, LOG_BY_TERMINAL, log_forms)

#define CONFIG_LIMITS_KEYS(KEY)                                                                    \
    KEY(BYTES, frame_bytes, "frame_bytes", 0, KIB, GIB, 16 * MIB, none)                            \
    KEY(COUNT, nesting, "nesting", 0, 4, 1024, 64, none)                                           \
    KEY(COUNT, clients, "clients", 0, 1, 65536, 256, none)                                         \
    KEY(COUNT, clients_per_user, "clients_per_user", 0, 1, 65536, 0, none)                         \
    KEY(COUNT, client_in_flight, "client_in_flight", 0, 1, 65536, 128, none)                       \
    KEY(COUNT, in_flight, "in_flight", 0, 1, 1048576, 4096, none)                                  \
    KEY(COUNT, batch, "batch", 0, 1, 65536, 256, none)                                             \
    KEY(COUNT, handles, "handles", 0, 1, 65536, 1024, none)                                        \
    KEY(MS, read_timeout_ms, "read_timeout_ms", 0, 100, MS_HOUR, 30000, none)                      \
    KEY(MS, write_timeout_ms, "write_timeout_ms", 0, 100, MS_HOUR, 30000, none)                    \
    KEY(BYTES, output_bytes, "output_bytes", 0, KIB, GIB, 32 * MIB, none)                          \
    KEY(MS, deadline_max_ms, "deadline_max_ms", 0, 1, MS_HOUR, 60000, none)

#define CONFIG_CELLS_KEYS(KEY)                                                                     \
    KEY(TEXT, name, "name", KEY_REQUIRED, 1, 64, 0, none)                                          \
    KEY(TEXT, library, "library", 0, 0, 4095, 0, none)                                             \
    KEY(TEXT, interface, "interface", 0, 1, 4095, 0, none)                                         \
    KEY(TEXT, interface_text, "interface_text", 0, 1, MIB, 0, none)                                \
    KEY(WORD, level, "level", 0, 0, 0, CORDON_LEVEL_PROCESS, levels)                               \
    KEY(TEXT, policy, "policy", 0, 1, LIMIT_GRANT_TEXT_BYTES, 0, none)                             \
    KEY(TEXTS, grants, "grants", 0, 0, LIMIT_GRANTS, 0, none)                                      \
    KEY(WORD, on_violation, "on_violation", 0, 0, 0, CORDON_REFUSE, violations)                    \
    KEY(TEXTS, require, "require", 0, 0, 64, 0, none)                                              \
    KEY(TEXT, reason, "reason", 0, 1, 1024, 0, none)                                               \
    KEY(PART, limits, "limits", 0, 0, 0, 0, cell_limits)                                           \
    KEY(COUNT, workers, "workers", 0, 1, LIMIT_WORKERS_MAX, LIMIT_WORKERS, none)                   \
    KEY(COUNT, sessions, "sessions", 0, 0, 4096, LIMIT_SESSIONS, none)                             \
    KEY(COUNT, leases, "leases", 0, 0, LIMIT_WORKERS_MAX, CONFIG_LEASES, none)                     \
    KEY(MS, lease_idle_ms, "lease_idle_ms", 0, 100, 24 * MS_HOUR, LIMIT_LEASE_IDLE_MS, none)       \
    KEY(BYTES, arena_bytes, "arena_bytes", 0, 4 * KIB, LIMIT_ARENA_BYTES, 0, none)                 \
    KEY(COUNT, spares, "spares", 0, 0, LIMIT_SPARES_MAX, LIMIT_SPARES, none)                       \
    KEY(COUNT, queue, "queue", 0, 1, 1048576, 4096, none)                                          \
    KEY(MS, deadline_ms, "deadline_ms", 0, 1, 24 * MS_HOUR, LIMIT_DEADLINE_MS, none)               \
    KEY(MS, start_ms, "start_ms", 0, 1, MS_HOUR, LIMIT_START_MS, none)                             \
    KEY(PARTS, on_start, "on_start", 0, 0, LIMIT_ON_START, 0, start)                               \
    KEY(PART, breaker, "breaker", 0, 0, 0, 0, breaker)                                             \
    KEY(PART, recycle, "recycle", 0, 0, 0, 0, recycle)                                             \
    KEY(WORD, record, "record", 0, 0, 0, 0, truth)                                                 \
    KEY(BYTES, record_bytes, "record_bytes", 0, 64 * KIB, LIMIT_RECORD_BYTES_MAX,                  \
        LIMIT_RECORD_BYTES, none)                                                                  \
    KEY(PART, reports, "reports", 0, 0, 0, 0, reports)                                             \
    KEY(WORD, functions, "functions", 0, 0, 0, 0, offers)                                          \
    KEY(PARTS, methods, "methods", 0, 0, LIMIT_FUNCTIONS, 0, methods)

#define CONFIG_CELL_LIMITS_KEYS(KEY)                                                               \
    KEY(BYTES, memory_bytes, "memory_bytes", KEY_NONE, MIB, 64 * TIB, 0, none)                     \
    KEY(MS, cpu_ms, "cpu_ms", 0, MS_SECOND, 24 * 366 * MS_HOUR, LIMIT_CPU_MS, none)                \
    KEY(BYTES, file_bytes, "file_bytes", 0, 1, 64 * TIB, LIMIT_FILE_BYTES, none)                   \
    KEY(COUNT, fds, "fds", 0, 16, 1048576, LIMIT_FDS, none)                                        \
    KEY(COUNT, threads, "threads", 0, 1, LIMIT_THREADS_MAX, LIMIT_THREADS, none)                   \
    KEY(BYTES, call_bytes, "call_bytes", 0, 4 * KIB, GIB, LIMIT_FRAME_BYTES, none)

#define CONFIG_BREAKER_KEYS(KEY)                                                                   \
    KEY(COUNT, percent, "percent", KEY_NONE, 1, 100, LIMIT_BREAKER_PERCENT, none)                  \
    KEY(COUNT, function_percent, "function_percent", KEY_NONE, 1, 100, LIMIT_BREAKER_PERCENT,      \
        none)                                                                                      \
    KEY(COUNT, samples, "samples", 0, 1, 1000000, LIMIT_BREAKER_SAMPLES, none)                     \
    KEY(MS, window_ms, "window_ms", 0, 100, MS_HOUR, LIMIT_BREAKER_WINDOW_MS, none)                \
    KEY(MS, cool_down_ms, "cool_down_ms", 0, 1, MS_HOUR, LIMIT_BREAKER_COOL_MS, none)              \
    KEY(COUNT, probes, "probes", 0, 1, 1000, LIMIT_BREAKER_PROBES, none)

#define CONFIG_RECYCLE_KEYS(KEY)                                                                   \
    KEY(COUNT, calls, "calls", KEY_NONE, 1, CONFIG_COUNT_MAX, UINT64_MAX, none)                    \
    KEY(MS, age_ms, "age_ms", KEY_NONE, MS_SECOND, 24 * 366 * MS_HOUR, UINT64_MAX, none)           \
    KEY(BYTES, resident_bytes, "resident_bytes", KEY_NONE, MIB, 64 * TIB, LIMIT_RECYCLE_BYTES, none)

#define CONFIG_REPORTS_KEYS(KEY)                                                                   \
    KEY(TEXT, directory, "directory", 0, 1, 4095, 0, none)                                         \
    KEY(COUNT, files, "files", 0, 1, 65536, LIMIT_REPORTS, none)                                   \
    KEY(BYTES, bytes, "bytes", 0, 64 * KIB, 64 * GIB, LIMIT_REPORTS_BYTES, none)                   \
    KEY(WORD, arguments, "arguments", 0, 0, 0, 0, truth)

#define CONFIG_START_KEYS(KEY)                                                                     \
    KEY(TEXT, function, "function", KEY_REQUIRED, 1, LIMIT_NAME_BYTES, 0, none)                    \
    KEY(JSON, arguments, "arguments", 0, 0, 0, 0, none)

#define CONFIG_METHODS_KEYS(KEY)                                                                   \
    KEY(TEXT, name, "name", KEY_REQUIRED, 1, GATEWAY_METHOD_BYTES - 1, 0, none)                    \
    KEY(TEXT, function, "function", 0, 1, LIMIT_NAME_BYTES, 0, none)                               \
    KEY(JSON, fixed, "fixed", 0, 0, 0, 0, none)                                                    \
    KEY(TEXT, result, "result", 0, 1, LIMIT_NAME_BYTES, 0, none)                                   \
    KEY(WORD, encoding, "encoding", 0, 0, 0, JSON_BASE64, encodings)                               \
    KEY(WORD, pinned, "session", 0, 0, 0, 0, sessions)                                             \
    KEY(WORD, tells_errno, "errno", 0, 0, 0, 0, truth)                                             \
    KEY(MS, deadline_ms, "deadline_ms", 0, 1, 24 * MS_HOUR, 0, none)

/* `leases` where nothing is said: as many as `workers` at level process, where there are leases at all. */
#define CONFIG_LEASES UINT32_MAX

/* ---- As libcyaml fills them -------------------------------------------------------------------- */

#define CONFIG_MEMBER_TEXT(member, extra) char *member;
#define CONFIG_MEMBER_JSON(member, extra) char *member;
#define CONFIG_MEMBER_TEXTS(member, extra)                                                         \
    char **member;                                                                                 \
    uint32_t member##_count;
#define CONFIG_MEMBER_COUNT(member, extra) uint64_t member;
#define CONFIG_MEMBER_BYTES(member, extra) uint64_t member;
#define CONFIG_MEMBER_MS(member, extra)    uint64_t member;
#define CONFIG_MEMBER_WORD(member, extra)  uint32_t member;
#define CONFIG_MEMBER_PART(member, extra)  struct config_##extra member;
#define CONFIG_MEMBER_PARTS(member, extra)                                                         \
    struct config_##extra *member;                                                                 \
    uint32_t member##_count;
#define CONFIG_MEMBER(kind, member, key, flags, least, most, initial, extra)                       \
    CONFIG_MEMBER_##kind(member, extra)

struct config_log {
    CONFIG_LOG_KEYS(CONFIG_MEMBER)
};
struct config_limits {
    CONFIG_LIMITS_KEYS(CONFIG_MEMBER)
};
struct config_cell_limits {
    CONFIG_CELL_LIMITS_KEYS(CONFIG_MEMBER)
};
struct config_breaker {
    CONFIG_BREAKER_KEYS(CONFIG_MEMBER)
};
struct config_recycle {
    CONFIG_RECYCLE_KEYS(CONFIG_MEMBER)
};
struct config_reports {
    CONFIG_REPORTS_KEYS(CONFIG_MEMBER)
};
struct config_start {
    CONFIG_START_KEYS(CONFIG_MEMBER)
};
struct config_methods {
    CONFIG_METHODS_KEYS(CONFIG_MEMBER)
};
struct config_cells {
    CONFIG_CELLS_KEYS(CONFIG_MEMBER)
};
struct config_root {
    CONFIG_ROOT_KEYS(CONFIG_MEMBER)
};

/* ---- As they are judged ------------------------------------------------------------------------ */

enum key_kind {
    KEY_KIND_TEXT,
    KEY_KIND_TEXTS,
    KEY_KIND_COUNT,
    KEY_KIND_BYTES,
    KEY_KIND_MS,
    KEY_KIND_WORD,
    KEY_KIND_JSON,
    KEY_KIND_PART,
    KEY_KIND_PARTS,
};

enum key_flag {
    KEY_REQUIRED = 1u << 0,
    KEY_NONE = 1u << 1,
};

struct config_key {
    const char *name; /* NULL ends a table */
    enum key_kind kind;
    uint32_t flags; /* enum key_flag */
    uint64_t least; /* number; bytes of a text; elements */
    uint64_t most;
    uint64_t initial;
    const char *const *words;      /* NULL-terminated; a word's number is its place */
    const struct config_key *part; /* its keys */
};

extern const struct config_key config_root_keys[];

/*
 * Have libcyaml fill @ret_root from @text, which is to be what config_judge() made. Returns 0, -ENOMEM; -EINVAL would
 * be a mistake of ours.
 */
int config_keys_load(const char *text, size_t length, struct config_root **ret_root);
/* NULL is fine. */
void config_keys_free(struct config_root *root);

#endif
