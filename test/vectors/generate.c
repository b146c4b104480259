/* SPDX-License-Identifier: Apache-2.0 */
/*
 * generate [--check] FOLDER INTERFACE LIBRARY: writes the test vectors of docs/protocol/vectors/frame and plan to FOLDER, or
 * says which of those that lie there are not what the code makes. Exits with 77 where the code makes others: plans
 * name their architecture.
 */
#include <stdlib.h>
#include <string.h>

#include "lane/identity.h"
#include "vectors/vectors.h"

static const char digits[] = "0123456789abcdef";

void write_words(FILE *file, const uint64_t *words, size_t count)
{
    fputc('[', file);
    for (size_t i = 0; i < count; i++) {
        fprintf(file, "%s\"0x%llx\"", i ? "," : "", (unsigned long long)words[i]);
    }
    fputc(']', file);
}

void write_bytes(FILE *file, const uint8_t *bytes, size_t count)
{
    if (!bytes) {
        fputs("null", file);
        return;
    }
    fputc('"', file);
    for (size_t i = 0; i < count; i++) {
        fputc(digits[bytes[i] >> 4], file);
        fputc(digits[bytes[i] & 15], file);
    }
    fputc('"', file);
}

void write_text(FILE *file, const char *text)
{
    struct json_out out = {0};
    json_out_sentence(&out, text);
    fputs(json_out_text(&out), file);
    json_out_deinit(&out);
}

static void write_head(FILE *file, const char *about)
{
    fputs("{\"format\":1,\n\"about\":", file);
    write_text(file, about);
    fprintf(file, ",\n\"abi\":%d,\"identity\":\"0x%x\",\n", CORDON_PLAN_ABI_X86_64_SYSV,
            lane_client_identity());
}

static void write_function(struct scene *scene, size_t index, FILE *file)
{
    size_t bytes;
    const struct plan *plan = scene_plan(scene, index, &bytes);
    const struct cordon_plan_function *function = plan_function(plan, 0);
    write_text(file, plan_name(plan, function->name));
    fprintf(file, ":{\"id\":%zu,\"mailbox\":%s,\"layout_hash\":\"0x%016llx\",\"plan\":", index,
            function->flags & CORDON_PLAN_MAILBOX ? "true" : "false",
            (unsigned long long)plan_header(plan)->layout_hash);
    write_bytes(file, (const uint8_t *)plan, bytes);
    fputc('}', file);
}

/* The functions that @cases call, each once. */
static void write_functions(struct scene *scene, const struct vectors_case *cases, FILE *file)
{
    bool any = false;
    fputs("\"functions\":{\n", file);
    for (size_t i = 0; i < interface_function_count(scene->interface); i++) {
        const struct vectors_case *one = cases;
        while (one->function && scene_find(scene, one->function) != i) {
            one++;
        }
        if (one->function) {
            fputs(any ? ",\n" : "", file);
            write_function(scene, i, file);
            any = true;
        }
    }
    fputs("},\n", file);
}

static void write_frames(struct scene *scene, const struct vectors_file *which, FILE *file)
{
    write_head(file, which->about);
    fprintf(file, "\"space\":{\"request_bytes\":%u,\"reply_bytes\":%u},\n", VECTORS_ROOM,
            VECTORS_ROOM);
    write_functions(scene, which->cases, file);
    fputs("\"cases\":[\n", file);
    for (const struct vectors_case *one = which->cases; one->function; one++) {
        fputs(one == which->cases ? "" : ",\n", file);
        scene_play(scene, one, file);
    }
    fputs("\n]}\n", file);
}

/* What one file shall hold, against what it does hold, or into it. */
static int settle(bool check, const char *folder, const char *name, const char *text)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s.json", folder, name);
    FILE *file = fopen(path, check ? "re" : "we");
    if (!file) {
        fprintf(stderr, "%s cannot be opened\n", path);
        return 1;
    }
    size_t length = strlen(text);
    char *there = calloc(1, length + 2);
    bool same = there && check ? fread(there, 1, length + 1, file) == length &&
                                     memcmp(there, text, length) == 0
                               : fwrite(text, 1, length, file) == length;
    free(there);
    same = fclose(file) == 0 && same;
    if (!same) {
        fprintf(stderr, "%s %s\n", path,
                check ? "is not what the code makes: run generate without --check, and look at "
                        "what changed"
                      : "cannot be written");
    }
    return same ? 0 : 1;
}

static int settle_frames(bool check, const char *folder, struct scene *scene,
                         const struct vectors_file *which)
{
    char name[64];
    char *text = NULL;
    size_t bytes;
    FILE *file = open_memstream(&text, &bytes);
    if (!file) {
        vectors_fail("no memory");
    }
    write_frames(scene, which, file);
    fclose(file);
    snprintf(name, sizeof name, "frame/%s", which->name);
    int wrong = settle(check, folder, name, text);
    free(text);
    return wrong;
}

static int settle_plans(bool check, const char *folder, const char *name, const char *about,
                        struct scene *scene, void (*write)(struct scene *scene, FILE *file))
{
    char *text = NULL;
    size_t bytes;
    FILE *file = open_memstream(&text, &bytes);
    if (!file) {
        vectors_fail("no memory");
    }
    write_head(file, about);
    write(scene, file);
    fclose(file);
    int wrong = settle(check, folder, name, text);
    free(text);
    return wrong;
}

int main(int argc, char **argv)
{
    bool check = argc > 1 && strcmp(argv[1], "--check") == 0;
    struct scene *scene = calloc(1, sizeof *scene);
    int wrong = 0;
    size_t bytes;
    if (argc - check != 4 || !scene) {
        fprintf(stderr, "usage: generate [--check] FOLDER INTERFACE LIBRARY\n");
        free(scene);
        return 2;
    }
    argv += check;
    scene_open(scene, argv[2], argv[3]);
    if (plan_header(scene_plan(scene, 0, &bytes))->abi != CORDON_PLAN_ABI_X86_64_SYSV) {
        fprintf(stderr, "the vectors are those of x86-64\n");
        return 77;
    }
    for (const struct vectors_file *which = vectors_files; which->name; which++) {
        wrong += settle_frames(check, argv[1], scene, which);
    }
    wrong +=
        settle_plans(check, argv[1], "plan/plans", "Plans, and what they say", scene, write_plans);
    wrong += settle_plans(check, argv[1], "plan/refused", "What is no plan, and why", scene,
                          write_refused_plans);
    scene_close(scene);
    free(scene);
    return wrong ? 1 : 0;
}
