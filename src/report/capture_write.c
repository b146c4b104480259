/* SPDX-License-Identifier: Apache-2.0 */
#include "report/capture.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"

#define ALIGN 8u
#define CHUNK 4096u

static uint64_t padding_of(uint64_t bytes)
{
    return (ALIGN - bytes % ALIGN) % ALIGN;
}

static void put(struct capture *capture, uint64_t at, const void *data, uint64_t bytes)
{
    const uint8_t *next = data;
    while (bytes > 0 && capture->error == 0) {
        ssize_t count = pwrite(capture->fd, next, bytes, (off_t)at);
        if (count <= 0) {
            capture->error = count < 0 ? -errno : -ENOSPC;
            return;
        }
        next += count;
        at += (uint64_t)count;
        bytes -= (uint64_t)count;
    }
}

/* The limit as a number of bytes that may still come; one section's padding is kept free. */
static uint64_t room(const struct capture *capture)
{
    return capture->at + ALIGN < CAPTURE_BYTES_MAX ? CAPTURE_BYTES_MAX - ALIGN - capture->at : 0;
}

void capture_begin(struct capture *capture, int fd, const struct capture_reason *reason)
{
    struct capture_header header = {.magic = CAPTURE_MAGIC, .version = CAPTURE_VERSION};
    *capture = (struct capture){.fd = fd, .at = sizeof header};
    put(capture, 0, &header, sizeof header);
    (void)capture_add(capture, CAPTURE_REASON, reason->tid, 0, reason, sizeof *reason);
}

void capture_open(struct capture *capture, enum capture_kind kind, uint32_t tid, uint64_t address)
{
    capture->section = (struct capture_section){.kind = kind, .tid = tid, .address = address};
    capture->begun = capture->at;
    if (capture->error == 0 && (capture->section_count == CAPTURE_SECTIONS_MAX ||
                                room(capture) < sizeof capture->section)) {
        capture->error = -E2BIG;
    }
    capture->at += capture->error == 0 ? sizeof capture->section : 0;
}

uint64_t capture_append(struct capture *capture, const void *data, uint64_t bytes)
{
    uint64_t fits = bytes < room(capture) ? bytes : room(capture);
    put(capture, capture->at, data, fits);
    if (capture->error != 0) {
        return 0;
    }
    capture->at += fits;
    capture->section.bytes += fits;
    return fits;
}

/* The header last: a capture that breaks off ends with a complete section. */
void capture_close(struct capture *capture)
{
    static const uint8_t zeros[ALIGN];
    uint64_t padding = padding_of(capture->section.bytes);
    put(capture, capture->at, zeros, padding);
    put(capture, capture->begun, &capture->section, sizeof capture->section);
    if (capture->error == 0) {
        capture->at += padding;
        capture->section_count++;
    } else {
        capture->at = capture->begun;
    }
}

uint64_t capture_add(struct capture *capture, enum capture_kind kind, uint32_t tid,
                     uint64_t address, const void *data, uint64_t bytes)
{
    capture_open(capture, kind, tid, address);
    uint64_t count = capture_append(capture, data, bytes);
    capture_close(capture);
    return count;
}

void capture_note(struct capture *capture, uint32_t tid, const char *text)
{
    (void)capture_add(capture, CAPTURE_NOTE, tid, 0, text, strnlen(text, CHUNK));
}

void capture_add_file(struct capture *capture, enum capture_kind kind, const char *path,
                      uint64_t bytes)
{
    uint8_t chunk[CHUNK];
    OWN_FD fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0) {
        capture_note(capture, 0, path);
        return;
    }
    capture_open(capture, kind, 0, 0);
    while (bytes > 0) {
        ssize_t count = read(fd, chunk, bytes < sizeof chunk ? bytes : sizeof chunk);
        if (count <= 0 || capture_append(capture, chunk, (uint64_t)count) == 0) {
            break;
        }
        bytes -= (uint64_t)count;
    }
    capture_close(capture);
}

int capture_end(struct capture *capture)
{
    if (ftruncate(capture->fd, (off_t)capture->at) != 0 && capture->error == 0) {
        capture->error = -errno;
    }
    return capture->error;
}
