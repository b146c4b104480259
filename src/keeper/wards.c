/* SPDX-License-Identifier: Apache-2.0 */
#include "keeper/wards.h"

#include <stddef.h>
#include <stdio.h>

#include "base/clock.h"
#include "keeper/reports.h"
#include "keeper/strays.h"
#include "keeper/taking.h"

void wards_init(struct wards *wards, int program, uint32_t mechanisms)
{
    wards->house = (struct ward_house){
        .program = program, .mechanisms = mechanisms, .events = -1, .epoll = -1};
    wards->top = 0;
}

static struct ward *free_entry(struct wards *wards)
{
    for (uint32_t i = 0; i < wards->top; i++) {
        if (wards->ward[i].state == WARD_NOTHING) {
            return &wards->ward[i];
        }
    }
    return wards->top < WARDS_MAX ? &wards->ward[wards->top++] : NULL;
}

struct ward *wards_start(struct wards *wards, const struct errand *errand, struct ward_fds *fds)
{
    char text[128];
    if (wards_find(wards, errand->worker)) {
        (void)snprintf(text, sizeof text, "worker %u is there already", errand->worker);
        (void)ward_refuse(fds, text);
        return NULL;
    }
    struct ward *ward = free_entry(wards);
    if (!ward) {
        (void)snprintf(text, sizeof text, "too many workers: the limit WARDS_MAX is %u", WARDS_MAX);
        (void)ward_refuse(fds, text);
        return NULL;
    }
    if (ward_start(ward, &wards->house, errand, fds) < 0 || ward->state != WARD_STARTING) {
        return NULL;
    }
    ward->listener_source = WARDS_LISTENERS + wards_index(wards, ward);
    return ward;
}

struct ward *wards_find(struct wards *wards, uint32_t worker)
{
    for (uint32_t i = 0; i < wards->top; i++) {
        if (wards->ward[i].state != WARD_NOTHING && wards->ward[i].worker == worker) {
            return &wards->ward[i];
        }
    }
    return NULL;
}

/* A swept ward's process is reaped: its number may be another's by now. */
struct ward *wards_find_pid(struct wards *wards, pid_t pid)
{
    for (uint32_t i = 0; i < wards->top; i++) {
        struct ward *ward = &wards->ward[i];
        if (ward->state != WARD_NOTHING && ward->state != WARD_SWEEPING && ward->pid == pid) {
            return ward;
        }
    }
    return NULL;
}

bool wards_has_pid(void *wards, int pid)
{
    const struct wards *all = wards;
    return wards_find_pid(wards, pid) != NULL ||
           (all->house.reports && reports_has_pid(all->house.reports, pid));
}

uint32_t wards_index(const struct wards *wards, const struct ward *ward)
{
    return (uint32_t)(ward - wards->ward);
}

void wards_answer(struct wards *wards, uint32_t index)
{
    struct ward *ward = &wards->ward[index];
    if (index < wards->top && ward->start_socket >= 0 &&
        (ward->state == WARD_STARTING || ward->state == WARD_MOURNED ||
         ward->state == WARD_CAPTURING || ward->state == WARD_ENDING)) {
        ward_step(ward, WARD_ANSWER);
    }
}

void wards_notice(struct wards *wards, uint32_t index)
{
    struct ward *ward = &wards->ward[index];
    if (index < wards->top && ward->state != WARD_NOTHING && ward->listening) {
        ward_step(ward, WARD_NOTICE);
    }
}

void wards_stopped(struct wards *wards, pid_t id)
{
    for (uint32_t i = 0; i < wards->top; i++) {
        struct ward *ward = &wards->ward[i];
        if (ward->state == WARD_CAPTURING && taking_stopped(ward->taking, id, ward->blamed)) {
            ward_step(ward, WARD_STOPPED);
            return;
        }
    }
}

uint64_t wards_due_ns(const struct wards *wards)
{
    uint64_t due = CLOCK_NEVER;
    for (uint32_t i = 0; i < wards->top; i++) {
        uint64_t own = ward_due_ns(&wards->ward[i]);
        due = own < due ? own : due;
    }
    return due;
}

void wards_time(struct wards *wards)
{
    if (wards_due_ns(wards) == CLOCK_NEVER) {
        return;
    }
    uint64_t now = clock_now_ns();
    for (uint32_t i = 0; i < wards->top; i++) {
        if (ward_due_ns(&wards->ward[i]) <= now) {
            ward_step(&wards->ward[i], WARD_TIME);
        }
    }
}

static bool any_in(const struct wards *wards, enum ward_state state)
{
    for (uint32_t i = 0; i < wards->top; i++) {
        if (wards->ward[i].state == state) {
            return true;
        }
    }
    return false;
}

void wards_sweep(struct wards *wards)
{
    if (!any_in(wards, WARD_SWEEPING) || strays_kill(wards_has_pid, wards) > 0) {
        return;
    }
    for (uint32_t i = 0; i < wards->top; i++) {
        if (wards->ward[i].state == WARD_SWEEPING) {
            ward_step(&wards->ward[i], WARD_SWEPT);
        }
    }
}

void wards_end(struct wards *wards)
{
    for (uint32_t i = 0; i < wards->top; i++) {
        if (wards->ward[i].state != WARD_NOTHING) {
            ward_step(&wards->ward[i], WARD_END);
        }
    }
}
