/* SPDX-License-Identifier: Apache-2.0 */
#include "base/reach.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/uio.h>

#define PAGE        4096u /* at least this much lies together */
#define PAGES_ABOVE (1088u * 1024u / PAGE)

/* From @address to the end of its page. */
static size_t on_page(uint64_t address, size_t bytes)
{
    size_t rest = PAGE - (size_t)(address % PAGE);
    return bytes < rest ? bytes : rest;
}

static size_t reach_page(pid_t thread, uint64_t address, void *copy, size_t bytes)
{
    struct iovec here = {.iov_base = copy, .iov_len = on_page(address, bytes)};
    struct iovec there = {.iov_base = (void *)(uintptr_t)address, .iov_len = here.iov_len};
    ssize_t count = process_vm_readv(thread, &here, 1, &there, 1, 0);
    return count > 0 ? (size_t)count : 0;
}

size_t reach_bytes(pid_t thread, uint64_t address, void *copy, size_t bytes)
{
    struct iovec here = {.iov_base = copy, .iov_len = bytes};
    struct iovec there = {.iov_base = (void *)(uintptr_t)address, .iov_len = bytes};
    ssize_t count = bytes > 0 ? process_vm_readv(thread, &here, 1, &there, 1, 0) : 0;
    if (count == (ssize_t)bytes) {
        return bytes;
    }
    /* What came before a hole may be less than there is. */
    size_t done = count > 0 ? (size_t)count : 0;
    while (done < bytes) {
        size_t part = reach_page(thread, address + done, (uint8_t *)copy + done, bytes - done);
        done += part;
        if (part == 0 || (address + done) % PAGE != 0) {
            break;
        }
    }
    return done;
}

uint64_t reach_above(pid_t thread, uint64_t address)
{
    uint64_t page = (address + PAGE) & ~(uint64_t)(PAGE - 1);
    for (uint32_t i = 0; i < PAGES_ABOVE; i++, page += PAGE) {
        uint8_t byte;
        if (reach_page(thread, page, &byte, 1) == 1) {
            return page;
        }
    }
    return 0;
}

ssize_t reach_text(pid_t thread, uint64_t address, char *text, size_t bytes)
{
    size_t done = 0;
    while (done < bytes) {
        size_t part = reach_page(thread, address + done, text + done, bytes - done);
        if (part == 0) {
            return -EFAULT;
        }
        const char *end = memchr(text + done, '\0', part);
        if (end) {
            return end - text;
        }
        done += part;
    }
    text[bytes - 1] = '\0';
    return -ENAMETOOLONG;
}
