/* SPDX-License-Identifier: Apache-2.0 */
#include "report/symbolize/modules.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"

#define HEADERS_MAX 64u
#define NOTES_MAX   4096u
#define CHUNK       65536u

/* dwfl's callbacks have no context of ours but the module's. */
static struct modules *current;

/* ---- Reading files ----------------------------------------------------------------------------- */

/* A regular file, or -1. */
static int open_file(const char *path, struct stat *ret_info)
{
    OWN_FD fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0 || fstat(fd, ret_info) != 0 || !S_ISREG(ret_info->st_mode)) {
        return -1;
    }
    return take_fd(&fd);
}

/* A copy that nobody else can write. */
static int copy_file(struct modules *modules, int fd, uint64_t bytes, const char **ret_why)
{
    if (bytes > MODULE_BYTES_MAX || modules->bytes + bytes > MODULES_BYTES_MAX) {
        *ret_why = "the file is too large";
        return -1;
    }
    static uint8_t chunk[CHUNK];
    OWN_FD copy = memfd_create("cordon-module", MFD_CLOEXEC);
    uint64_t at = 0;
    while (copy >= 0 && at < bytes) {
        ssize_t count = pread(fd, chunk, sizeof chunk, (off_t)at);
        if (count <= 0 || write(copy, chunk, (size_t)count) != count) {
            break;
        }
        at += (uint64_t)count;
    }
    if (copy < 0 || at < bytes) {
        *ret_why = "the file cannot be read";
        return -1;
    }
    modules->bytes += bytes;
    return take_fd(&copy);
}

static void find_build_id(struct module *module, const uint8_t *notes, size_t bytes)
{
    size_t at = 0;
    while (bytes - at >= sizeof(Elf64_Nhdr)) {
        Elf64_Nhdr note;
        memcpy(&note, notes + at, sizeof note);
        at += sizeof note;
        size_t name = ((size_t)note.n_namesz + 3) & ~(size_t)3;
        size_t data = ((size_t)note.n_descsz + 3) & ~(size_t)3;
        if (name > bytes - at || data > bytes - at - name) {
            return;
        }
        if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == 4 &&
            memcmp(notes + at, "GNU", 4) == 0 && note.n_descsz <= BUILD_ID_MAX) {
            memcpy(module->build_id, notes + at + name, note.n_descsz);
            module->build_id_bytes = note.n_descsz;
            return;
        }
        at += name + data;
    }
}

static void read_build_id(struct module *module, int fd)
{
    Elf64_Ehdr header;
    Elf64_Phdr segments[HEADERS_MAX];
    uint8_t notes[NOTES_MAX];
    if (pread(fd, &header, sizeof header, 0) != sizeof header ||
        memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 || header.e_ident[EI_CLASS] != ELFCLASS64 ||
        header.e_phentsize != sizeof segments[0]) {
        return;
    }
    size_t count = header.e_phnum < HEADERS_MAX ? header.e_phnum : HEADERS_MAX;
    ssize_t got = pread(fd, segments, count * sizeof segments[0], (off_t)header.e_phoff);
    for (size_t i = 0; got > 0 && i < (size_t)got / sizeof segments[0]; i++) {
        size_t bytes = segments[i].p_filesz < NOTES_MAX ? segments[i].p_filesz : NOTES_MAX;
        if (segments[i].p_type == PT_NOTE && module->build_id_bytes == 0) {
            ssize_t length = pread(fd, notes, bytes, (off_t)segments[i].p_offset);
            find_build_id(module, notes, length > 0 ? (size_t)length : 0);
        }
    }
}

/* ---- What libdwfl asks for --------------------------------------------------------------------- */

static struct module *module_at(uint64_t start)
{
    for (uint32_t i = 0; i < current->count; i++) {
        if (current->list[i].start == start) {
            return &current->list[i];
        }
    }
    return NULL;
}

static int find_elf(Dwfl_Module *dwfl_module, void **userdata, const char *name, Dwarf_Addr base,
                    char **file_name, Elf **elf)
{
    (void)dwfl_module;
    (void)userdata;
    (void)name;
    (void)elf;
    struct stat info;
    struct module *module = module_at(base);
    if (!module || !module->is_file) {
        return -1;
    }
    OWN_FD fd = open_file(module->path, &info);
    if (fd < 0) {
        module->symbols = "the file cannot be opened";
        return -1;
    }
    if ((uint64_t)info.st_ino != module->inode) {
        module->symbols = "the file is not the one that was mapped";
        return -1;
    }
    int copy = copy_file(current, fd, (uint64_t)info.st_size, &module->symbols);
    *file_name = copy >= 0 ? strdup(module->path) : NULL;
    return copy;
}

/* By build id alone: a name says nothing. */
static int find_debuginfo(Dwfl_Module *dwfl_module, void **userdata, const char *name,
                          Dwarf_Addr base, const char *file_name, const char *debuglink,
                          GElf_Word checksum, char **debug_name)
{
    (void)dwfl_module;
    (void)userdata;
    (void)name;
    (void)file_name;
    (void)debuglink;
    (void)checksum;
    struct module *module = module_at(base);
    struct stat info;
    char path[128] = "/usr/lib/debug/.build-id/";
    if (!module || module->build_id_bytes < 2) {
        return -1;
    }
    size_t at = strlen(path);
    for (uint32_t i = 0; i < module->build_id_bytes; i++) {
        at += (size_t)snprintf(path + at, sizeof path - at, "%02x%s", module->build_id[i],
                               i == 0 ? "/" : "");
    }
    (void)snprintf(path + at, sizeof path - at, ".debug");
    OWN_FD fd = open_file(path, &info);
    const char *why;
    int copy = fd < 0 ? -1 : copy_file(current, fd, (uint64_t)info.st_size, &why);
    *debug_name = copy >= 0 ? strdup(path) : NULL;
    return copy;
}

static const Dwfl_Callbacks callbacks = {.find_elf = find_elf, .find_debuginfo = find_debuginfo};

/* ---- The list ---------------------------------------------------------------------------------- */

static bool ends_with(const char *text, const char *end)
{
    size_t length = strlen(text);
    return length >= strlen(end) && strcmp(text + length - strlen(end), end) == 0;
}

static void add_mapping(struct modules *modules, const struct mapping *mapping)
{
    struct module *last = modules->count > 0 ? &modules->list[modules->count - 1] : NULL;
    if (mapping->path[0] != '/' && strcmp(mapping->path, "[vdso]") != 0) {
        return;
    }
    if (last && strcmp(last->path, mapping->path) == 0 && last->inode == mapping->inode &&
        mapping->offset != 0) {
        last->end = mapping->end;
        last->has_code = last->has_code || mapping->execute;
        return;
    }
    if (modules->count == MODULES_MAX || (mapping->offset != 0 && !mapping->execute)) {
        return;
    }
    bool deleted = ends_with(mapping->path, " (deleted)");
    modules->list[modules->count++] = (struct module){
        .path = mapping->path,
        .start = mapping->start,
        .end = mapping->end,
        .inode = mapping->inode,
        .has_code = mapping->execute,
        .is_file = mapping->path[0] == '/' && !deleted,
        .symbols = deleted ? "the file has no name any more" : NULL,
    };
}

static void identify(struct module *module)
{
    struct stat info;
    OWN_FD fd = module->is_file ? open_file(module->path, &info) : -1;
    if (fd >= 0 && (uint64_t)info.st_ino == module->inode) {
        read_build_id(module, fd);
    }
}

/* Shared memory and data files are none. */
static void keep_code(struct modules *modules)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < modules->count; i++) {
        if (modules->list[i].has_code) {
            modules->list[kept++] = modules->list[i];
        }
    }
    modules->count = kept;
}

void modules_open(struct modules *modules, const struct evidence *evidence)
{
    memset(modules, 0, sizeof *modules);
    current = modules;
    for (uint32_t i = 0; i < evidence->mapping_count; i++) {
        add_mapping(modules, &evidence->mappings[i]);
    }
    keep_code(modules);
    modules->dwfl = dwfl_begin(&callbacks);
    if (modules->dwfl) {
        dwfl_report_begin(modules->dwfl);
    }
    for (uint32_t i = 0; i < modules->count; i++) {
        struct module *module = &modules->list[i];
        identify(module);
        if (modules->dwfl && module->is_file) {
            (void)dwfl_report_module(modules->dwfl, module->path, module->start, module->end);
        }
    }
    if (modules->dwfl && dwfl_report_end(modules->dwfl, NULL, NULL) != 0) {
        dwfl_end(modules->dwfl);
        modules->dwfl = NULL;
    }
}

struct module *modules_find(struct modules *modules, uint64_t address)
{
    for (uint32_t i = 0; i < modules->count; i++) {
        if (address >= modules->list[i].start && address < modules->list[i].end) {
            return &modules->list[i];
        }
    }
    return NULL;
}
