/* SPDX-License-Identifier: Apache-2.0 */
#include "library/elf.h"

#include <elf.h>
#include <errno.h>
#include <link.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The class of files is that of this program: 64 bits (x86-64, arm64). */
typedef ElfW(Ehdr) elf_header;
typedef ElfW(Phdr) elf_segment;
typedef ElfW(Shdr) elf_section;
typedef ElfW(Sym) elf_symbol;

#define STRINGS_MAX      (64u << 20) /* bytes of symbol names that are looked at */
#define SYMBOLS_MAX      (1u << 20)
#define SYMBOLS_AT_ONCE  256u
#define FIRST_BYTES_SHOW 8u

static const struct {
    unsigned machine;
    const char *name;
} machines[] = {
    {EM_X86_64, "x86-64"},   {EM_AARCH64, "aarch64"},     {EM_386, "i386"},   {EM_ARM, "arm"},
    {EM_RISCV, "riscv"},     {EM_PPC64, "ppc64"},         {EM_S390, "s390x"}, {EM_MIPS, "mips"},
    {EM_SPARCV9, "sparc64"}, {EM_LOONGARCH, "loongarch"},
};

#if defined(__x86_64__)
#define OWN_MACHINE EM_X86_64
#elif defined(__aarch64__)
#define OWN_MACHINE EM_AARCH64
#endif

/* ---- Reading ----------------------------------------------------------------------------------- */

/* All of it, or -ENOEXEC where the file ends first. */
static int read_at(int fd, void *to, size_t bytes, uint64_t at)
{
    if (at > INT64_MAX - bytes) {
        return -ENOEXEC;
    }
    for (size_t done = 0; done < bytes;) {
        ssize_t count = pread(fd, (char *)to + done, bytes - done, (off_t)(at + done));
        if (count < 0 && errno != EINTR) {
            return -errno;
        }
        if (count == 0) {
            return -ENOEXEC;
        }
        done += count > 0 ? (size_t)count : 0;
    }
    return 0;
}

/* ---- Judging ----------------------------------------------------------------------------------- */

static int refuse_beginning(const unsigned char *bytes, size_t length, const char *name,
                            struct message *why)
{
    if (length == 0) {
        return message_set(why, -ENOEXEC, "%s: not an ELF file (it is empty)", name);
    }
    (void)message_set(why, -ENOEXEC, "%s: not an ELF file (starts with \"", name);
    for (size_t i = 0; i < length && i < FIRST_BYTES_SHOW; i++) {
        if (bytes[i] >= 0x20 && bytes[i] < 0x7f) {
            message_add(why, "%c", bytes[i]);
        } else {
            message_add(why, "\\x%02x", bytes[i]);
        }
    }
    message_add(why, "\")");
    return -ENOEXEC;
}

static const char *machine_name(unsigned machine)
{
    for (size_t i = 0; i < sizeof machines / sizeof machines[0]; i++) {
        if (machines[i].machine == machine) {
            return machines[i].name;
        }
    }
    return NULL;
}

static int refuse_machine(const elf_header *header, const char *name, struct message *why)
{
    const char *theirs = machine_name(header->e_machine);
    if (theirs) {
        return message_set(why, -ENOEXEC, "%s: built for %s, this machine is %s", name, theirs,
                           machine_name(OWN_MACHINE));
    }
    return message_set(why, -ENOEXEC, "%s: built for machine number %u, this machine is %s", name,
                       header->e_machine, machine_name(OWN_MACHINE));
}

/* Bit width and byte order stand before the fields whose size and order they decide. */
static int check_identity(const unsigned char *identity, const char *name, struct message *why)
{
    if (identity[EI_DATA] != ELFDATA2LSB) {
        return message_set(why, -ENOEXEC, "%s: built for %s, this machine is little-endian", name,
                           identity[EI_DATA] == ELFDATA2MSB ? "a big-endian machine"
                                                            : "an unknown byte order");
    }
    if (identity[EI_CLASS] == ELFCLASS32) {
        elf_header header;
        memcpy(&header, identity, offsetof(elf_header, e_version)); /* same place in both classes */
        if (header.e_machine != OWN_MACHINE) {
            return refuse_machine(&header, name, why);
        }
        return message_set(why, -ENOEXEC,
                           "%s: a 32-bit library for %s (x32 or the like), this machine loads "
                           "64-bit ones",
                           name, machine_name(OWN_MACHINE));
    }
    if (identity[EI_CLASS] != ELFCLASS64 || identity[EI_VERSION] != EV_CURRENT) {
        return message_set(why, -ENOEXEC, "%s: an ELF file of unknown class %u, version %u", name,
                           identity[EI_CLASS], identity[EI_VERSION]);
    }
    return 0;
}

static int check_type(const elf_header *header, const char *name, struct message *why)
{
    static const char *const types[] = {
        [ET_NONE] = "nothing",         [ET_REL] = "an object file", [ET_EXEC] = "a program",
        [ET_DYN] = "a shared library", [ET_CORE] = "a core dump",
    };
    if (header->e_machine != OWN_MACHINE) {
        return refuse_machine(header, name, why);
    }
    if (header->e_type == ET_DYN) {
        return 0;
    }
    return message_set(why, -ENOEXEC, "%s: not a shared library but %s", name,
                       header->e_type < sizeof types / sizeof types[0] ? types[header->e_type]
                                                                       : "something unknown");
}

static uint64_t end_of(uint64_t at, uint64_t bytes)
{
    return at > UINT64_MAX - bytes ? UINT64_MAX : at + bytes;
}

/* How long the file has to be for what its tables promise. */
static int needed_bytes(int fd, const elf_header *header, uint64_t *ret_bytes)
{
    uint64_t segments_end =
        end_of(header->e_phoff, (uint64_t)header->e_phnum * sizeof(elf_segment));
    uint64_t sections_end =
        header->e_shoff == 0
            ? 0
            : end_of(header->e_shoff, (uint64_t)header->e_shnum * header->e_shentsize);
    uint64_t needed = segments_end > sections_end ? segments_end : sections_end;
    for (unsigned i = 0; i < header->e_phnum; i++) {
        elf_segment segment;
        int r = read_at(fd, &segment, sizeof segment, header->e_phoff + i * sizeof segment);
        if (r == -ENOEXEC) {
            break; /* the table itself is cut off: its end is asked for already */
        }
        if (r < 0) {
            return r;
        }
        uint64_t end = segment.p_type == PT_LOAD ? end_of(segment.p_offset, segment.p_filesz) : 0;
        needed = end > needed ? end : needed;
    }
    *ret_bytes = needed;
    return 0;
}

static int check_complete(int fd, const elf_header *header, uint64_t file_bytes, const char *name,
                          struct message *why)
{
    if (header->e_phnum == 0 || header->e_phentsize != sizeof(elf_segment)) {
        return message_set(why, -ENOEXEC, "%s: an ELF file without segments to load", name);
    }
    uint64_t needed;
    int r = needed_bytes(fd, header, &needed);
    if (r < 0) {
        return message_set(why, r, "%s: cannot be read: %s", name, strerror(-r));
    }
    if (needed > file_bytes) {
        return message_set(why, -ENOEXEC, "%s: truncated: needs %llu bytes, has %llu", name,
                           (unsigned long long)needed, (unsigned long long)file_bytes);
    }
    return 0;
}

int elf_check(int fd, const char *name, struct message *why)
{
    struct stat stat;
    elf_header header;
    memset(&header, 0, sizeof header);
    ssize_t length = fstat(fd, &stat) == 0 ? pread(fd, &header, sizeof header, 0) : -1;
    if (length < 0) {
        int error = errno;
        return message_set(why, -error, "%s: cannot be read: %s", name, strerror(error));
    }
    if (length < SELFMAG || memcmp(header.e_ident, ELFMAG, SELFMAG) != 0) {
        return refuse_beginning((const unsigned char *)&header, (size_t)length, name, why);
    }
    if ((size_t)length < sizeof header) {
        return message_set(why, -ENOEXEC, "%s: truncated: needs %zu bytes, has %zd", name,
                           sizeof header, length);
    }
    int r = check_identity(header.e_ident, name, why);
    r = r < 0 ? r : check_type(&header, name, why);
    return r < 0 ? r : check_complete(fd, &header, (uint64_t)stat.st_size, name, why);
}

/* ---- Symbols ----------------------------------------------------------------------------------- */

static int read_section(int fd, const elf_header *header, unsigned index, elf_section *ret_section)
{
    if (index >= header->e_shnum) {
        return -ENOEXEC;
    }
    return read_at(fd, ret_section, sizeof *ret_section,
                   header->e_shoff + (uint64_t)index * sizeof *ret_section);
}

/* The dynamic symbols, and the section with their names. */
static int find_symbols(int fd, elf_section *ret_symbols, elf_section *ret_strings)
{
    elf_header header;
    int r = read_at(fd, &header, sizeof header, 0);
    if (r < 0 || header.e_shentsize != sizeof(elf_section)) {
        return r < 0 ? r : -ENOEXEC;
    }
    for (unsigned i = 0; i < header.e_shnum; i++) {
        r = read_section(fd, &header, i, ret_symbols);
        if (r < 0) {
            return r;
        }
        if (ret_symbols->sh_type == SHT_DYNSYM && ret_symbols->sh_entsize == sizeof(elf_symbol)) {
            return read_section(fd, &header, ret_symbols->sh_link, ret_strings);
        }
    }
    return -ENOEXEC;
}

static bool is_function(const elf_symbol *symbol)
{
    /* Read whole, or not visited. NOLINTNEXTLINE(clang-analyzer-*) */
    unsigned type = ELF64_ST_TYPE(symbol->st_info);
    unsigned bind = ELF64_ST_BIND(symbol->st_info);
    return symbol->st_shndx != SHN_UNDEF && (type == STT_FUNC || type == STT_GNU_IFUNC) &&
           (bind == STB_GLOBAL || bind == STB_WEAK);
}

/* True while @visit wants more. @strings ends with NUL. */
static bool visit_symbol(const elf_symbol *symbol, const char *strings, size_t string_bytes,
                         bool (*visit)(void *context, const char *name), void *context)
{
    if (!is_function(symbol) || symbol->st_name >= string_bytes) {
        return true;
    }
    const char *name = strings + symbol->st_name;
    size_t length = strlen(name);
    return length == 0 || length > ELF_NAME_BYTES || visit(context, name);
}

static int visit_symbols(int fd, const elf_section *symbols, const char *strings,
                         size_t string_bytes, bool (*visit)(void *context, const char *name),
                         void *context)
{
    uint64_t count = symbols->sh_size / sizeof(elf_symbol);
    count = count < SYMBOLS_MAX ? count : SYMBOLS_MAX;
    for (uint64_t at = 0; at < count;) {
        elf_symbol some[SYMBOLS_AT_ONCE];
        uint64_t left = count - at;
        uint64_t now = left < SYMBOLS_AT_ONCE ? left : SYMBOLS_AT_ONCE;
        int r = read_at(fd, some, now * sizeof some[0], symbols->sh_offset + at * sizeof some[0]);
        if (r < 0) {
            return r;
        }
        for (uint64_t i = 0; i < now; i++) {
            if (!visit_symbol(&some[i], strings, string_bytes, visit, context)) {
                return 0;
            }
        }
        at += now;
    }
    return 0;
}

int elf_functions(int fd, bool (*visit)(void *context, const char *name), void *context)
{
    elf_section symbols;
    elf_section names;
    int r = find_symbols(fd, &symbols, &names);
    if (r < 0) {
        return r;
    }
    if (names.sh_size == 0 || names.sh_size > STRINGS_MAX) {
        return -ENOEXEC;
    }
    char *strings = malloc(names.sh_size + 1);
    if (!strings) {
        return -ENOMEM;
    }
    r = read_at(fd, strings, names.sh_size, names.sh_offset);
    if (r == 0) {
        strings[names.sh_size] = '\0';
        r = visit_symbols(fd, &symbols, strings, names.sh_size, visit, context);
    }
    free(strings);
    return r;
}
