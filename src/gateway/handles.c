/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/handles.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define KEY_BYTES 16u

struct handle_entry {
    struct cordon_handle handle;
    const struct house *house;
    uint8_t key[KEY_BYTES];
};

void handles_init(struct handles *handles, uint32_t most)
{
    *handles = (struct handles){.most = most};
}

void handles_deinit(struct handles *handles)
{
    free(handles->entries);
    *handles = (struct handles){.most = handles->most};
}

static bool is_entry(const struct handle_entry *entry, const struct house *house,
                     struct cordon_handle handle)
{
    return entry->house == house && entry->handle.worker == handle.worker &&
           entry->handle.generation == handle.generation && entry->handle.index == handle.index;
}

static struct handle_entry *find(const struct handles *handles, const struct house *house,
                                 struct cordon_handle handle)
{
    for (uint32_t i = 0; i < handles->count; i++) {
        if (is_entry(&handles->entries[i], house, handle)) {
            return &handles->entries[i];
        }
    }
    return NULL;
}

static int add(struct handles *handles, const struct house *house, struct cordon_handle handle,
               struct handle_entry **ret_entry)
{
    if (handles->count >= handles->most) {
        return -ENOBUFS;
    }
    if (handles->count == handles->room) {
        uint32_t room = handles->room > 0 ? 2 * handles->room : 8;
        struct handle_entry *entries = realloc(handles->entries, room * sizeof *entries);
        if (!entries) {
            return -ENOMEM;
        }
        handles->entries = entries;
        handles->room = room;
    }
    struct handle_entry *entry = &handles->entries[handles->count];
    *entry = (struct handle_entry){.handle = handle, .house = house};
    if (getrandom(entry->key, KEY_BYTES, 0) != (ssize_t)KEY_BYTES) {
        return -EIO;
    }
    handles->count++;
    *ret_entry = entry;
    return 0;
}

int handles_name(struct handles *handles, const struct house *house, struct cordon_handle handle,
                 char *ret_name)
{
    static const char digits[] = "0123456789abcdef";
    struct handle_entry *entry = find(handles, house, handle);
    int r = entry ? 0 : add(handles, house, handle, &entry);
    if (r != 0) {
        return r;
    }
    ret_name[0] = 'h';
    ret_name[1] = ':';
    for (uint32_t i = 0; i < KEY_BYTES; i++) {
        ret_name[2 + 2 * i] = digits[entry->key[i] >> 4];
        ret_name[3 + 2 * i] = digits[entry->key[i] & 15u];
    }
    return 0;
}

static int digit_of(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool parse_name(const char *name, size_t length, uint8_t key[KEY_BYTES])
{
    if (length != HANDLES_NAME_BYTES || name[0] != 'h' || name[1] != ':') {
        return false;
    }
    for (uint32_t i = 0; i < KEY_BYTES; i++) {
        int high = digit_of(name[2 + 2 * i]);
        int low = digit_of(name[3 + 2 * i]);
        if (high < 0 || low < 0) {
            return false;
        }
        key[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

int handles_find(const struct handles *handles, const struct house *house, const char *name,
                 size_t length, struct cordon_handle *ret_handle, struct message *why)
{
    uint8_t key[KEY_BYTES];
    if (!parse_name(name, length, key)) {
        return message_set(why, -EINVAL, "that is no handle: \"h:\" and 32 hexadecimal digits");
    }
    for (uint32_t i = 0; i < handles->count; i++) {
        const struct handle_entry *entry = &handles->entries[i];
        if (memcmp(entry->key, key, KEY_BYTES) != 0) {
            continue;
        }
        if (entry->house != house) {
            return message_set(why, -EINVAL, "the handle belongs to another cell");
        }
        *ret_handle = entry->handle;
        return 0;
    }
    return message_set(why, -ESTALE, "no such handle on this connection, or it has been released");
}

void handles_forget(struct handles *handles, const struct house *house, struct cordon_handle handle)
{
    struct handle_entry *entry = find(handles, house, handle);
    if (entry) {
        *entry = handles->entries[--handles->count];
    }
}

void handles_forget_house(struct handles *handles, const struct house *house)
{
    for (uint32_t i = handles->count; i > 0; i--) {
        if (handles->entries[i - 1].house == house) {
            handles->entries[i - 1] = handles->entries[--handles->count];
        }
    }
}
