/* SPDX-License-Identifier: Apache-2.0 */
#include "library/near.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/spelling.h"
#include "library/elf.h"

struct candidate {
    unsigned distance;
    char name[ELF_NAME_BYTES + 1];
};

/* The nearest so far, nearest first. */
struct search {
    const char *symbol;
    unsigned most;
    unsigned count;
    struct candidate found[NEAR_NAMES_MAX];
};

static unsigned least(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

static bool consider(void *context, const char *name)
{
    struct search *search = context;
    unsigned distance = spelling_distance(search->symbol, name, search->most);
    unsigned at = search->count;
    while (at > 0 && search->found[at - 1].distance > distance) {
        at--;
    }
    bool known = at > 0 && strcmp(search->found[at - 1].name, name) == 0;
    if (distance > search->most || at == NEAR_NAMES_MAX || known) {
        return true; /* too far, or another version of the same name */
    }
    unsigned last = least(search->count, NEAR_NAMES_MAX - 1);
    memmove(&search->found[at + 1], &search->found[at], (last - at) * sizeof search->found[0]);
    search->found[at].distance = distance;
    memcpy(search->found[at].name, name, strlen(name) + 1);
    search->count = last + 1;
    return true;
}

/* What the dynamic loader looks names up in. */
struct tables {
    const ElfW(Sym) * symbols;
    const char *strings;
    size_t string_bytes;
    const uint32_t *hash; /* DT_GNU_HASH */
};

static bool find_tables(const struct link_map *map, struct tables *ret_tables)
{
    struct tables tables = {NULL};
    for (const ElfW(Dyn) *entry = map->l_ld; entry && entry->d_tag != DT_NULL; entry++) {
        /* glibc has added the library's place to these addresses when it loaded it. */
        const void *there = (const void *)entry->d_un.d_ptr;
        switch (entry->d_tag) {
        case DT_SYMTAB:
            tables.symbols = there;
            break;
        case DT_STRTAB:
            tables.strings = there;
            break;
        case DT_STRSZ:
            tables.string_bytes = entry->d_un.d_val;
            break;
        case DT_GNU_HASH:
            tables.hash = there;
            break;
        default:
            break;
        }
    }
    *ret_tables = tables;
    return tables.symbols && tables.strings && tables.hash;
}

/* Every defined function stands in a chain of the hash: buckets name the first, a set low bit the last. */
static void visit_functions(const struct tables *tables, struct search *search)
{
    uint32_t bucket_count = tables->hash[0];
    uint32_t first = tables->hash[1];
    uint32_t bloom_words = tables->hash[2];
    const uint32_t *buckets = tables->hash + 4 + bloom_words * (sizeof(ElfW(Addr)) / 4);
    const uint32_t *chain = buckets + bucket_count;
    for (uint32_t i = 0; i < bucket_count; i++) {
        for (uint32_t at = buckets[i]; at >= first && at > 0; at++) {
            const ElfW(Sym) *symbol = &tables->symbols[at];
            const char *name = tables->strings + symbol->st_name;
            unsigned type = symbol->st_info & 15u;
            if ((type == STT_FUNC || type == STT_GNU_IFUNC) && symbol->st_shndx != SHN_UNDEF &&
                symbol->st_name < tables->string_bytes && strlen(name) <= ELF_NAME_BYTES) {
                (void)consider(search, name);
            }
            if (chain[at - first] & 1u) {
                break;
            }
        }
    }
}

void near_suggest(const struct link_map *map, const char *symbol, struct message *why)
{
    struct search search = {.symbol = symbol, .most = 1 + (unsigned)least(strlen(symbol), 24) / 4};
    struct tables tables;
    if (find_tables(map, &tables)) {
        visit_functions(&tables, &search);
    }
    if (search.count == 0) {
        return;
    }
    message_add(why, "; did you mean '%s'", search.found[0].name);
    for (unsigned i = 1; i < search.count; i++) {
        message_add(why, "%s'%s'", i + 1 == search.count ? " or " : ", ", search.found[i].name);
    }
    message_add(why, "?");
}
