/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PRIVATE_JOBS_H
#define PRIVATE_JOBS_H

/*
 * Jobs: what may wait for a worker or a disk, done on a thread of its own, and finished on the one that
 * asked, when jobs_fd() is readable.
 *
 * Threads: all functions are the asker's; job->work runs on the job's thread.
 */

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#define JOBS_MAX 16u /* threads at once; further jobs wait */

struct job {
    struct job *next;
    struct jobs *jobs;
    void (*work)(struct job *job); /* on its thread */
    void (*done)(struct job *job); /* on the asker's: owns the job from then on */
};

struct jobs {
    int fd; /* owned; an eventfd */
    uint32_t running;
    struct job *waiting; /* for a thread; oldest first */
    struct job *waiting_last;
    pthread_mutex_t lock; /* guards what follows */
    struct job *finished;
};

/* Returns 0 or a negative errno. */
int jobs_init(struct jobs *jobs);

static inline int jobs_fd(const struct jobs *jobs)
{
    return jobs->fd;
}

/* Have it done. It stays where it is until job->done is called. */
void jobs_add(struct jobs *jobs, struct job *job);

/* Call job->done of those that were worked. */
void jobs_dispatch(struct jobs *jobs);

#endif
