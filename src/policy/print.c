/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "policy/paths.h"
#include "policy/policy.h"
#include "policy/remedy.h"

struct printer {
    char *text;
    size_t bytes; /* of the room */
    size_t used;  /* as if there were room for all */
};

static __attribute__((format(printf, 2, 3))) void add(struct printer *printer, const char *format,
                                                      ...)
{
    size_t at = printer->used < printer->bytes ? printer->used : printer->bytes;
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(printer->text + at, printer->bytes - at, format, arguments);
    va_end(arguments);
    printer->used += length > 0 ? (size_t)length : 0;
}

static void add_port(struct printer *printer, const char *name, uint16_t port)
{
    if (port == 0) {
        add(printer, " %s:*", name);
    } else {
        add(printer, " %s:%u", name, port);
    }
}

static void add_item(struct printer *printer, const struct policy *policy,
                     const struct policy_item *item)
{
    const char *text = policy_text(policy, item);
    const char *name = syscall_name(item->number);
    switch (item->kind) {
    case POLICY_READ:
        add(printer, " read:%s", text);
        return;
    case POLICY_WRITE:
        add(printer, " write:%s", text);
        return;
    case POLICY_DEVICE:
        add(printer, " device:%s", text);
        return;
    case POLICY_CONNECT:
        add_port(printer, "connect", item->number);
        return;
    case POLICY_BIND:
        add_port(printer, "bind", item->number);
        return;
    case POLICY_ENV:
        add(printer, " env:%.*s", (int)strcspn(text, "="), text);
        return;
    case POLICY_SYSCALL:
        add(printer, " syscall:%s", name ? name : "?");
        return;
    default:
        return; /* folders of the loader say nothing about the policy */
    }
}

size_t policy_print(const struct policy *policy, char *text, size_t bytes)
{
    static const char *const presets[] = {"strict", "files", "network", "trusted"};
    struct printer printer = {.text = text, .bytes = bytes};
    add(&printer, "%s:", presets[policy->preset]);
    for (uint32_t bit = 1; bit <= POLICY_EVERYTHING; bit <<= 1) {
        if (policy_has(policy, bit)) {
            add(&printer, " %s", group_name(bit));
        }
    }
    for (uint32_t i = 0; i < policy->item_count; i++) {
        add_item(&printer, policy, &policy->items[i]);
    }
    add(&printer, " on_violation:%s", policy->on_violation == POLICY_KILL ? "kill" : "refuse");
    if (policy->memory_bytes != 0) {
        add(&printer, " memory_bytes:%" PRIu64, policy->memory_bytes);
    }
    add(&printer, " cpu_ms:%" PRIu64 " file_bytes:%" PRIu64 " fds:%" PRIu32 " threads:%" PRIu32,
        policy->cpu_ms, policy->file_bytes, policy->fds, policy->threads);
    return printer.used;
}
