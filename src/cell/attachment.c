/* SPDX-License-Identifier: Apache-2.0 */
#include "cell/attachment.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/clock.h"
#include "base/limits.h"
#include "lane/provision.h"
#include "prototype/prototype.h"

static struct attached_seat *find_free(struct attachment *attachment)
{
    struct attached_seat *seat = attachment->seats;
    while (seat) {
        struct attached_seat *next = seat->next;
        if (!seat->is_taken && attached_hear(seat)) {
            return seat;
        }
        if (!seat->is_taken) {
            attached_free(seat);
        }
        seat = next;
    }
    return NULL;
}

int attached_take(struct attachment *attachment, uint64_t until_ns, struct attached_seat **ret_seat,
                  struct message *why)
{
    int r = 0;
    (void)pthread_mutex_lock(&attachment->lock);
    struct attached_seat *seat = find_free(attachment);
    if (seat) {
        seat->is_taken = true;
        *ret_seat = seat;
    } else {
        r = attached_new(attachment, until_ns, ret_seat, why);
    }
    (void)pthread_mutex_unlock(&attachment->lock);
    return r;
}

void attached_give(struct attached_seat *seat)
{
    if (!seat) {
        return;
    }
    struct attachment *attachment = seat->attachment;
    attached_end(seat);
    (void)pthread_mutex_lock(&attachment->lock);
    seat->worker = 0;
    seat->verdict = LANE_ALIVE;
    attached_forget_board(seat);
    seat->is_taken = false;
    if (seat->socket < 0) {
        attached_free(seat);
    }
    (void)pthread_mutex_unlock(&attachment->lock);
}

int attachment_open(const char *gateway, const char *cell, struct attachment **ret_attachment,
                    struct message *why)
{
    struct attachment *attachment = calloc(1, sizeof *attachment);
    if (!attachment) {
        return message_set(why, -ENOMEM, "not enough memory to attach");
    }
    (void)pthread_mutex_init(&attachment->lock, NULL);
    attachment->gateway = strdup(gateway);
    attachment->cell = strdup(cell);
    struct attached_seat *seat = NULL;
    int r =
        attachment->gateway && attachment->cell
            ? attached_take(attachment, clock_after_ns(LIMIT_START_MS * CLOCK_MS_NS), &seat, why)
            : message_set(why, -ENOMEM, "not enough memory to attach");
    if (r != 0) {
        attachment_close(attachment, false);
        return r;
    }
    attached_give(seat);
    *ret_attachment = attachment;
    return 0;
}

void attachment_close(struct attachment *attachment, bool is_child)
{
    if (!attachment) {
        return;
    }
    attachment->is_child = is_child;
    while (attachment->seats) {
        attached_free(attachment->seats);
    }
    if (attachment->plans && !is_child) {
        (void)munmap((void *)(uintptr_t)attachment->plans, attachment->plans_bytes);
    }
    (void)pthread_mutex_destroy(&attachment->lock);
    free(attachment->gateway);
    free(attachment->cell);
    free(attachment);
}

/* Functions first, their ids in order; then types. */
static int list_parts(const struct attachment *attachment, struct interface_part *parts,
                      size_t most, size_t *ret_count)
{
    struct provision_item item;
    size_t count = 0;
    int64_t at = provision_begin(attachment->plans, attachment->plans_bytes);
    while (at > 0 && (at = provision_next(attachment->plans, at, &item)) > 0) {
        bool is_type = item.record.kind == PROVISION_TYPE;
        if (count == most || (is_type ? !item.name : item.record.id != count) ||
            (!is_type && item.record.kind != PROVISION_BIND)) {
            return -EBADMSG;
        }
        parts[count++] = (struct interface_part){.type_name = is_type ? item.name : NULL,
                                                 .plan = item.bytes,
                                                 .plan_bytes = item.record.bytes};
    }
    *ret_count = count;
    return at < 0 ? (int)at : 0;
}

int attachment_interface(const struct attachment *attachment, struct interface **ret_interface,
                         struct message *why)
{
    int64_t begin = provision_begin(attachment->plans, attachment->plans_bytes);
    const struct provision_header *header = attachment->plans;
    size_t most = begin > 0 ? header->count : 0;
    if (begin < 0 || most > attachment->plans_bytes / sizeof(struct provision_record)) {
        return message_set(why, -EBADMSG, "what the daemon lends is not of this version");
    }
    struct interface_part *parts = calloc(most + 1, sizeof *parts);
    if (!parts) {
        return message_set(why, -ENOMEM, "not enough memory for an interface");
    }
    size_t count = 0;
    int r = list_parts(attachment, parts, most, &count);
    r = r < 0 ? message_set(why, r, "what the daemon lends is damaged")
              : interface_of_plans(parts, count, ret_interface, why);
    free(parts);
    return r;
}
