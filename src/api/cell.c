/* SPDX-License-Identifier: Apache-2.0 */
#include "cell/cell.h"

#include <errno.h>

#include "api/text.h"
#include "cell/fork_mark.h"

int cordon_cell_open(const struct cordon_cell_options *options, struct cordon_cell **ret_cell,
                     struct cordon_error *ret_error)
{
    if (!options || !ret_cell) {
        return message_set(text_of(ret_error), -EINVAL, "options and ret_cell must not be NULL");
    }
    return cell_open(options, ret_cell, text_of(ret_error));
}

int cordon_cell_stop(struct cordon_cell *cell)
{
    if (!cell || !fork_mark_intact(cell->generation)) {
        return 0;
    }
    if (cell_is_mine(cell)) {
        return -EDEADLK;
    }
    cell_stop(cell);
    return 0;
}

int cordon_cell_close(struct cordon_cell *cell)
{
    if (cell && fork_mark_intact(cell->generation) && cell_is_mine(cell)) {
        return -EDEADLK;
    }
    cell_close(cell);
    return 0;
}

uint32_t cordon_cell_isolation(const struct cordon_cell *cell)
{
    return cell->isolation;
}

size_t cordon_cell_policy(const struct cordon_cell *cell, char *text, size_t bytes)
{
    if (cell->attachment) { /* it is the daemon's */
        if (bytes > 0) {
            text[0] = '\0';
        }
        return 0;
    }
    return policy_print(&cell->policy, text, bytes);
}

const char *cordon_isolation_name(uint32_t bit)
{
    return isolation_name(bit);
}

void cordon_cell_stats(const struct cordon_cell *cell, struct cordon_cell_stats *ret_stats)
{
    cell_stats(cell, ret_stats);
}

int cordon_bind(struct cordon_cell *cell, const char *prototype, uint32_t require,
                struct cordon_function **ret_function, struct cordon_error *ret_error)
{
    if (!cell || !prototype || !*prototype || !ret_function) {
        return message_set(
            text_of(ret_error), -EINVAL,
            "cell, prototype and ret_function must not be NULL, nor the prototype empty");
    }
    return cell_bind(cell, prototype, require, ret_function, text_of(ret_error));
}

int cordon_bind_plan(struct cordon_cell *cell, const void *plan, size_t plan_bytes,
                     uint32_t require, struct cordon_function **ret_function,
                     struct cordon_error *ret_error)
{
    if (!cell || !plan || !ret_function || (uintptr_t)plan % 8 != 0) {
        return message_set(
            text_of(ret_error), -EINVAL,
            "cell, plan and ret_function must not be NULL, and the plan aligned to 8");
    }
    return cell_bind_plan(cell, plan, plan_bytes, require, ret_function, text_of(ret_error));
}

int cordon_cell_on_start(struct cordon_cell *cell, struct cordon_function *function,
                         const struct cordon_value *args, size_t count,
                         struct cordon_error *ret_error)
{
    if (!cell || !function || function->cell != cell || (count > 0 && !args)) {
        return message_set(
            text_of(ret_error), -EINVAL,
            "cell and function must not be NULL, the function bound in the cell, and "
            "args given");
    }
    int r = cell_usable(cell, text_of(ret_error));
    return r != 0 ? r : on_start_add(cell, function, args, count, text_of(ret_error));
}

const void *cordon_function_plan(const struct cordon_function *function, size_t *ret_bytes)
{
    if (ret_bytes) {
        *ret_bytes = function->plan_bytes;
    }
    return function->plan;
}
