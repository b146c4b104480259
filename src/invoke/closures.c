/* SPDX-License-Identifier: Apache-2.0 */
#include "invoke/closures.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/fd.h"

/* One trampoline's place: libffi's code and its three words. */
#define PLACE_BYTES 64u
_Static_assert(sizeof(ffi_closure) <= PLACE_BYTES, "a place holds a trampoline");

struct closures {
    struct engine *engine;
    closure_handler *handler;
    uint32_t max;
    uint32_t touched; /* the ones from here on have never been used */
    uint8_t *writable;
    uint8_t *executable;
    size_t bytes;
    struct closure *first_free; /* a queue */
    struct closure *last_free;
    struct closure of[];
};

/* The same pages twice. */
static int map_twice(struct closures *closures)
{
    OWN_FD fd = memfd_create("cordon-trampolines", MFD_CLOEXEC);
    if (fd < 0 || ftruncate(fd, (off_t)closures->bytes) < 0) {
        return -errno;
    }
    void *writable = mmap(NULL, closures->bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (writable == MAP_FAILED) {
        return -errno;
    }
    void *executable = mmap(NULL, closures->bytes, PROT_READ | PROT_EXEC, MAP_SHARED, fd, 0);
    if (executable == MAP_FAILED) {
        int error = errno;
        (void)munmap(writable, closures->bytes);
        return -error;
    }
    closures->writable = writable;
    closures->executable = executable;
    return 0;
}

static int map_once(struct closures *closures)
{
    void *memory = mmap(NULL, closures->bytes, PROT_READ | PROT_WRITE | PROT_EXEC,
                        MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) {
        return -errno;
    }
    closures->writable = memory;
    closures->executable = memory;
    return 0;
}

int closures_new(struct engine *engine, uint32_t max, closure_handler *handler,
                 struct closures **ret_closures, struct message *why)
{
    /* calloc() of this size is fresh pages: only closures that are used cost memory. */
    struct closures *closures = calloc(1, sizeof *closures + max * sizeof closures->of[0]);
    if (!closures) {
        return message_set(why, -ENOMEM, "no memory for %u trampolines", max);
    }
    closures->engine = engine;
    closures->handler = handler;
    closures->max = max;
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    closures->bytes = (max * PLACE_BYTES + page - 1) / page * page;
    int r = max == 0 ? 0 : map_twice(closures);
    if (r < 0) {
        r = map_once(closures);
    }
    if (r < 0) {
        free(closures);
        return message_set(why, r, "no executable memory for trampolines: %s", strerror(-r));
    }
    *ret_closures = closures;
    return 0;
}

void closures_free(struct closures *closures)
{
    if (!closures) {
        return;
    }
    if (closures->executable && closures->executable != closures->writable) {
        (void)munmap(closures->executable, closures->bytes);
    }
    if (closures->writable) {
        (void)munmap(closures->writable, closures->bytes);
    }
    free(closures);
}

/* A free closure: never used ones first, then the one that was released longest ago. */
static struct closure *take_free(struct closures *closures)
{
    if (closures->touched < closures->max) {
        return &closures->of[closures->touched++];
    }
    struct closure *closure = closures->first_free;
    if (closure) {
        closures->first_free = closure->next;
        if (!closures->first_free) {
            closures->last_free = NULL;
        }
    }
    return closure;
}

static void put_free(struct closures *closures, struct closure *closure)
{
    closure->next = NULL;
    if (closures->last_free) {
        closures->last_free->next = closure;
    } else {
        closures->first_free = closure;
    }
    closures->last_free = closure;
}

int closures_take(struct closures *closures, struct binding *binding, uint32_t function,
                  uint32_t callback_id, struct closure **ret_closure, struct message *why)
{
    struct closure *closure = take_free(closures);
    if (!closure) {
        return message_set(why, -E2BIG, "more than %u live callbacks (LIMIT_CLOSURES)",
                           closures->max);
    }
    size_t at = (size_t)(closure - closures->of) * PLACE_BYTES;
    ffi_closure *place = (ffi_closure *)(void *)(closures->writable + at);
    closure->code = closures->executable + at;
    if (ffi_prep_closure_loc(place, &binding->shapes->of[function].cif, closures->handler, closure,
                             closure->code) != FFI_OK) {
        put_free(closures, closure);
        return message_set(why, -ENOTSUP, "libffi cannot make a trampoline for callback %s",
                           plan_name(binding->plan, plan_function(binding->plan, function)->name));
    }
    /* libffi has flushed the instruction cache for the address that it wrote to. */
    __builtin___clear_cache((char *)closure->code, (char *)closure->code + PLACE_BYTES);
    closure->engine = closures->engine;
    closure->binding = binding;
    closure->function = function;
    closure->callback_id = callback_id;
    closure->references = 1;
    closure->is_kept = false;
    closure->outer = (struct frame_outer){0};
    *ret_closure = closure;
    return 0;
}

struct closure *closures_find_kept(struct closures *closures, const struct binding *binding,
                                   uint32_t function, uint32_t callback_id)
{
    for (uint32_t i = 0; i < closures->touched; i++) {
        struct closure *closure = &closures->of[i];
        if (closure->references && closure->is_kept && closure->binding == binding &&
            closure->function == function && closure->callback_id == callback_id) {
            return closure;
        }
    }
    return NULL;
}

void closures_release(struct closures *closures, struct closure *closure)
{
    if (--closure->references == 0) {
        put_free(closures, closure);
    }
}
