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

#include "config/config.h"
#include "config/keys.h"
#include "config/test_folder.h"

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
    "  workers: 3\n  sessions: 2\n  leases: 0\n  lease_idle_ms: 1s\n  arena_bytes: 1MiB\n  spares: "
    "0\n  queue: 9\n"
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

static void check_daemon(const struct settings *settings)
{
    char path[128];
    snprintf(path, sizeof path, "%s/run/s", folder);
    assert_string_equal(settings->socket, path);
    assert_int_equal(settings->user_count, 2);
    assert_int_equal(settings->users[1], 0);
    assert_int_equal(settings->group_count, 1);
    assert_string_equal(settings->http, "[::1]:99");
    assert_int_equal(settings->drain_ms, 120000);
    assert_int_equal(settings->log_level, LOG_DEBUG);
    assert_int_equal(settings->log_form, LOG_JSON);
    assert_int_equal(settings->limits.frame_bytes, 1u << 20);
    assert_int_equal(settings->limits.clients, 7);
}

static void check_policy(const struct cell_settings *cell)
{
    const struct cordon_cell_options *options = &cell->options;
    char path[128];
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
}

static void check_numbers(const struct cell_settings *cell)
{
    const struct cordon_cell_options *options = &cell->options;
    assert_true(options->memory_bytes == UINT64_MAX);
    assert_int_equal(options->cpu_ms, 3600000);
    assert_int_equal(options->file_bytes, 1024);
    assert_int_equal(options->fds, 32);
    assert_int_equal(options->threads, 2);
    assert_int_equal(options->call_bytes, 1u << 20);
    assert_int_equal(options->arena_bytes, 1u << 20);
    assert_int_equal(options->spares, CORDON_NONE);
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
}

static void check_sharing(const struct cell_settings *cell)
{
    assert_int_equal(cell->workers, 3);
    assert_int_equal(cell->client_sessions, 2);
    assert_int_equal(cell->leases, 0);
    assert_int_equal(cell->lease_idle_ms, 1000);
    assert_int_equal(cell->queue, 9);
}

static void check_methods(const struct cell_settings *cell)
{
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
}

static void test_every_key_reaches_the_settings(void **state)
{
    struct settings settings = {0};
    (void)state;
    read_good(full, &settings);
    check_daemon(&settings);
    check_policy(&settings.cells[0]);
    check_numbers(&settings.cells[0]);
    check_sharing(&settings.cells[0]);
    check_methods(&settings.cells[0]);
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

static void test_nor_is_one_in_such_a_folder_or_behind_a_link_to_it(void **state)
{
    static const char inside[] = "socket: wide/inner/s\n" CELL OFFER;
    static const char linked[] = "socket: link/s\n" CELL OFFER;
    char field[64];
    char says[256];
    char path[128];
    char link[128];
    (void)state;
    snprintf(path, sizeof path, "%s/wide", folder);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_int_equal(chmod(path, 0777), 0);
    snprintf(path, sizeof path, "%s/wide/inner", folder);
    assert_int_equal(mkdir(path, 0700), 0);
    snprintf(link, sizeof link, "%s/link", folder);
    assert_int_equal(symlink(path, link), 0);
    write_file("s.yaml", inside, strlen(inside), 0600);
    assert_int_equal(load("s.yaml", field, says), -EINVAL);
    assert_non_null(strstr(says, "/wide, and so replace the socket"));
    write_file("s.yaml", linked, strlen(linked), 0600);
    assert_int_equal(load("s.yaml", field, says), -EINVAL);
    assert_non_null(strstr(says, "/wide, and so replace the socket"));
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

/* One line for each of @count keys that are none. */
static char *unknown_keys(size_t count)
{
    char *text = malloc(count * 16 + 1);
    size_t length = 0;
    assert_non_null(text);
    for (size_t i = 0; i < count; i++) {
        length += (size_t)sprintf(text + length, "xyzzy%zu: 1\n", i);
    }
    return text;
}

static void test_mappings_and_findings_have_bounds(void **state)
{
    struct settings settings = {0};
    struct findings findings = {0};
    char *text = unknown_keys(1025);
    (void)state;
    assert_int_equal(config_read("x", folder, text, strlen(text), &settings, &findings), -EINVAL);
    assert_int_equal(findings.count, 1);
    assert_int_equal(findings.list[0].line, 1025);
    assert_non_null(strstr(findings.list[0].sentence, "too many keys"));
    findings_deinit(&findings);
    free(text);
    text = unknown_keys(1000);
    assert_int_equal(config_read("x", folder, text, strlen(text), &settings, &findings), -EINVAL);
    assert_int_equal(findings.count, FINDINGS_MAX);
    assert_int_equal(findings.dropped, 1000 + 1 - FINDINGS_MAX); /* there are no cells, too */
    assert_int_equal(findings.refusals, 1001);
    findings_deinit(&findings);
    free(text);
}

static void test_an_error_takes_the_place_of_a_note(void **state)
{
    struct findings findings = {0};
    (void)state;
    for (uint32_t i = 0; i < FINDINGS_MAX; i++) {
        findings_add(&findings, i == 7 ? FINDING_NOTE : FINDING_ERROR, "f", i + 1, 1, "", "x");
    }
    findings_add(&findings, FINDING_NOTE, "f", 999, 1, "", "a note more");
    assert_int_equal(findings.list[7].severity, FINDING_NOTE);
    findings_add(&findings, FINDING_UNSAFE, "f", 1000, 1, "a.b", "%s", "one\nmore\x1b[2J");
    assert_int_equal(findings.list[7].line, 1000);
    assert_string_equal(findings.list[7].sentence, "one more?[2J");
    assert_int_equal(findings.count, FINDINGS_MAX);
    assert_int_equal(findings.dropped, 2);
    assert_int_equal(findings.refusals, FINDINGS_MAX);
    findings_sort(&findings);
    assert_int_equal(findings.list[FINDINGS_MAX - 1].line, 1000);
    struct message line;
    finding_print(&findings.list[FINDINGS_MAX - 1], &line);
    assert_string_equal(line.text, "f:1000:1: unsafe: a.b: one more?[2J");
    findings_deinit(&findings);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
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
        cmocka_unit_test_setup_teardown(test_nor_is_one_in_such_a_folder_or_behind_a_link_to_it,
                                        make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(test_files_have_bounds, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(test_mappings_and_findings_have_bounds, make_folder,
                                        remove_folder),
        cmocka_unit_test(test_an_error_takes_the_place_of_a_note),
        cmocka_unit_test(test_the_manual_has_every_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
