/* SPDX-License-Identifier: Apache-2.0 */
/* Bad files, and all that is to be found in each, with its place. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "config/config.h"
#include "config/test_folder.h"

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
    {"a reason of blanks",
     UNLIMITED OFFER "  level: thread\n  reason: '  '\n",
     {{5, 10, U, "cells[0].level", "'reason'"}, {6, 11, E, "cells[0].reason", "empty"}}},
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_every_finding_is_told_with_its_place, make_folder,
                                        remove_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
