/* SPDX-License-Identifier: Apache-2.0 */

/* The table as a page for people, and as the expectation that it is compared with. */
#include "table.h"

#include <string.h>

#define LINE_BYTES 512

static const char *const class_names[] = {
    [TABLE_CONTAINED] = "contained",
    [TABLE_DETECTED] = "detected",
    [TABLE_NOT_CONTAINED] = "not-contained",
    [TABLE_SKIPPED] = "skipped",
};

static const char *const class_words[] = {
    [TABLE_CONTAINED] = "contained",
    [TABLE_DETECTED] = "detected",
    [TABLE_NOT_CONTAINED] = "**not contained**",
    [TABLE_SKIPPED] = "not tried",
};

const char *table_class_name(enum table_class class)
{
    return class_names[class];
}

/* ---- The page ---------------------------------------------------------------------------------- */

/* "contained: crashed (SIGSEGV)"; an outcome that is chance is not told. */
static void cell_text(const struct table_entry *entry, char *text, size_t size)
{
    bool told = entry->outcome[0] && strcmp(entry->outcome, "any") != 0;
    (void)snprintf(text, size, "%s%s%s", class_words[entry->class], told ? ": " : "",
                   told ? entry->outcome : "");
}

/* Up to the column of the recovery: what does not depend on how fast a machine is. */
static void row_text(const struct table_fault *fault,
                     const struct table_entry entries[TABLE_LEVELS], char *text, size_t size)
{
    char cells[TABLE_LEVELS][128];
    for (int level = 0; level < TABLE_LEVELS; level++) {
        cell_text(&entries[level], cells[level], sizeof cells[level]);
    }
    (void)snprintf(text, size, "| %s | %s | %s | %s |", fault->what, cells[0], cells[1], cells[2]);
}

static const char page_head[] =
    "# Containment\n"
    "\n"
    "What each level does about each fault: written by `test/containment/table --write` from what "
    "it\n"
    "measured, and compared with a fresh run by the tests. The faults are in `test/faults/`.\n"
    "\n"
    "- **contained**: the host is unharmed - its memory, descriptors, threads, signal actions, "
    "limits,\n"
    "  children and output are as they were, no file, connection or process was made - and the "
    "same cell\n"
    "  answers the next good call, rightly.\n"
    "- **detected**: the outcome told of it, but harm is possible: the cell refuses calls until it "
    "is opened\n"
    "  anew, or a thread had to be left behind.\n"
    "- **not contained**: harm was done, or the host is gone.\n"
    "\n"
    "Behind the class stands how the call ended; where that is chance, nothing stands there. The "
    "last column is\n"
    "the time at level `process` from that end to the next good answer in the same cell, rounded "
    "up to 100 ms,\n"
    "1 s or 10 s. Measured on a kernel that has every mechanism of `cordon doctor`, with policy "
    "`strict` unless\n"
    "the fault says otherwise. Faults that would bring a machine down are bounded; where a level "
    "does not hold\n"
    "them, a host of the test's own is sacrificed.\n"
    "\n"
    "| fault | process | thread | inline | next answer |\n"
    "|---|---|---|---|---|\n";

void table_write_page(FILE *page, struct table_entry (*rows)[TABLE_LEVELS])
{
    char text[LINE_BYTES];
    (void)fputs(page_head, page);
    for (size_t i = 0; i < table_fault_count; i++) {
        row_text(&table_faults[i], rows[i], text, sizeof text);
        (void)fprintf(page, "%s %s |\n", text, rows[i][0].recovery[0] ? rows[i][0].recovery : "-");
    }
}

bool table_page_agrees(const char *page, const struct table_fault *fault,
                       const struct table_entry entries[TABLE_LEVELS])
{
    char text[LINE_BYTES];
    row_text(fault, entries, text, sizeof text);
    return strstr(page, text) != NULL;
}

/* ---- The expectation --------------------------------------------------------------------------- */

/* "name<tab>class<tab>outcome" for each level, in one line. */
void table_write_expected(FILE *file, struct table_entry (*rows)[TABLE_LEVELS])
{
    (void)fputs("# Made by test/containment/table --write: fault, then class and outcome at level "
                "process,\n"
                "# thread and inline, separated by tabs.\n",
                file);
    for (size_t i = 0; i < table_fault_count; i++) {
        (void)fprintf(file, "%s", table_name(&table_faults[i]));
        for (int level = 0; level < TABLE_LEVELS; level++) {
            (void)fprintf(file, "\t%s\t%s", class_names[rows[i][level].class],
                          rows[i][level].outcome);
        }
        (void)fputs("\n", file);
    }
}

static bool take_class(const char *name, enum table_class *ret_class)
{
    for (int class = TABLE_CONTAINED; class <= TABLE_SKIPPED; class ++) {
        if (strcmp(class_names[class], name) == 0) {
            *ret_class = (enum table_class) class;
            return true;
        }
    }
    return false;
}

static bool take_entry(char **rest, struct table_entry *ret_entry)
{
    const char *class = strsep(rest, "\t");
    const char *outcome = strsep(rest, "\t");
    if (!class || !outcome || !take_class(class, &ret_entry->class)) {
        return false;
    }
    (void)snprintf(ret_entry->outcome, sizeof ret_entry->outcome, "%s", outcome);
    return true;
}

bool table_read_expected(const char *text, const struct table_fault *fault,
                         struct table_entry ret_entries[TABLE_LEVELS])
{
    size_t name_bytes = strlen(table_name(fault));
    while (text) {
        const char *end = strchr(text, '\n');
        if (strncmp(text, table_name(fault), name_bytes) == 0 && text[name_bytes] == '\t') {
            char line[LINE_BYTES];
            (void)snprintf(line, sizeof line, "%.*s", end ? (int)(end - text) : -1, text);
            char *rest = line;
            (void)strsep(&rest, "\t");
            bool taken = true;
            for (int level = 0; level < TABLE_LEVELS; level++) {
                taken = taken && take_entry(&rest, &ret_entries[level]);
            }
            return taken;
        }
        text = end ? end + 1 : NULL;
    }
    return false;
}
