/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEST_VECTORS_H
#define TEST_VECTORS_H

/*
 * Vectors: what docs/protocol/vectors/frame/ holds, made by the code that it describes: JSON to values (src/json), values to
 * a frame and back (src/frame), and between them the engine (src/invoke) that calls the library of vectors.c.
 *
 * Nothing here can go on after an error: vectors_fail() says where, and exits.
 */

#include <stdio.h>

#include "frame/frame.h"
#include "invoke/engine.h"
#include "json/call.h"
#include "prototype/prototype.h"

#define VECTORS_ROOM      65536u /* request, and reply, of one call; told in the files */
#define VECTORS_CALLBACKS 8u

struct scene;

/* A host's side of a callback; negative: it failed. @context is the vector's own. */
typedef int vectors_host(void *context, const struct cordon_value *args,
                         struct cordon_value *ret_result);

/* A function of the scene that stands for the host's. */
struct cordon_callback {
    struct scene *scene;
    vectors_host *host;
    void *context;
    uint64_t word;
    const struct plan *plan;
    uint32_t shape;
};

/* Makes the values that JSON has no words for, and says afterwards what came back. */
struct vectors_by_hand {
    size_t (*values)(struct scene *scene, struct cordon_value *ret_values);
    void (*result)(const struct frame_result *result, struct json_out *out);
};

struct vectors_case {
    const char *function;
    const char *arguments; /* JSON, by name */
    const char *note;      /* what to look at; or NULL */
    const struct vectors_by_hand *by_hand;
};

struct vectors_file {
    const char *name; /* without ".json" */
    const char *about;
    const struct vectors_case *cases; /* ends with a function of NULL */
};

extern const struct vectors_file vectors_files[]; /* ends with a name of NULL */
extern const struct vectors_by_hand vectors_sort, vectors_each, vectors_each_failing, vectors_drain,
    vectors_drain_nothing;

/* One engine with the library's functions bound, by their index in the interface. */
struct scene {
    struct interface *interface;
    void *library;
    struct engine *engine;
    struct frame_hooks hooks;
    struct cordon_callback callbacks[VECTORS_CALLBACKS];
    uint32_t callback_count; /* ids begin at 1 */
    /* Of the call in progress: */
    const struct plan *plan;
    const struct frame_request *sent;
    uint8_t *request;
    uint8_t *reply;
    FILE *steps; /* of its conversation, as JSON */
    size_t step_count;
    struct message why;
};

void scene_open(struct scene *scene, const char *interface_path, const char *library_path);
void scene_close(struct scene *scene);

/* Index of @function; its plan. */
size_t scene_find(const struct scene *scene, const char *function);
const struct plan *scene_plan(const struct scene *scene, size_t index, size_t *ret_bytes);

/* A callback of the host with the next id. */
struct cordon_value scene_callback(struct scene *scene, vectors_host *host, void *context);

/* Play @one and write it to @file as one JSON object. */
void scene_play(struct scene *scene, const struct vectors_case *one, FILE *file);

/* Words as ["0x1",...], bytes as "00ff...", or null. */
void write_words(FILE *file, const uint64_t *words, size_t count);
void write_bytes(FILE *file, const uint8_t *bytes, size_t count);
/* Text as a JSON string. */
void write_text(FILE *file, const char *text);

/* docs/protocol/vectors/plan/: what readers of plans accept, and what they refuse. */
void write_plans(struct scene *scene, FILE *file);
void write_refused_plans(struct scene *scene, FILE *file);

_Noreturn void vectors_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
