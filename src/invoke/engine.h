/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INVOKE_ENGINE_H
#define INVOKE_ENGINE_H

/*
 * Engine: the place where native code runs. It holds the functions bound for one session, its handles,
 * resident objects, kept memory and callback trampolines, and executes requests one at a time on one
 * thread. The worker program has one per lane; at level `thread` and `inline` it lives in the host.
 *
 * The engine does not load libraries and knows no lanes: it asks `resolve` for symbols and `transport`
 * to carry a callback to the host's side.
 *
 * Threads: one. Signals: any may arrive; the engine installs none.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/message.h"
#include "cordon/plan.h"
#include "frame/frame.h"

struct engine;

/* A callback on its way to the host's side, and its answer. */
struct engine_exchange {
    uint32_t callback_id;
    /* Filled by transport->open: where the callback's frame is written. */
    uint8_t *frame;
    uint32_t frame_space;
    uint32_t reply_space; /* most that the answer may take */
    /* Filled by the engine before transport->ask. */
    struct frame_request request;
    /* Filled by transport->ask. */
    uint64_t reply_words[CORDON_PLAN_WORDS_MAX];
    const uint8_t *reply; /* answer's bytes, or NULL; valid until close */
    uint32_t reply_bytes;
};

/* Carries callbacks. Nested: open/ask/close pairs are a stack. Each returns 0 or a negative errno. */
struct engine_transport {
    void *context;
    int (*open)(void *context, struct engine_exchange *exchange);
    /*
     * Ask and wait; executes calls that arrive meanwhile by engine_execute(). -ECANCELED: the host's
     * side failed: return the declared failure value; without one the transport does not return.
     */
    int (*ask)(void *context, struct engine_exchange *exchange);
    void (*close)(void *context, struct engine_exchange *exchange);
    /* A callback without failure value has failed, or `escape` was called: end this worker/call. */
    void (*abandon)(void *context) __attribute__((noreturn));
    /*
     * One thread of the library more (1) or less (-1) waits for ENGINE_DISPATCH: let the host know.
     * Threads: any. NULL: nobody looks.
     */
    void (*queued)(void *context, int change);
    /* For ENGINE_DISPATCH: wait while @word is @seen; may return early. -ESHUTDOWN: the worker ends. */
    int (*wait)(void *context, const _Atomic uint32_t *word, uint32_t seen, uint64_t until_ns);
};

struct engine_config {
    struct frame_arena arena;
    void *resolve_context;
    void *(*resolve)(void *context, const char *symbol); /* NULL: no such symbol */
    /* The sentence for a symbol that is not there, with near names. NULL: the engine's own words. */
    void (*explain)(void *context, const char *symbol, struct message *why);
    struct engine_transport transport;
    uint32_t closures_max; /* trampolines made at engine_new, then W^X where the platform can */
    uint32_t handles_max;
    size_t kept_bytes_max;
    uint32_t identity; /* of this build: said in the hello */
};

/*
 * Requests to the engine itself: function ids from ENGINE_VERBS on. Bytes are raw, not a frame.
 * An error's sentence comes back as the reply's bytes.
 */
#define ENGINE_VERBS 0x7fff0000u
enum engine_verb {
    ENGINE_HELLO = 0x7fff0000, /* -> word 0 identity << 32 | protocol version,
                                   1 plan abi << 32 | version, 2 pid */
    ENGINE_BIND,               /* word 0 function id; bytes: plan. -ENOENT: no such symbol */
    ENGINE_RESIDENT_NEW,       /* bytes: plan of the type (root_type); -> word 0 handle, 1 tag */
    ENGINE_RESIDENT_READ,      /* word 0 handle, 1 tag, 2 offset, 3 bytes -> bytes */
    ENGINE_RESIDENT_WRITE,     /* word 0 handle, 1 tag, 2 offset; bytes */
    ENGINE_RESIDENT_POINT, /* word 0 handle, 1 tag, 2 offset of a pointer member, 3 arena address, or
                                   0: bytes are copied to memory kept as long as the object (or until
                                   pointed anew); 4 bytes of room if more than given. Neither: NULL */
    ENGINE_HANDLE_DROP,    /* word 0 handle: forget it; a resident object is freed */
    ENGINE_RESIDENT_FETCH,  /* word 0 handle, 1 tag, 2 offset of a pointer member, 3 offset, 4 bytes
                                   of the memory that POINT copied for it, else of what the library
                                   has there -> bytes: of a string fewer, if it ends before */
    ENGINE_RESIDENT_FOLLOW, /* word 0 handle, 1 tag, 2 offset of a member that points to a struct
                                   -> word 0 handle borrowed from the first, or 0: NULL; 1 tag */
    ENGINE_DISPATCH,        /* word 0 until when to wait for a callback of a library's own thread
                                   -> word 0: one was answered. A sentence, if its host's side failed */
    ENGINE_HOLDINGS, /* -> word 0: live handles (objects included) and pieces of kept memory */
    ENGINE_TYPE,     /* bytes: plan of a type of which a sealed engine makes objects */
    ENGINE_SEAL, /* from now on BIND answers 0 for what is bound, else -EPERM; RESIDENT_NEW -EPERM for
                        what was not declared by TYPE (invoke/seal.h) */
    ENGINE_VERBS_END,
};
#define ENGINE_PROTOCOL 1u

struct engine_request {
    uint32_t function_id; /* a bound function's id, or an enum engine_verb */
    uint32_t word_count;
    const uint64_t *words;
    const uint8_t *bytes; /* NULL: only words. A frame (header first), or a verb's raw bytes */
    uint32_t byte_count;
    uint8_t *reply; /* may be NULL for MAILBOX functions */
    uint32_t reply_fixed;
    uint32_t reply_bytes_max; /* sentences are cut here: MESSAGE_BYTES hold any */
    bool read_only_bytes;     /* `bytes` lie in memory that is mapped read-only: pass in place */
};

struct engine_reply {
    int32_t status; /* 0, or a negative errno: could not; the sentence is in the reply's bytes */
    int32_t error_number; /* errno after the call */
    uint32_t word_count;
    uint32_t reply_bytes;
    uint64_t words[CORDON_PLAN_WORDS_MAX];
};

/* What a call of only words comes to. */
struct engine_answer {
    int32_t status; /* 0, or a negative errno: could not */
    int32_t error_number;
    uint32_t word_count; /* 0 or 1 */
    uint64_t word;
};

int engine_new(const struct engine_config *config, struct engine **ret_engine, struct message *why);

/* Frees kept memory and resident objects; runs no native code. */
void engine_free(struct engine *engine);

/*
 * Execute one request completely; native code runs inside. errno is set to 0 before the native call
 * and read right behind it. Always fills @ret_reply. Re-entered (nested) from transport->ask only.
 */
void engine_execute(struct engine *engine, const struct engine_request *request,
                    struct engine_reply *ret_reply);

/*
 * Before native code is left by a jump: the calls that began since engine_mark() said @mark never come
 * back, and what was made for them is freed. On the thread that executes, at a point where the engine has
 * called its transport. The engine can be freed afterwards, when the calls before are over.
 */
const void *engine_mark(const struct engine *engine);
void engine_drop_calls(struct engine *engine, const void *mark);

/*
 * As engine_execute() of a request that is only words, where the function takes nothing but scalars:
 * without a request and a reply to fill. What a refusal would say in bytes is lost.
 * Returns false if the function is not of that kind or not bound: nothing has happened, @ret_answer is
 * as it was.
 */
bool engine_execute_words(struct engine *engine, uint32_t function_id, const uint64_t *words,
                          uint32_t word_count, struct engine_answer *ret_answer);

/*
 * The same for a request whose plain arrays (frame/plain.h) lie in @bytes, without a frame around them:
 * their words are offsets there. The function gets pointers into @bytes.
 */
bool engine_execute_short(struct engine *engine, uint32_t function_id, const uint64_t *words,
                          uint32_t word_count, const uint8_t *bytes, uint32_t byte_count,
                          struct engine_answer *ret_answer);

/* Function that runs now (its id and name), for crash notes; NULL between calls. Async-signal-safe. */
const char *engine_running(const struct engine *engine, uint32_t *ret_function_id);

#endif
