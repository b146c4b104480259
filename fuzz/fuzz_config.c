/* SPDX-License-Identifier: Apache-2.0 */
/* Aims at config_read(): tree_read(), config_judge(), config_keys_load() and what settings are made of. */
#include <assert.h>
#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "config/config.h"

/* The input is the configuration's text. Relative paths lead nowhere. */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t lines_of(const uint8_t *data, size_t size)
{
    size_t lines = 1;
    for (size_t i = 0; i < size; i++) {
        /* What YAML takes as a line's end, NEL, LS and PS among it, and one more for each part of them. */
        lines += data[i] == '\n' || data[i] == '\r' || data[i] >= 0x80;
    }
    return lines;
}

static void check_findings(const struct findings *findings, const uint8_t *data, size_t size)
{
    size_t lines = lines_of(data, size);
    size_t refusals = 0;
    struct message line;
    for (size_t i = 0; i < findings->count; i++) {
        const struct finding *finding = &findings->list[i];
        bool elsewhere = strcmp(finding->file, "fuzz.yaml") != 0; /* in an interface */
        finding_print(finding, &line);
        assert(elsewhere || finding->line <= lines + 1);
        assert(finding->sentence[0] && line.text[0]);
        /* The one finding about the file as a whole that a text can have says: a mistake in Cordon. */
        assert(elsewhere || finding->line > 0);
        refusals += finding->severity != FINDING_NOTE;
    }
    assert(findings->count <= FINDINGS_MAX && refusals <= findings->refusals);
}

static void check_settings(const struct settings *settings)
{
    assert(settings->cell_count > 0);
    for (size_t i = 0; i < settings->cell_count; i++) {
        const struct cell_settings *cell = &settings->cells[i];
        assert(cell->name[0] && cell->options.interface_text && cell->options.interface_name);
        assert(cell->workers > 0 && cell->options.deadline_ms > 0 &&
               cell->options.memory_bytes > 0);
        assert(cell->every_function || cell->method_count > 0);
        assert(cell_settings_equal(cell, cell));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct settings settings = {0};
    struct findings findings = {0};
    int r = config_read("fuzz.yaml", "/nowhere", (const char *)data, size, &settings, &findings);
    check_findings(&findings, data, size);
    if (r == 0) {
        assert(!findings_refuse(&findings));
        check_settings(&settings);
    } else {
        assert(r == -EINVAL && findings_refuse(&findings) && settings.cell_count == 0);
    }
    settings_deinit(&settings);
    findings_deinit(&findings);
    return 0;
}
