/* SPDX-License-Identifier: Apache-2.0 */
#include "cell/exits.h"

#include <dlfcn.h>
#include <elf.h>
#include <link.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#include "cell/fault.h"

#if defined(__x86_64__)
#define BY_CALL R_X86_64_JUMP_SLOT
#define BY_DATA R_X86_64_GLOB_DAT
#elif defined(__aarch64__)
#define BY_CALL R_AARCH64_JUMP_SLOT
#define BY_DATA R_AARCH64_GLOB_DAT
#endif

/* ---- Instead ----------------------------------------------------------------------------------- */

/*
 * Registers as they were in the caller, inside its call: what called may end there, for it does not
 * expect to go on.
 */
static void step_out(ucontext_t *context, uintptr_t return_address, uintptr_t stack,
                     uintptr_t frame)
{
#if defined(__x86_64__)
    context->uc_mcontext.gregs[REG_RIP] = (greg_t)(return_address - 1);
    context->uc_mcontext.gregs[REG_RSP] = (greg_t)stack;
    context->uc_mcontext.gregs[REG_RBP] = (greg_t)frame;
#elif defined(__aarch64__)
    context->uc_mcontext.pc = return_address - 1;
    context->uc_mcontext.sp = stack;
    context->uc_mcontext.regs[29] = frame;
#endif
}

/* A macro: it is about the frame that it stands in. */
#define END_THE_RUN(name, status)                                                                  \
    do {                                                                                           \
        if (fault_is_guarded()) {                                                                  \
            ucontext_t context;                                                                    \
            (void)getcontext(&context);                                                            \
            step_out(&context, (uintptr_t)__builtin_return_address(0),                             \
                     (uintptr_t)__builtin_dwarf_cfa(),                                             \
                     *(const uintptr_t *)__builtin_frame_address(0));                              \
            fault_exit(name, status, &context);                                                    \
        }                                                                                          \
    } while (0)

static __attribute__((noinline, noreturn)) void instead_of_exit(int status)
{
    END_THE_RUN("exit", status);
    exit(status);
}

static __attribute__((noinline, noreturn)) void instead_of_quick_exit(int status)
{
    END_THE_RUN("quick_exit", status);
    quick_exit(status);
}

static __attribute__((noinline, noreturn)) void instead_of_exit_at_once(int status)
{
    END_THE_RUN("_exit", status);
    _exit(status);
}

static __attribute__((noinline, noreturn)) void instead_of_pthread_exit(void *result)
{
    END_THE_RUN("pthread_exit", 0);
    pthread_exit(result);
}

typedef void (*code)(void);

static const struct {
    const char *name;
    code real;
    code instead;
} exits[] = {
    {"exit", (code)exit, (code)instead_of_exit},
    {"_exit", (code)_exit, (code)instead_of_exit_at_once},
    {"_Exit", (code)_Exit, (code)instead_of_exit_at_once},
    {"quick_exit", (code)quick_exit, (code)instead_of_quick_exit},
    {"pthread_exit", (code)pthread_exit, (code)instead_of_pthread_exit},
};
#define EXITS (sizeof exits / sizeof exits[0])

static void *as_data(code function)
{
    void *address;
    memcpy(&address, &function, sizeof address);
    return address;
}

void *exits_instead(void *address)
{
    for (size_t i = 0; i < EXITS; i++) {
        if (address && address == as_data(exits[i].real)) {
            return as_data(exits[i].instead);
        }
    }
    return address;
}

/* ---- The library's table ----------------------------------------------------------------------- */

struct tables {
    uintptr_t base;
    const ElfW(Sym) * symbols;
    const char *names;
    const ElfW(Rela) * by_call;
    size_t by_call_bytes;
    const ElfW(Rela) * by_data;
    size_t by_data_bytes;
    /* Pages that were made read-only behind loading; equal: none. */
    uintptr_t sealed_first;
    uintptr_t sealed_end;
};

static void find_tables(const struct link_map *map, struct tables *ret_tables)
{
    struct tables tables = {.base = map->l_addr};
    for (const ElfW(Dyn) *entry = map->l_ld; entry->d_tag != DT_NULL; entry++) {
        switch (entry->d_tag) {
        case DT_SYMTAB:
            tables.symbols = (const void *)entry->d_un.d_ptr;
            break;
        case DT_STRTAB:
            tables.names = (const void *)entry->d_un.d_ptr;
            break;
        case DT_JMPREL:
            tables.by_call = (const void *)entry->d_un.d_ptr;
            break;
        case DT_PLTRELSZ:
            tables.by_call_bytes = entry->d_un.d_val;
            break;
        case DT_RELA:
            tables.by_data = (const void *)entry->d_un.d_ptr;
            break;
        case DT_RELASZ:
            tables.by_data_bytes = entry->d_un.d_val;
            break;
        default:
            break;
        }
    }
    *ret_tables = tables;
}

static int find_sealed(struct dl_phdr_info *info, size_t size, void *context)
{
    struct tables *tables = context;
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    (void)size;
    bool is_it = false;
    for (unsigned i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *part = &info->dlpi_phdr[i];
        uintptr_t symbols = (uintptr_t)tables->symbols;
        is_it = is_it || (part->p_type == PT_LOAD && symbols >= info->dlpi_addr + part->p_vaddr &&
                          symbols < info->dlpi_addr + part->p_vaddr + part->p_memsz);
    }
    for (unsigned i = 0; is_it && i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *part = &info->dlpi_phdr[i];
        if (part->p_type == PT_GNU_RELRO) {
            /* As the loader does: whole pages inside. */
            tables->sealed_first = (info->dlpi_addr + part->p_vaddr) & ~(page - 1);
            tables->sealed_end = (info->dlpi_addr + part->p_vaddr + part->p_memsz) & ~(page - 1);
        }
    }
    return is_it ? 1 : 0;
}

static void redirect(const struct tables *tables, uintptr_t place, code instead)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    void *first = (void *)(place & ~(page - 1)); /* a place is aligned: it lies in one page */
    bool sealed = place >= tables->sealed_first && place < tables->sealed_end;
    if (sealed && mprotect(first, page, PROT_READ | PROT_WRITE) != 0) {
        return;
    }
    _Atomic uintptr_t *slot = (_Atomic uintptr_t *)place;
    /* Relaxed: either function is fine for a thread that calls just now. */
    atomic_store_explicit(slot, (uintptr_t)as_data(instead), memory_order_relaxed);
    if (sealed) {
        (void)mprotect(first, page, PROT_READ);
    }
}

static void look_through(const struct tables *tables, const ElfW(Rela) * list, size_t bytes)
{
    for (size_t i = 0; list && i < bytes / sizeof *list; i++) {
        uint64_t type = ELF64_R_TYPE(list[i].r_info);
        const ElfW(Sym) *symbol = &tables->symbols[ELF64_R_SYM(list[i].r_info)];
        if ((type != BY_CALL && type != BY_DATA) || symbol->st_shndx != SHN_UNDEF) {
            continue;
        }
        for (size_t e = 0; e < EXITS; e++) {
            if (strcmp(tables->names + symbol->st_name, exits[e].name) == 0) {
                redirect(tables, tables->base + list[i].r_offset, exits[e].instead);
            }
        }
    }
}

void exits_catch(void *handle)
{
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* two cells, one page */
    struct link_map *map = NULL;
    struct tables tables;
    if (dlinfo(handle, RTLD_DI_LINKMAP, &map) != 0 || !map) {
        return;
    }
    find_tables(map, &tables);
    if (!tables.symbols || !tables.names) {
        return;
    }
    (void)pthread_mutex_lock(&lock);
    (void)dl_iterate_phdr(find_sealed, &tables);
    look_through(&tables, tables.by_call, tables.by_call_bytes);
    look_through(&tables, tables.by_data, tables.by_data_bytes);
    (void)pthread_mutex_unlock(&lock);
}
