/* SPDX-License-Identifier: Apache-2.0 */
#include "report/recording.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/memfd.h"

#define ALIGN 8u
#define PAGE  4096u

struct recording {
    int fd;
    uint8_t *memory;
    uint64_t bytes; /* of the memory */
    uint64_t used;
    uint32_t entry_count;
};

static struct recording_header *header_of(struct recording *recording)
{
    return (struct recording_header *)(void *)recording->memory;
}

static int map(struct recording *recording)
{
    int r = memfd_new("cordon-recording", recording->bytes, F_SEAL_SHRINK | F_SEAL_GROW,
                      &recording->fd);
    if (r != 0) {
        return r;
    }
    void *memory =
        mmap(NULL, recording->bytes, PROT_READ | PROT_WRITE, MAP_SHARED, recording->fd, 0);
    if (memory == MAP_FAILED) {
        return -errno;
    }
    recording->memory = memory;
    (void)madvise(memory, recording->bytes, MADV_DONTFORK);
    /* From here on the mapping alone can write. */
    (void)memfd_seal(recording->fd, F_SEAL_FUTURE_WRITE | F_SEAL_SEAL);
    return 0;
}

int recording_new(const struct recording_wish *wish, struct recording **ret_recording)
{
    struct recording *recording = calloc(1, sizeof *recording);
    if (!recording) {
        return -ENOMEM;
    }
    recording->fd = -1;
    recording->bytes = (wish->bytes_max + PAGE - 1) & ~(uint64_t)(PAGE - 1);
    int r = map(recording);
    if (r != 0) {
        recording_free(recording);
        return r;
    }
    struct recording_header *header = header_of(recording);
    header->magic = RECORDING_MAGIC;
    header->version = RECORDING_VERSION;
    header->identity = wish->identity;
    header->call_bytes = wish->call_bytes;
    header->bytes_max = wish->bytes_max;
    header->arena_base = wish->arena_base;
    header->arena_bytes = wish->arena_bytes;
    recording->used = sizeof *header;
    /* Pairs with the acquire in recording_read(): the header before `used`. */
    atomic_store_explicit(&header->used, recording->used, memory_order_release);
    *ret_recording = recording;
    return 0;
}

void recording_free(struct recording *recording)
{
    if (!recording) {
        return;
    }
    if (recording->memory) {
        (void)munmap(recording->memory, recording->bytes);
    }
    if (recording->fd >= 0) {
        (void)close(recording->fd);
    }
    free(recording);
}

int recording_peek_fd(const struct recording *recording)
{
    return recording->fd;
}

int recording_add(struct recording *recording, const struct recording_entry *entry,
                  const uint64_t *words, const void *bytes)
{
    uint64_t word_bytes = (uint64_t)entry->word_count * sizeof *words;
    uint64_t all = sizeof *entry + word_bytes + entry->byte_count;
    uint8_t *to = recording->memory + recording->used;
    if (recording->entry_count == RECORDING_ENTRIES_MAX ||
        all + ALIGN > recording->bytes - recording->used) {
        return -ENOSPC;
    }
    memcpy(to, entry, sizeof *entry);
    if (word_bytes > 0) {
        memcpy(to + sizeof *entry, words, word_bytes);
    }
    if (entry->byte_count > 0) {
        memcpy(to + sizeof *entry + word_bytes, bytes, entry->byte_count);
    }
    recording->used += (all + ALIGN - 1) & ~(uint64_t)(ALIGN - 1);
    recording->entry_count++;
    /* Pairs with the acquire in recording_read(): the entry before `used`. */
    atomic_store_explicit(&header_of(recording)->used, recording->used, memory_order_release);
    return 0;
}

void recording_stop(struct recording *recording, enum recording_stop why, uint32_t call)
{
    struct recording_header *header = header_of(recording);
    /* Relaxed: published by `stop`. */
    atomic_store_explicit(&header->stop_call, call, memory_order_relaxed);
    /* Pairs with the acquire in recording_read(): which call before why. */
    atomic_store_explicit(&header->stop, why, memory_order_release);
    if (why == RECORDING_SECRET) {
        /* Stopped first: whoever sees entries go sees why. */
        atomic_store_explicit(&header->used, sizeof *header, memory_order_release);
        explicit_bzero(recording->memory + sizeof *header, recording->used - sizeof *header);
        recording->used = sizeof *header;
    }
}
