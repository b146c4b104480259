/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The demo: real work with libraries as the system ships them, each in a process of its own; then
 * functions that misbehave, after each of which this same program goes on calling.
 *
 * usage: demo FILE MISBEHAVING-LIBRARY
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cordon/cordon.h"
#include "timing.h"

struct bytes {
    uint8_t *memory;
    size_t count;
};

static void stop(const char *where, const char *why)
{
    fprintf(stderr, "%s: %s\n", where, why);
    exit(1);
}

static struct cordon_cell *open_cell(const char *library)
{
    struct cordon_cell_options options = CORDON_CELL_OPTIONS;
    struct cordon_cell *cell = NULL;
    struct cordon_error error;
    options.library = library;
    if (cordon_cell_open(&options, &cell, &error) != 0) {
        stop(library, error.text);
    }
    return cell;
}

static struct cordon_function *bind(struct cordon_cell *cell, const char *prototype)
{
    struct cordon_function *function = NULL;
    struct cordon_error error;
    if (cordon_bind(cell, prototype, 0, &function, &error) != 0) {
        stop("binding", error.text);
    }
    return function;
}

/* A call that has to be done. */
static struct cordon_value call(struct cordon_function *function, const struct cordon_value *args,
                                size_t count)
{
    struct cordon_result result;
    int r = cordon_call(function, args, count, cordon_after_ms(20000), &result);
    if (r != CORDON_DONE) {
        stop(r < 0 ? "refused" : cordon_outcome_name(r), result.error.text);
    }
    return result.value;
}

static struct bytes read_file(const char *path)
{
    struct bytes file = {malloc(32u << 20), 0};
    FILE *stream = fopen(path, "rb");
    if (!file.memory || !stream) {
        stop(path, "cannot be read");
    }
    file.count = fread(file.memory, 1, 32u << 20, stream);
    (void)fclose(stream);
    return file;
}

static void checksum_and_compress(const struct bytes *file)
{
    struct cordon_cell *zlib = open_cell("libz.so.1");
    struct cordon_function *crc32 =
        bind(zlib, "unsigned long crc32(unsigned long crc, const uint8_t buf[len], unsigned len)");
    struct cordon_function *compress =
        bind(zlib, "int compress(out uint8_t dest[*n], inout unsigned long *n,"
                   " const uint8_t source[m], unsigned long m)");
    struct cordon_function *uncompress =
        bind(zlib, "int uncompress(out uint8_t dest[*n], inout unsigned long *n,"
                   " const uint8_t source[m], unsigned long m)");
    struct cordon_value sum[] = {cordon_uint(0), cordon_in(file->memory, file->count)};
    printf("crc32       %08lx\n", (unsigned long)call(crc32, sum, 2).u);

    unsigned long packed_bytes = file->count + file->count / 100 + 1000;
    uint8_t *packed = malloc(packed_bytes);
    unsigned long back_bytes = file->count;
    uint8_t *back = malloc(file->count + 1);
    if (!packed || !back) {
        stop("memory", "not enough");
    }
    struct cordon_value pack[] = {cordon_out(packed, packed_bytes), cordon_out(&packed_bytes, 1),
                                  cordon_in(file->memory, file->count)};
    int64_t r = call(compress, pack, 3).i;
    printf("compress    %zu bytes to %lu (%d %%)\n", file->count, packed_bytes,
           (int)(packed_bytes * 100 / (file->count + 1)));
    struct cordon_value unpack[] = {cordon_out(back, back_bytes), cordon_out(&back_bytes, 1),
                                    cordon_in(packed, packed_bytes)};
    r |= call(uncompress, unpack, 3).i;
    bool same = r == 0 && back_bytes == file->count && memcmp(back, file->memory, back_bytes) == 0;
    printf("uncompress  %s\n", same ? "the same bytes again" : "NOT THE SAME BYTES");
    free(packed);
    free(back);
    cordon_cell_close(zlib);
    if (!same) {
        exit(1);
    }
}

static void digest(const char *path, const struct bytes *file)
{
    struct cordon_cell *crypto = open_cell("libcrypto.so.3");
    uint8_t sum[32];
    char ours[65];
    char theirs[65] = "";
    struct cordon_value args[] = {cordon_in(file->memory, file->count), cordon_out(sum, 32)};
    (void)call(bind(crypto, "within(md) uint8_t *SHA256(const uint8_t d[n], size_t n,"
                            " out uint8_t md[32])"),
               args, 2);
    for (int i = 0; i < 32; i++) {
        (void)snprintf(ours + i * 2, 3, "%02x", sum[i]);
    }
    cordon_cell_close(crypto);
    (void)setenv("CORDON_DEMO_FILE", path, 1);
    FILE *program = popen("sha256sum < \"$CORDON_DEMO_FILE\"", "r");
    if (!program || fscanf(program, "%64s", theirs) != 1) {
        stop("sha256sum", "did not answer");
    }
    (void)pclose(program);
    printf("SHA256      %s\nsha256sum   %s\n", ours, theirs);
    if (strcmp(ours, theirs) != 0) {
        stop("SHA256", "differs");
    }
}

static int print_row(void *context, struct cordon_session *session, const struct cordon_value *args,
                     size_t count, struct cordon_value *ret_value)
{
    (void)session;
    const char *const *values = NULL;
    for (size_t i = 0; i < count && !values; i++) {
        values = args[i].kind == CORDON_VALUE_MEMORY ? args[i].memory : NULL;
    }
    if (values) {
        printf("            %s: %s\n", values[0], values[1]);
    }
    ++*(int *)context;
    *ret_value = cordon_int(0);
    return 0;
}

static void query(void)
{
    static const char sql[] =
        "create table levels(name text, survives int);"
        "insert into levels values('process', 1), ('thread', 1), ('none', 0);"
        "select name, case survives when 1 then 'goes on' else 'is gone' end from levels;";
    struct cordon_cell *sqlite = open_cell("libsqlite3.so.0");
    struct cordon_callback *row = NULL;
    struct cordon_handle db = {0};
    int rows = 0;
    printf("sqlite3     rows, by a callback of this process:\n");
    struct cordon_value open[] = {cordon_string(":memory:"), cordon_out(&db, 1)};
    (void)call(bind(sqlite, "int sqlite3_open(const char *name, out struct sqlite3 **db)"), open,
               2);
    if (cordon_callback_new(print_row, &rows, &row) != 0) {
        stop("sqlite3", "no callback");
    }
    struct cordon_value exec[] = {cordon_object(db), cordon_string(sql),
                                  cordon_function_pointer(row), cordon_uint(0), cordon_uint(0)};
    int64_t r = call(bind(sqlite, "int sqlite3_exec(struct sqlite3 *db, const char *sql,"
                                  " int (*row)(void *context, int n, const char *values[n],"
                                  " const char *names[n]) fails(1), void *context, void *error)"),
                     exec, 5)
                    .i;
    struct cordon_value end[] = {cordon_object(db)};
    r |= call(bind(sqlite, "int sqlite3_close(release struct sqlite3 *db)"), end, 1).i;
    cordon_callback_free(row);
    cordon_cell_close(sqlite);
    if (r != 0 || rows != 3) {
        stop("sqlite3", "did not answer as it should");
    }
}

static int compare_words(void *context, struct cordon_session *session,
                         const struct cordon_value *args, size_t count,
                         struct cordon_value *ret_value)
{
    (void)context, (void)session, (void)count;
    *ret_value = cordon_int(strncmp(args[0].memory, args[1].memory, 12));
    return 0;
}

static void sort_and_print(void)
{
    struct cordon_cell *libc = open_cell("");
    char words[5][12] = {"worker", "cell", "lane", "keeper", "arena"};
    char line[80];
    struct cordon_callback *order = NULL;
    if (cordon_callback_new(compare_words, NULL, &order) != 0) {
        stop("qsort", "no callback");
    }
    struct cordon_value sort[] = {cordon_out(words, sizeof words), cordon_uint(5), cordon_uint(12),
                                  cordon_function_pointer(order)};
    (void)call(bind(libc, "void qsort(char base[count * size], size_t count, size_t size,"
                          " int (*cmp)(const char a[size], const char b[size]) fails(0))"),
               sort, 4);
    printf("qsort       %s %s %s %s %s\n", words[0], words[1], words[2], words[3], words[4]);
    struct cordon_value print[] = {cordon_out(line, sizeof line),
                                   cordon_uint(sizeof line),
                                   cordon_string("%s has %d letters, %.1f %% of %zu"),
                                   cordon_string(words[0]),
                                   cordon_int((int)strlen(words[0])),
                                   cordon_float(62.5),
                                   cordon_typed(cordon_uint(8), CORDON_TYPE_SIZE)};
    (void)call(bind(libc, "int snprintf(out char s[size], size_t size, const char *format, ...)"),
               print, 7);
    printf("snprintf    %s\n", line);
    cordon_callback_free(order);
    cordon_cell_close(libc);
}

static void misbehave(const char *library)
{
    static const struct {
        const char *prototype;
        const char *what;
        int argument;
    } misdeeds[] = {
        {"int read_null(int offset)", "reads through NULL", 0},
        {"int recurse(int depth)", "overflows its stack", 0},
        {"int leave(int status)", "calls exit(7)", 7},
        {"int loop(int step)", "never returns", 1},
    };
    struct cordon_cell *cell = open_cell(library);
    struct cordon_function *behave = bind(cell, "int behave(int value)");
    for (size_t i = 0; i < sizeof misdeeds / sizeof misdeeds[0]; i++) {
        struct cordon_value arg = cordon_int(misdeeds[i].argument);
        struct cordon_result result;
        int r =
            cordon_call(bind(cell, misdeeds[i].prototype), &arg, 1, cordon_after_ms(500), &result);
        if (r == CORDON_DONE || r < 0) {
            stop(misdeeds[i].what, "ended otherwise than expected");
        }
        printf("%-20s -> %-8s %s\n", misdeeds[i].what, cordon_outcome_name(r), result.error.text);
        arg = cordon_int((int)i + 1);
        printf("%20s    next call: %d\n", "", (int)call(behave, &arg, 1).i);
    }
    cordon_cell_close(cell);
}

int main(int argc, char **argv)
{
    if (argc != 3) {
        fprintf(stderr, "usage: %s FILE MISBEHAVING-LIBRARY\n", argv[0]);
        return 2;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    struct bytes file = read_file(argv[1]);
    printf("-- Libraries as the system ships them, each in a process of its own; input: %s\n",
           argv[1]);
    checksum_and_compress(&file);
    digest(argv[1], &file);
    query();
    sort_and_print();
    free(file.memory);
    printf("\n-- A library that misbehaves; this process goes on\n");
    misbehave(argv[2]);
    printf("\n-- What it costs (ratio: to the direct call, measured in turns)\n");
    return timing_print();
}
