/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "gateway/config.h"
#include "gateway/config_keys.h"

static char folder[64]; /* of the test's own, with libz.cordon and broken.cordon */

/* ---- Bad files --------------------------------------------------------------------------------- */

/* A cell that nothing is wrong with; lines can follow. Four lines. */
#define CELL                                                                                       \
    "cells:\n"                                                                                     \
    "- name: z\n"                                                                                  \
    "  interface: libz.cordon\n"                                                                   \
    "  limits: {memory_bytes: 64MiB}\n"
#define UNLIMITED "cells:\n- name: z\n  interface: libz.cordon\n"
#define OFFER     "  functions: all\n"

struct expected {
    uint32_t line;
    uint32_t column;
    enum finding_severity severity;
    const char *field;
    const char *says; /* part of the sentence */
};

struct bad_file {
    const char *what;
    const char *text;
    struct expected expected[6]; /* ends with an empty one: all that there are */
};

#define E FINDING_ERROR
#define U FINDING_UNSAFE

static const struct bad_file bad_files[] = {
    /* No YAML, or more than there may be. */
    {"nothing", "", {{1, 1, E, "", "the file is empty"}}},
    {"a comment", "# cells\n", {{2, 1, E, "", "the file is empty"}}},
    {"a tab", "cells:\n\t- name: z\n", {{2, 1, E, "", "a tab"}}},
    {"an open bracket", "users: [a, b\ncells: 1\n", {{2, 6, E, "", "no YAML"}}},
    {"no UTF-8", "users: []\n# \xff\n", {{2, 3, E, "", "no UTF-8"}}},
    {"a control character", "users: [\"a\x01\"]\n", {{1, 11, E, "", "control"}}},
    {"an escaped control character",
     "users: [\"a\\x7f\"]\n" CELL OFFER,
     {{1, 9, E, "", "control character in this text: U+007F"}, {1, 9, E, "users[0]", "empty"}}},
    {"an escaped NUL", "socket: \"/a\\0b\"\n" CELL OFFER, {{1, 9, E, "", "NUL"}}},
    {"two documents", CELL OFFER "---\nusers: []\n", {{6, 1, E, "", "a second document"}}},
    {"an anchor", "users: &all []\n" CELL OFFER, {{1, 8, E, "", "anchors (&all)"}}},
    {"an alias",
     "users: &a [x]\ngroups: *a\n" CELL OFFER,
     {{1, 8, E, "", "anchors"},
      {1, 12, E, "users[0]", "no user 'x'"},
      {2, 9, E, "", "aliases (*a)"},
      {2, 9, E, "groups", "no value"}}},
    {"a tag", "socket: !!str 5\n" CELL OFFER, {{1, 9, E, "", "tags"}}},
    {"a key twice",
     CELL OFFER "  workers: 2\n  workers: 3\n",
     {{7, 3, E, "workers", "stands in line 6 already"}}},
    {"a list as a key", "[a]: 1\n" CELL OFFER, {{1, 1, E, "", "a key has to be a name"}}},
    {"deep nesting",
     "users: [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\n",
     {{1, 39, E, "", "nested too deeply"}}},

    /* No configuration. */
    {"a list", "- a\n", {{1, 1, E, "", "this is a list, it has to be a mapping"}}},
    {"no cells", "drain_ms: 5\n", {{1, 1, E, "cells", "missing"}}},
    {"an empty list of cells", "cells: []\n", {{1, 8, E, "cells", "empty"}}},
    {"a cell that is a text", "cells: [z]\n", {{1, 9, E, "cells[0]", "a mapping"}}},
    {"an unknown key",
     "drian_ms: 5\n" CELL OFFER,
     {{1, 1, E, "drian_ms", "did you mean 'drain_ms'?"}}},
    {"an unknown key without its unit",
     CELL OFFER "  deadline: 3s\n",
     {{6, 3, E, "cells[0].deadline", "did you mean 'deadline_ms'?"}}},
    {"an unknown key like no other",
     CELL OFFER "  breaker: {xyzzy: 3}\n",
     {{6, 13, E, "cells[0].breaker.xyzzy", "there are percent, function_percent"}}},
    {"several at once",
     "drain_ms: soon\nhttpd: x\n" CELL "  worker: 3\n  spares: 9\n" OFFER,
     {{1, 11, E, "drain_ms", "is not a number of milliseconds"},
      {2, 1, E, "httpd", "did you mean 'http'?"},
      {7, 3, E, "cells[0].worker", "did you mean 'workers'?"},
      {8, 11, E, "cells[0].spares", "0 to 8"}}},
    {"a key without a value", "socket:\n" CELL OFFER, {{1, 8, E, "socket", "no value"}}},
    {"a list for a text", "socket: [a]\n" CELL OFFER, {{1, 9, E, "socket", "this is a list"}}},
    {"a text for a list", "users: root\n" CELL OFFER, {{1, 8, E, "users", "has to be a list"}}},
    {"a list for a number",
     CELL OFFER "  workers:\n  - 1\n",
     {{7, 3, E, "cells[0].workers", "this is a list, it has to be a whole number"}}},
    {"bytes in millions",
     "limits: {frame_bytes: 16MB}\n" CELL OFFER,
     {{1, 23, E, "limits.frame_bytes", "like 65536, 512KiB"}}},
    {"an octal number",
     CELL OFFER "  workers: 010\n",
     {{6, 12, E, "cells[0].workers", "whole number"}}},
    {"a negative number",
     CELL OFFER "  workers: -1\n",
     {{6, 12, E, "cells[0].workers", "whole number"}}},
    {"a number beyond 64 bits",
     CELL OFFER "  deadline_ms: 99999999999999999999\n",
     {{6, 16, E, "cells[0].deadline_ms", "1ms to 24h"}}},
    {"a time that overflows",
     CELL OFFER "  deadline_ms: 9999999999999999h\n",
     {{6, 16, E, "cells[0].deadline_ms", "1ms to 24h"}}},
    {"no deadline",
     CELL OFFER "  deadline_ms: 0\n",
     {{6, 16, E, "cells[0].deadline_ms", "1ms to 24h"}}},
    {"a word that is none",
     CELL OFFER "  level: proces\n",
     {{6, 10, E, "cells[0].level", "did you mean 'process'?"}}},
    {"yes for true", CELL OFFER "  record: yes\n", {{6, 11, E, "cells[0].record", "false, true"}}},
    {"fixed as a text",
     CELL "  methods:\n  - {name: crc32, fixed: 5}\n",
     {{6, 26, E, "cells[0].methods[0].fixed", "has to be a mapping"}}},

    /* The daemon. */
    {"an unknown user",
     "users: [root, 4711, nobody-of-that-name]\n" CELL OFFER,
     {{1, 21, E, "users[2]", "no user 'nobody-of-that-name'"}}},
    {"an unknown group", "groups: [x y]\n" CELL OFFER, {{1, 10, E, "groups[0]", "no group"}}},
    {"an open address", "http: 0.0.0.0:80\n" CELL OFFER, {{1, 7, E, "http", "127.0.0.1:PORT"}}},
    {"no port", "http: 127.0.0.1:0\n" CELL OFFER, {{1, 7, E, "http", "127.0.0.1:PORT"}}},
    {"a long path",
     "socket: /aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
     "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n" CELL OFFER,
     {{1, 9, E, "socket", "at most 107"}}},

    /* Cells. */
    {"a name with a point",
     "cells:\n- name: a.b\n  interface: libz.cordon\n  limits: {memory_bytes: 1MiB}\n" OFFER,
     {{2, 9, E, "cells[0].name", "no name for a cell"}}},
    {"the daemon's name",
     "cells:\n- name: cordon\n  interface: libz.cordon\n  limits: {memory_bytes: 1MiB}\n" OFFER,
     {{2, 9, E, "cells[0].name", "the daemon's own"}}},
    {"a name twice",
     CELL OFFER "- name: z\n  interface_text: int abs(int j);\n  functions: all\n"
                "  limits: {memory_bytes: 1MiB}\n",
     {{6, 9, E, "cells[1].name", "cells[0] is called 'z' already"}}},
    {"no name",
     "cells:\n- interface: libz.cordon\n  limits: {memory_bytes: 1MiB}\n" OFFER,
     {{2, 3, E, "cells[0].name", "missing"}}},
    {"no interface",
     "cells:\n- name: z\n  limits: {memory_bytes: 1MiB}\n" OFFER,
     {{2, 3, E, "cells[0].interface", "no declarations"}}},
    {"two interfaces",
     CELL OFFER "  interface_text: int abs(int j);\n",
     {{3, 14, E, "cells[0].interface", "exclude each other"}}},
    {"a missing interface",
     "cells:\n- name: z\n  interface: missing.cordon\n  limits: {memory_bytes: 1MiB}\n" OFFER,
     {{3, 14, E, "cells[0].interface", "No such file"}}},
    {"a folder as an interface",
     "cells:\n- name: z\n  interface: .\n  limits: {memory_bytes: 1MiB}\n" OFFER,
     {{3, 14, E, "cells[0].interface", "directory"}}},
    {"a broken interface",
     "cells:\n- name: z\n  interface: broken.cordon\n  limits: {memory_bytes: 1MiB}\n" OFFER,
     {{2, 12, E, "cells[0].interface", "expected"}}},
    {"a broken text",
     "cells:\n- name: z\n  interface_text: |\n    int f(int x;\n"
     "  limits: {memory_bytes: 1MiB}\n" OFFER,
     {{3, 19, E, "cells[0].interface_text", "line 1, column 12 of it: expected"}}},
    {"no memory limit",
     "cells:\n- name: z\n  interface: libz.cordon\n" OFFER,
     {{2, 3, U, "cells[0].limits.memory_bytes", "no memory limit"}}},
    {"an unlimited memory",
     "cells:\n- name: z\n  interface: libz.cordon\n  limits:\n    memory_bytes: none\n" OFFER,
     {{5, 19, U, "cells[0].limits.memory_bytes", "'reason'"}}},
    {"a thread", UNLIMITED OFFER "  level: thread\n", {{5, 10, U, "cells[0].level", "'reason'"}}},
    {"inline", UNLIMITED OFFER "  level: inline\n", {{5, 10, U, "cells[0].level", "'reason'"}}},
    {"a thread's limits and policy",
     CELL OFFER "  level: thread\n  reason: it is small\n  policy: strict\n",
     {{4, 26, E, "cells[0].limits.memory_bytes", "level process only"},
      {8, 11, E, "cells[0].policy", "level process only"}}},
    {"leases of a thread",
     UNLIMITED OFFER "  level: thread\n  reason: it is small\n  leases: 2\n",
     {{7, 11, E, "cells[0].leases", "level process"}}},
    {"a recording without reports",
     CELL OFFER "  record: true\n  reports: {directory: none}\n",
     {{6, 11, E, "cells[0].record", "makes none"}}},
    {"a cell that offers nothing", CELL, {{2, 3, E, "cells[0].functions", "offers nothing"}}},

    /* Policies. */
    {"trusted", CELL OFFER "  policy: trusted\n", {{6, 11, U, "cells[0].policy", "'reason'"}}},
    {"everything",
     CELL OFFER "  grants: [everything]\n",
     {{6, 3, U, "cells[0].grants", "'reason'"}}},
    {"files and network",
     CELL OFFER "  policy: network\n  grants: [\"read:/\", \"write:/\"]\n",
     {{7, 3, U, "cells[0].grants", "all files and the network"}}},
    {"a preset that is none",
     CELL OFFER "  policy: strickt\n",
     {{6, 11, E, "cells[0].policy", "did you mean 'strict'?"}}},
    {"grants that are none",
     CELL OFFER "  policy: strict red:/x iconv\n  grants: [\"read:x\", udp, \"connect:0\"]\n",
     {{6, 11, E, "cells[0].policy", "did you mean 'read:PATH'?"},
      {7, 12, E, "cells[0].grants[0]", "must be absolute"},
      {7, 27, E, "cells[0].grants[2]", "a port is 1 to 65535"}}},
    {"requirements that are none",
     CELL OFFER "  require: [landlock, no-network, no-write]\n",
     {{6, 35, E, "cells[0].require[2]", "did you mean 'no-writes'?"}}},

    /* Methods. */
    {"a method without a name",
     CELL "  methods:\n  - function: crc32\n",
     {{6, 5, E, "cells[0].methods[0].name", "missing"}}},
    {"a method with a point",
     CELL "  methods:\n  - {name: a.b, function: crc32}\n",
     {{6, 12, E, "cells[0].methods[0].name", "no name for a method"}}},
    {"opening calls that cannot be",
     CELL OFFER "  on_start:\n  - {function: crc23}\n  - {function: crc32, arguments: {crc: 0}}\n"
                "  - {function: crc32, arguments: {crc: 0, buf: a, x: 1}}\n  - arguments: {}\n",
     {{7, 16, E, "cells[0].on_start[0].function", "did you mean 'crc32'?"},
      {8, 23, E, "cells[0].on_start[1].arguments", "buf"},
      {9, 23, E, "cells[0].on_start[2].arguments", "'x'"},
      {10, 5, E, "cells[0].on_start[3].function", "missing"}}},
    {"an opening call with handles",
     "cells:\n- name: z\n  limits: {memory_bytes: 1MiB}\n  functions: all\n"
     "  interface_text: struct db; struct db *make(void); int abs(int j);\n"
     "  on_start: [{function: make}]\n",
     {{6, 25, E, "cells[0].on_start[0].function", "belong to one worker"}}},
    {"a broken interface among others",
     "cells:\n- name: z\n  interface: broken.cordon\n" OFFER "  workers: 0\n",
     {{2, 3, U, "cells[0].limits.memory_bytes", "no memory limit"},
      {5, 12, E, "cells[0].workers", "1 to 256"},
      {2, 12, E, "cells[0].interface", "expected"}}},
    {"a function that is not declared",
     CELL "  methods:\n  - {name: a, function: crc23}\n  - {name: crc33}\n",
     {{6, 25, E, "cells[0].methods[0].function", "did you mean 'crc32'?"},
      {7, 12, E, "cells[0].methods[1].name", "did you mean 'crc32'?"}}},
    {"a fixed argument that is no parameter",
     CELL "  methods:\n  - {name: crc32, fixed: {crk: 0}}\n",
     {{6, 19, E, "cells[0].methods[0].fixed", "'crk' is no parameter"}}},
    {"a fixed argument that does not fit",
     CELL "  methods:\n  - name: crc32\n    fixed:\n      crc: -1\n",
     {{7, 5, E, "cells[0].methods[0].fixed", "does not fit"}}},
    {"a result that does not come back",
     CELL "  methods:\n  - {name: crc32, result: buf}\n",
     {{6, 27, E, "cells[0].methods[0].result", "what does: return"}}},
    {"an encoding of a number",
     CELL "  methods:\n  - {name: crc32, encoding: hex}\n",
     {{6, 29, E, "cells[0].methods[0].encoding", "for bytes"}}},
    {"an encoding of another output",
     CELL "  methods:\n  - {name: compress, result: return, encoding: hex}\n",
     {{6, 48, E, "cells[0].methods[0].encoding", "for bytes"}}},
    {"a method twice in a cell",
     CELL "  methods:\n  - {name: a, function: crc32}\n  - {name: a, function: compress}\n",
     {{7, 12, E, "cells[0].methods[1].name", "this cell offers a method 'a' already"}}},
    {"a method twice in two cells",
     CELL OFFER "- name: y\n  interface: libz.cordon\n  limits: {memory_bytes: 1MiB}\n"
                "  methods: [{name: crc32}]\n",
     {{9, 20, E, "cells[1].methods[0].name", "the cell 'z' offers a method 'crc32' already"}}},
    {"all functions twice",
     CELL "  methods: [{name: crc32}]\n"
          "- name: y\n  interface_text: int abs(int crc32); unsigned long crc32(int x);\n"
          "  limits: {memory_bytes: 1MiB}\n  functions: all\n",
     {{9, 14, E, "cells[1].functions", "the cell 'z' offers a method 'crc32' already"}}},
};

static void print_all(const struct findings *findings)
{
    struct message line;
    for (size_t i = 0; i < findings->count; i++) {
        finding_print(&findings->list[i], &line);
        print_message("    %s\n", line.text);
    }
}

static size_t count_expected(const struct bad_file *file)
{
    size_t count = 0;
    while (count < 6 && file->expected[count].says) {
        count++;
    }
    return count;
}

static bool is_expected(const struct finding *finding, const struct expected *expected)
{
    return finding->line == expected->line && finding->column == expected->column &&
           finding->severity == expected->severity &&
           strcmp(finding->field, expected->field) == 0 &&
           strstr(finding->sentence, expected->says);
}

static void test_every_finding_is_told_with_its_place(void **state)
{
    size_t wrong = 0;
    (void)state;
    for (size_t i = 0; i < sizeof bad_files / sizeof bad_files[0]; i++) {
        const struct bad_file *file = &bad_files[i];
        struct settings settings = {0};
        struct findings findings = {0};
        int r =
            config_read("bad.yaml", folder, file->text, strlen(file->text), &settings, &findings);
        bool as_expected = r == -EINVAL && findings.count == count_expected(file);
        for (size_t k = 0; as_expected && k < findings.count; k++) {
            as_expected = is_expected(&findings.list[k], &file->expected[k]);
        }
        if (!as_expected) {
            print_message("%s: %d\n", file->what, r);
            print_all(&findings);
            wrong++;
        }
        assert_null(settings.cells);
        findings_deinit(&findings);
    }
    assert_int_equal(wrong, 0);
}

/* ---- Good files -------------------------------------------------------------------------------- */

static void read_good(const char *text, struct settings *settings)
{
    struct findings findings = {0};
    int r = config_read("good.yaml", folder, text, strlen(text), settings, &findings);
    if (r != 0) {
        print_all(&findings);
    }
    assert_int_equal(r, 0);
    findings_deinit(&findings);
}

static void test_what_is_left_out_has_its_default(void **state)
{
    struct settings settings = {0};
    struct gateway_limits limits = GATEWAY_LIMITS;
    (void)state;
    read_good(CELL OFFER, &settings);
    assert_null(settings.socket);
    assert_null(settings.http);
    assert_int_equal(settings.drain_ms, GATEWAY_DRAIN_MS);
    assert_int_equal(settings.log_level, LOG_LEVEL_DEFAULT);
    assert_memory_equal(&settings.limits, &limits, sizeof limits);
    assert_int_equal(settings.cell_count, 1);
    const struct cell_settings *cell = &settings.cells[0];
    assert_string_equal(cell->name, "z");
    assert_true(cell->every_function);
    assert_int_equal(cell->workers, 5);
    assert_int_equal(cell->client_sessions, 64);
    assert_int_equal(cell->leases, 5);
    assert_int_equal(cell->options.memory_bytes, 64u << 20);
    assert_int_equal(cell->options.deadline_ms, 3000);
    assert_int_equal(cell->options.spares, 1);
    assert_int_equal(cell->options.policy, CORDON_POLICY_STRICT);
    assert_int_equal(cell->options.recycle_calls, 0);
    assert_int_equal(cell->options.recycle_bytes, 512u << 20);
    assert_null(cell->options.library);
    assert_null(cell->options.reports);
    assert_non_null(strstr(cell->options.interface_text, "crc32"));
    settings_deinit(&settings);
}

static const char full[] =
    "socket: run/s\nusers: [0, root]\ngroups: [0]\nhttp: '[::1]:99'\ndrain_ms: 2min\n"
    "log: {level: debug, format: json}\nlimits: {frame_bytes: 1 MiB, clients: 7}\n"
    "cells:\n"
    "- name: z\n  interface: libz.cordon\n  library: ./mine.so\n  level: process\n"
    "  policy: 'network: iconv'\n  grants: ['read:/usr/share', 'env:A=b c']\n"
    "  on_violation: kill\n  require: [landlock, no-writes]\n  reason: because\n"
    "  limits: {memory_bytes: none, cpu_ms: 1h, file_bytes: 1KiB, fds: 32, threads: 2, call_bytes: "
    "1MiB}\n"
    "  workers: 3\n  sessions: 2\n  leases: 0\n  lease_idle_ms: 1s\n  spares: 0\n  queue: 9\n"
    "  on_start: [{function: crc32, arguments: {crc: 0, buf: [1, 2]}}, {function: zlibVersion}]\n"
    "  deadline_ms: 250\n  start_ms: 4s\n"
    "  breaker: {percent: none, function_percent: 10, samples: 5, window_ms: 1s, cool_down_ms: 2s, "
    "probes: 1}\n"
    "  recycle: {calls: 10, age_ms: 1h, resident_bytes: none}\n"
    "  record: true\n  record_bytes: 1MiB\n"
    "  reports: {directory: /r, files: 3, bytes: 1MiB, arguments: true}\n"
    "  methods:\n"
    "  - {name: c, function: compress, fixed: {destLen: 12}, result: dest, encoding: text,\n"
    "     session: client, errno: true, deadline_ms: 7}\n";

static void test_every_key_reaches_the_settings(void **state)
{
    struct settings settings = {0};
    char path[128];
    (void)state;
    read_good(full, &settings);
    snprintf(path, sizeof path, "%s/run/s", folder);
    assert_string_equal(settings.socket, path);
    assert_int_equal(settings.user_count, 2);
    assert_int_equal(settings.users[1], 0);
    assert_int_equal(settings.group_count, 1);
    assert_string_equal(settings.http, "[::1]:99");
    assert_int_equal(settings.drain_ms, 120000);
    assert_int_equal(settings.log_level, LOG_DEBUG);
    assert_int_equal(settings.log_form, LOG_JSON);
    assert_int_equal(settings.limits.frame_bytes, 1u << 20);
    assert_int_equal(settings.limits.clients, 7);
    const struct cell_settings *cell = &settings.cells[0];
    const struct cordon_cell_options *options = &cell->options;
    snprintf(path, sizeof path, "%s/./mine.so", folder);
    assert_string_equal(options->library, path);
    assert_int_equal(options->policy, CORDON_POLICY_NETWORK);
    assert_string_equal(options->grants[0], "iconv");
    assert_string_equal(options->grants[1], "read:/usr/share");
    assert_string_equal(options->grants[2], "env:A=b c");
    assert_null(options->grants[3]);
    assert_int_equal(options->on_violation, CORDON_KILL);
    assert_int_equal(options->require_mechanisms, CORDON_LANDLOCK);
    assert_int_equal(options->require, CORDON_NO_WRITES);
    assert_string_equal(cell->reason, "because");
    assert_true(options->memory_bytes == UINT64_MAX);
    assert_int_equal(options->cpu_ms, 3600000);
    assert_int_equal(options->file_bytes, 1024);
    assert_int_equal(options->fds, 32);
    assert_int_equal(options->threads, 2);
    assert_int_equal(options->call_bytes, 1u << 20);
    assert_int_equal(cell->workers, 3);
    assert_int_equal(cell->client_sessions, 2);
    assert_int_equal(cell->leases, 0);
    assert_int_equal(cell->lease_idle_ms, 1000);
    assert_int_equal(options->spares, CORDON_NONE);
    assert_int_equal(cell->queue, 9);
    assert_int_equal(options->deadline_ms, 250);
    assert_int_equal(options->start_ms, 4000);
    assert_int_equal(options->breaker_percent, CORDON_NONE);
    assert_int_equal(options->function_breaker_percent, 10);
    assert_int_equal(options->breaker_samples, 5);
    assert_int_equal(options->breaker_window_ms, 1000);
    assert_int_equal(options->breaker_cool_down_ms, 2000);
    assert_int_equal(options->breaker_probes, 1);
    assert_int_equal(options->recycle_calls, 10);
    assert_int_equal(options->recycle_ms, 3600000);
    assert_true(options->recycle_bytes == UINT64_MAX);
    assert_true(options->record);
    assert_int_equal(options->record_bytes, 1u << 20);
    assert_string_equal(options->reports, "/r");
    assert_int_equal(options->reports_max, 3);
    assert_int_equal(options->reports_bytes_max, 1u << 20);
    assert_true(options->report_bytes);
    assert_int_equal(cell->start_count, 2);
    assert_string_equal(cell->starts[0].arguments, "{\"crc\":0,\"buf\":[1,2]}");
    assert_string_equal(cell->starts[1].function, "zlibVersion");
    assert_null(cell->starts[1].arguments);
    assert_false(cell->every_function);
    assert_int_equal(cell->method_count, 1);
    const struct method_settings *method = &cell->methods[0];
    assert_string_equal(method->name, "c");
    assert_string_equal(method->function, "compress");
    assert_string_equal(method->fixed, "{\"destLen\":12}");
    assert_string_equal(method->result, "dest");
    assert_int_equal(method->encoding, JSON_TEXT);
    assert_true(method->pinned);
    assert_true(method->tells_errno);
    assert_int_equal(method->deadline_ms, 7);
    settings_deinit(&settings);
}

static void test_fixed_arguments_keep_their_kinds(void **state)
{
    struct settings settings = {0};
    (void)state;
    read_good("cells:\n- name: z\n  limits: {memory_bytes: 1MiB}\n"
              "  interface_text: |\n"
              "    int f(const char *s, const char *t, int64_t i, uint64_t u, double d, bool b,\n"
              "          const int a[n], int n, nullable const char *p);\n"
              "  methods:\n"
              "  - name: f\n"
              "    fixed:\n"
              "      s: plain text, with {\"quotes\"}\n"
              "      t: \"12\\n\"\n"
              "      i: -9223372036854775808\n"
              "      u: 18446744073709551615\n"
              "      d: 1.5e3\n"
              "      b: true\n"
              "      a: [1, 2]\n"
              "      p: null\n",
              &settings);
    assert_string_equal(settings.cells[0].methods[0].fixed,
                        "{\"s\":\"plain text, with {\\\"quotes\\\"}\",\"t\":\"12\\n\","
                        "\"i\":-9223372036854775808,\"u\":18446744073709551615,\"d\":1500.0,"
                        "\"b\":true,\"a\":[1,2],\"p\":null}");
    settings_deinit(&settings);
}

static void test_cells_are_equal_until_something_differs(void **state)
{
    static const char *const others[] = {
        CELL OFFER "  workers: 4\n",
        CELL OFFER "  grants: [iconv]\n",
        CELL OFFER "  methods: [{name: c, function: crc32}]\n",
        CELL "  methods: [{name: crc32}]\n",
        CELL OFFER "  queue: 5\n",
        CELL OFFER "  on_start: [{function: zlibVersion}]\n",
        CELL OFFER "  reports: {directory: none}\n",
    };
    struct settings one = {0};
    struct settings two = {0};
    (void)state;
    read_good(CELL OFFER, &one);
    read_good("# the same\ndrain_ms: 1\n" CELL OFFER "  workers: 5\n  reason: text\n", &two);
    assert_true(cell_settings_equal(&one.cells[0], &two.cells[0]));
    settings_deinit(&two);
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        read_good(others[i], &two);
        assert_false(cell_settings_equal(&one.cells[0], &two.cells[0]));
        settings_deinit(&two);
    }
    settings_deinit(&one);
}

/* ---- Files ------------------------------------------------------------------------------------- */

static void write_file(const char *name, const char *text, size_t length, mode_t mode)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, length), (ssize_t)length);
    assert_int_equal(fchmod(fd, mode), 0);
    assert_int_equal(close(fd), 0);
}

/* Returns what config_load() does; @field and @says of the first finding. */
static int load(const char *name, char *field, char *says)
{
    char path[128];
    struct settings settings = {0};
    struct findings findings = {0};
    snprintf(path, sizeof path, "%s/%s", folder, name);
    int r = config_load(path, &settings, &findings);
    field[0] = says[0] = '\0';
    if (findings.count > 0) {
        snprintf(field, 64, "%s", findings.list[0].field);
        snprintf(says, 256, "%s", findings.list[0].sentence);
    }
    settings_deinit(&settings);
    findings_deinit(&findings);
    return r;
}

static void test_files_that_others_may_write_are_unsafe(void **state)
{
    static const char text[] = CELL OFFER;
    char field[64];
    char says[256];
    (void)state;
    write_file("mine.yaml", text, strlen(text), 0644);
    assert_int_equal(load("mine.yaml", field, says), 0);
    write_file("mine.yaml", text, strlen(text), 0646);
    assert_int_equal(load("mine.yaml", field, says), -EINVAL);
    assert_non_null(strstr(says, "everybody may write the configuration"));
    write_file("mine.yaml", text, strlen(text), 0644);
    write_file("libz.cordon", "int abs(int j);\n", 16, 0666);
    assert_int_equal(load("mine.yaml", field, says), -EINVAL);
    assert_string_equal(field, "cells[0].interface");
    assert_non_null(strstr(says, "everybody may write the interface"));
    assert_int_equal(chmod(folder, 0777), 0);
    write_file("libz.cordon", "int abs(int j);\n", 16, 0644);
    assert_int_equal(load("mine.yaml", field, says), -EINVAL);
    assert_non_null(strstr(says, "everybody may write the folder"));
    assert_int_equal(chmod(folder, 0700), 0);
    assert_int_equal(load("mine.yaml", field, says), 0);
}

static void test_a_folder_that_all_may_write_is_no_place_for_a_socket(void **state)
{
    char field[64];
    char says[256];
    char path[128];
    static const char text[] = "socket: open/s\n" CELL OFFER;
    (void)state;
    snprintf(path, sizeof path, "%s/open", folder);
    assert_int_equal(mkdir(path, 0700), 0);
    write_file("s.yaml", text, strlen(text), 0600);
    assert_int_equal(load("s.yaml", field, says), 0);
    assert_int_equal(chmod(path, 0777), 0);
    assert_int_equal(load("s.yaml", field, says), -EINVAL);
    assert_string_equal(field, "socket");
    assert_non_null(strstr(says, "replace the socket"));
    assert_int_equal(chmod(path, 01777), 0); /* as /tmp is: a note */
    assert_int_equal(load("s.yaml", field, says), 0);
    assert_string_equal(field, "socket");
}

static void test_files_have_bounds(void **state)
{
    char field[64];
    char says[256];
    size_t length = 10u << 20;
    char *text = malloc(length);
    (void)state;
    assert_non_null(text);
    memset(text, ' ', length);
    write_file("large.yaml", text, length, 0600);
    assert_int_equal(load("large.yaml", field, says), -EFBIG);
    assert_non_null(strstr(says, "larger than 1048576 bytes"));
    write_file("nul.yaml", "cells\0:", 7, 0600);
    assert_int_equal(load("nul.yaml", field, says), -EINVAL);
    assert_non_null(strstr(says, "NUL"));
    assert_int_equal(load("missing.yaml", field, says), -ENOENT);
    assert_non_null(strstr(says, "cannot read the configuration"));
    assert_int_equal(load(".", field, says), -EISDIR);
    memset(text, '[', 1u << 20);
    write_file("deep.yaml", text, 1u << 20, 0600);
    assert_int_equal(load("deep.yaml", field, says), -EINVAL);
    for (size_t i = 0; i < 1u << 20; i += 2) {
        text[i] = '-';
        text[i + 1] = '\n';
    }
    write_file("many.yaml", text, 1u << 20, 0600);
    assert_int_equal(load("many.yaml", field, says), -EINVAL);
    assert_non_null(strstr(says, "too many values"));
    free(text);
}

/* ---- The manual -------------------------------------------------------------------------------- */

static size_t missing_from(const char *manual, const struct config_key *keys)
{
    size_t missing = 0;
    for (const struct config_key *key = keys; key->name; key++) {
        char name[80];
        snprintf(name, sizeof name, "*%s*", key->name);
        if (!strstr(manual, name)) {
            print_message("cordon-yaml(5) does not say what '%s' is\n", key->name);
            missing++;
        }
        missing += key->part ? missing_from(manual, key->part) : 0;
    }
    return missing;
}

static void test_the_manual_has_every_key(void **state)
{
    char manual[64 << 10];
    (void)state;
    FILE *file = fopen(MANUAL, "re");
    assert_non_null(file);
    size_t length = fread(manual, 1, sizeof manual - 1, file);
    manual[length] = '\0';
    assert_int_equal(fclose(file), 0);
    assert_int_equal(missing_from(manual, config_root_keys), 0);
}

static int make_folder(void **state)
{
    static const char libz[] =
        "library \"libz.so.1\";\n"
        "const char *zlibVersion(void);\n"
        "unsigned long crc32(unsigned long crc, const uint8_t buf[len], unsigned int len);\n"
        "int compress(out uint8_t dest[*destLen], inout unsigned long *destLen,\n"
        "             const uint8_t source[sourceLen], unsigned long sourceLen);\n";
    static const char broken[] = "library \"libz.so.1\";\nint f(int x;\n";
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/cordon-config-XXXXXX");
    if (!mkdtemp(folder)) {
        return -1;
    }
    write_file("libz.cordon", libz, strlen(libz), 0644);
    write_file("broken.cordon", broken, strlen(broken), 0644);
    return 0;
}

static int remove_folder(void **state)
{
    char command[128];
    (void)state;
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    return system(command);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_every_finding_is_told_with_its_place, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(test_what_is_left_out_has_its_default, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(test_every_key_reaches_the_settings, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(test_fixed_arguments_keep_their_kinds, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(test_cells_are_equal_until_something_differs, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(test_files_that_others_may_write_are_unsafe, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(test_a_folder_that_all_may_write_is_no_place_for_a_socket,
                                        make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(test_files_have_bounds, make_folder, remove_folder),
        cmocka_unit_test(test_the_manual_has_every_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
