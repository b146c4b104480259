/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDBOX_COMPOSER_H
#define SANDBOX_COMPOSER_H

/*
 * Composer: a filter on its way. Each system call has a target: an answer, or a block that looks at arguments.
 * compose.c fills in the answers and makes the tree that finds them, compose_blocks.c writes the blocks.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <linux/seccomp.h>

#include "sandbox/compose.h"
#include "sandbox/filter.h"
#include "sandbox/program.h"

#define COMPOSER_CALLS (FILTER_NEWEST + 1u) /* numbers below are judged one by one */

#define FIELD(name)    ((uint32_t)offsetof(struct seccomp_data, name))
#define ELEMENTS(list) (sizeof(list) / sizeof(list)[0])

struct composer {
    const struct compose_wish *wish;
    struct program program;
    program_label allow;
    program_label refuse;
    program_label tell; /* somebody looks; nobody there: allowed */
    program_label target[COMPOSER_CALLS];
};

/* What becomes of call @number, which is of @class, whatever its arguments. */
program_label composer_judge(struct composer *composer, enum filter_class class, uint32_t number);
static inline bool composer_forbids(struct composer *composer, enum filter_class class,
                                    uint32_t number)
{
    return composer_judge(composer, class, number) != composer->allow;
}

/* Targets of calls whose arguments matter. The answers stand in the program. */
void compose_blocks(struct composer *composer);

/*
 * The call's number is loaded: @opens for one that opens a file, else @other. And of such a call, whether the
 * dynamic loader makes it.
 */
program_label compose_if_opening(struct program *program, program_label opens, program_label other);
program_label compose_if_loader(struct program *program, uint64_t first, uint64_t last,
                                program_label inside, program_label outside);

#endif
