/* SPDX-License-Identifier: Apache-2.0 */

/*
 * table [--write | --print] [NAME...]: every level against every fault, or those with such a name.
 *
 * Compares what it finds with expected.txt and docs/CONTAINMENT.md of the source tree (CORDON_TEST_ROOT), or
 * writes both, or only prints what it found. Exits with 1 if something differs, or if level process does not contain something.
 */
#include "table.h"

#include <stdlib.h>
#include <string.h>

#include "harness/harness.h"

#define AT_ONCE 3

static const char *const level_names[TABLE_LEVELS] = {"process", "thread", "inline"};

static void path_in_tree(const char *name, char *path, size_t size)
{
    const char *root = getenv("CORDON_TEST_ROOT");
    (void)snprintf(path, size, "%s/%s", root ? root : ".", name);
}

/* The whole file, from malloc(); empty if it is not there. */
static char *read_text(const char *name)
{
    char path[512];
    char *text = NULL;
    size_t bytes = 0;
    path_in_tree(name, path, sizeof path);
    FILE *file = fopen(path, "re");
    if (file && getdelim(&text, &bytes, '\0', file) < 0) {
        free(text);
        text = NULL;
    }
    if (file) {
        (void)fclose(file);
    }
    return text ? text : strdup("");
}

static bool chosen(const char *name, int argc, char **argv)
{
    bool named = false;
    for (int i = 1; i < argc; i++) {
        if (argv[i][0] != '-') {
            named = true;
            if (strcmp(argv[i], name) == 0) {
                return true;
            }
        }
    }
    return !named;
}

/* ---- Comparing --------------------------------------------------------------------------------- */

struct expectation {
    char *text; /* expected.txt */
    char *page; /* CONTAINMENT.md */
};

static bool same_outcome(const struct table_fault *fault, const struct table_entry *found,
                         const struct table_entry *expected)
{
    return fault->flags & TABLE_ANY_OUTCOME || strcmp(found->outcome, expected->outcome) == 0;
}

/* At level process all must be contained, and end as expected; in this process the class is compared. */
static bool agrees(const struct table_fault *fault, int level, const struct table_entry *found,
                   const struct table_entry *expected)
{
    if (level == CORDON_LEVEL_PROCESS) {
        return found->class == TABLE_CONTAINED && expected->class == TABLE_CONTAINED &&
               same_outcome(fault, found, expected);
    }
    return found->class == expected->class || fault->flags & TABLE_CHANCE;
}

static bool judge(const struct table_fault *fault, int level, const struct table_entry *found,
                  const struct expectation *expectation)
{
    struct table_entry expected[TABLE_LEVELS] = {0};
    bool known = table_read_expected(expectation->text, fault, expected);
    bool good =
        known && (found->class == TABLE_SKIPPED || agrees(fault, level, found, &expected[level]));
    if (!good) {
        printf("%s[%s]: %s: %s, where '%s: %s' is expected; %s\n", table_name(fault),
               level_names[level], table_class_name(found->class), found->outcome,
               known ? table_class_name(expected[level].class) : "nothing", expected[level].outcome,
               found->why);
    }
    if (level == 0 && known && !table_page_agrees(expectation->page, fault, expected)) {
        printf("%s: docs/CONTAINMENT.md says something else than expected.txt\n",
               table_name(fault));
        good = false;
    }
    return good;
}

static bool report_all(const struct table_fault *fault, const struct expectation *expectation,
                       const struct table_entry entries[TABLE_LEVELS])
{
    bool good = true;
    for (int level = 0; level < TABLE_LEVELS; level++) {
        bool as_expected = judge(fault, level, &entries[level], expectation);
        const char *mark = as_expected ? "       OK " : "  FAILED  ";
        printf("[%s] %s[%s]\n", entries[level].class == TABLE_SKIPPED ? " SKIPPED  " : mark,
               table_name(fault), level_names[level]);
        good = good && as_expected;
    }
    return good;
}

static void print_all(const struct table_fault *fault,
                      const struct table_entry entries[TABLE_LEVELS])
{
    for (int level = 0; level < TABLE_LEVELS; level++) {
        printf("%s[%s]\t%s\t%s\t%s\t%s\n", table_name(fault), level_names[level],
               table_class_name(entries[level].class), entries[level].outcome,
               entries[level].recovery, entries[level].why);
    }
}

/* @expectation  NULL: only print. Most of a fault's time is waiting: several are tried at once. */
static bool run_all(const struct expectation *expectation, struct table_entry (*rows)[TABLE_LEVELS],
                    int argc, char **argv)
{
    struct table_try tries[AT_ONCE];
    bool good = true;
    size_t next = 0;
    for (size_t done = 0; done < table_fault_count; done++) {
        for (; next < table_fault_count && next < done + AT_ONCE; next++) {
            if (chosen(table_name(&table_faults[next]), argc, argv)) {
                table_begin(&table_faults[next], &tries[next % AT_ONCE]);
            }
        }
        const struct table_fault *fault = &table_faults[done];
        if (chosen(table_name(fault), argc, argv)) {
            table_end(&tries[done % AT_ONCE], rows[done]);
            if (!expectation) {
                print_all(fault, rows[done]);
            } else if (!report_all(fault, expectation, rows[done])) {
                good = false;
            }
            (void)fflush(stdout);
        }
    }
    return good;
}

/* ---- Writing ----------------------------------------------------------------------------------- */

static bool write_text(const char *name, struct table_entry (*rows)[TABLE_LEVELS],
                       void (*write)(FILE *file, struct table_entry (*rows)[TABLE_LEVELS]))
{
    char path[512];
    path_in_tree(name, path, sizeof path);
    FILE *file = fopen(path, "we");
    if (!file) {
        perror(path);
        return false;
    }
    write(file, rows);
    return fclose(file) == 0;
}

static bool is_whole(const struct table_entry (*rows)[TABLE_LEVELS])
{
    for (size_t i = 0; i < table_fault_count; i++) {
        for (int level = 0; level < TABLE_LEVELS; level++) {
            if (rows[i][level].class == TABLE_SKIPPED) {
                return false;
            }
        }
    }
    return true;
}

int main(int argc, char **argv)
{
    const char *without = getenv("CORDON_TEST_WITHOUT");
    if (harness_under_tsan() || (without && without[0])) {
        printf("skipped: the table is of a kernel that has every mechanism, and of no sanitizer\n");
        return 77;
    }
    bool writes = argc > 1 && strcmp(argv[1], "--write") == 0;
    bool prints = argc > 1 && strcmp(argv[1], "--print") == 0;
    struct table_entry(*rows)[TABLE_LEVELS] = calloc(table_fault_count, sizeof *rows);
    struct expectation expectation = {.text = read_text("test/containment/expected.txt"),
                                      .page = read_text("docs/CONTAINMENT.md")};
    if (!rows || !expectation.text || !expectation.page) {
        free(expectation.text);
        free(expectation.page);
        free(rows);
        return 2;
    }
    bool good = run_all(writes || prints ? NULL : &expectation, rows, argc, argv);
    if (writes && !is_whole((const struct table_entry(*)[TABLE_LEVELS])rows)) {
        printf("some could not be tried here: nothing is written\n");
        good = false;
    } else if (writes) {
        good = write_text("test/containment/expected.txt", rows, table_write_expected) &&
               write_text("docs/CONTAINMENT.md", rows, table_write_page);
    }
    free(expectation.text);
    free(expectation.page);
    free(rows);
    return good ? 0 : 1;
}
