/* SPDX-License-Identifier: Apache-2.0 */
#include "keeper/reports.h"

#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "keeper/spawn.h"
#include "report/symbolize.h"

void reports_init(struct reports *reports, int program)
{
    memset(reports, 0, sizeof *reports);
    reports->program = program;
    reports->child_pidfd = -1;
}

/* ---- How many ---------------------------------------------------------------------------------- */

/* The cell's entry, or that of the one whose burst is over longest. */
static struct reports_cell *find_cell(struct reports *reports, const struct stat *stat)
{
    struct reports_cell *oldest = &reports->cells[0];
    for (uint32_t i = 0; i < REPORTS_CELLS; i++) {
        struct reports_cell *cell = &reports->cells[i];
        if (cell->device == (uint64_t)stat->st_dev && cell->inode == (uint64_t)stat->st_ino) {
            return cell;
        }
        oldest = cell->full_ns < oldest->full_ns ? cell : oldest;
    }
    *oldest =
        (struct reports_cell){.device = (uint64_t)stat->st_dev, .inode = (uint64_t)stat->st_ino};
    return oldest;
}

/* NULL: neither is there. */
static struct reports_cell *cell_of(struct reports *reports, int card, int directory)
{
    struct stat stat;
    return fstat(card >= 0 ? card : directory, &stat) == 0 ? find_cell(reports, &stat) : NULL;
}

static void miss(struct reports *reports, int card, int directory, uint32_t count)
{
    struct reports_cell *cell = cell_of(reports, card, directory);
    if (cell) {
        cell->missed += count;
    }
}

/* What is being taken may get as large as a capture may be. */
static bool has_place(const struct reports *reports)
{
    uint64_t bytes = (reports->promised + 1ull) * CAPTURE_BYTES_MAX + reports->waiting_bytes;
    return reports->waiting + reports->promised < REPORTS_WAITING && bytes <= REPORTS_BYTES;
}

bool reports_allow(struct reports *reports, enum reports_kind kind, int card, int directory,
                   uint32_t *ret_missed)
{
    struct reports_cell *cell = reports->program >= 0 ? cell_of(reports, card, directory) : NULL;
    uint64_t now = clock_now_ns();
    if (!cell || now < cell->minor_ns[kind]) {
        return false;
    }
    uint64_t from = cell->full_ns > now ? cell->full_ns : now;
    if (!has_place(reports) || from - now > (REPORTS_BURST - 1) * REPORTS_EVERY_NS) {
        cell->missed++;
        return false;
    }
    cell->full_ns = from + REPORTS_EVERY_NS;
    cell->minor_ns[kind] = kind == REPORTS_END ? 0 : now + REPORTS_MINOR_NS;
    *ret_missed = cell->missed;
    cell->missed = 0;
    reports->promised++;
    return true;
}

void reports_cancel(struct reports *reports, int card, int directory, uint32_t missed)
{
    reports->promised--;
    miss(reports, card, directory, missed + 1);
}

/* ---- One after the other ----------------------------------------------------------------------- */

static void release(struct reports_fds *fds)
{
    fd_release(&fds->capture);
    fd_release(&fds->directory);
    fd_release(&fds->card);
    fd_release(&fds->h);
    fd_release(&fds->recording);
}

static void hurry(const struct reports *reports)
{
    (void)syscall(SYS_pidfd_send_signal, reports->child_pidfd, SIGTERM, NULL, 0);
}

static uint64_t bytes_of(const struct reports_fds *fds)
{
    struct stat stat;
    return fstat(fds->capture, &stat) == 0 && stat.st_size > 0 ? (uint64_t)stat.st_size : 0;
}

static void run(struct reports *reports, struct reports_fds *fds)
{
    struct spawn_child child;
    int numbers[SPAWN_FDS] = {-1, -1, -1, -1, -1, -1, -1, -1, -1};
    _Static_assert(SYMBOLIZE_FD_END <= SPAWN_FDS, "they have a place");
    numbers[SYMBOLIZE_FD_CAPTURE] = fds->capture;
    numbers[SYMBOLIZE_FD_DIRECTORY] = fds->directory;
    numbers[SYMBOLIZE_FD_CARD] = fds->card;
    numbers[SYMBOLIZE_FD_H] = fds->h;
    numbers[SYMBOLIZE_FD_RECORDING] = fds->recording;
    if (spawn_program(reports->program, "cordon-symbolize", numbers, &child) == 0) {
        reports->child = child.pid;
        reports->child_pidfd = child.pidfd;
        reports->child_until_ns = clock_after_ns(REPORTS_TIME_NS);
        /* Calls and fresh workers come first; the time limit is long enough for both. */
        (void)setpriority(PRIO_PROCESS, (id_t)child.pid, REPORTS_NICE);
        if (reports->hurries) {
            hurry(reports);
        }
    } else {
        miss(reports, fds->card, fds->directory, 1);
    }
    release(fds);
}

static void run_next(struct reports *reports)
{
    while (reports->child == 0 && reports->waiting > 0) {
        struct reports_fds next = reports->queue[0];
        reports->waiting--;
        reports->waiting_bytes -= bytes_of(&next);
        memmove(&reports->queue[0], &reports->queue[1], reports->waiting * sizeof next);
        run(reports, &next);
    }
}

void reports_make(struct reports *reports, struct reports_fds *fds)
{
    reports->promised--;
    reports->waiting_bytes += bytes_of(fds);
    reports->queue[reports->waiting++] = *fds;
    *fds = (struct reports_fds){-1, -1, -1, -1, -1};
    run_next(reports);
}

bool reports_has_pid(const struct reports *reports, pid_t pid)
{
    return reports->child != 0 && reports->child == pid;
}

bool reports_exited(struct reports *reports, pid_t pid)
{
    if (!reports_has_pid(reports, pid)) {
        return false;
    }
    (void)waitid(P_PIDFD, (id_t)reports->child_pidfd, NULL, WEXITED | __WALL);
    fd_release(&reports->child_pidfd);
    reports->child = 0;
    run_next(reports);
    return true;
}

uint64_t reports_due_ns(const struct reports *reports)
{
    return reports->child != 0 ? reports->child_until_ns : CLOCK_NEVER;
}

void reports_time(struct reports *reports)
{
    if (reports->child != 0 && clock_now_ns() >= reports->child_until_ns) {
        (void)syscall(SYS_pidfd_send_signal, reports->child_pidfd, SIGKILL, NULL, 0);
        reports->child_until_ns = CLOCK_NEVER; /* its end comes as a child's */
    }
}

bool reports_busy(const struct reports *reports)
{
    return reports->child != 0 || reports->waiting > 0;
}

void reports_hurry(struct reports *reports)
{
    if (reports->child != 0 && !reports->hurries) {
        hurry(reports);
    }
    reports->hurries = true;
}
