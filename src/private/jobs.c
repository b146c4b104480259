/* SPDX-License-Identifier: Apache-2.0 */
#include "private/jobs.h"

#include <errno.h>
#include <sys/eventfd.h>
#include <unistd.h>

int jobs_init(struct jobs *jobs)
{
    *jobs = (struct jobs){.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
    (void)pthread_mutex_init(&jobs->lock, NULL);
    return jobs->fd < 0 ? -errno : 0;
}

static void finish(struct job *job)
{
    struct jobs *jobs = job->jobs;
    uint64_t one = 1;
    (void)pthread_mutex_lock(&jobs->lock);
    job->next = jobs->finished;
    jobs->finished = job;
    (void)pthread_mutex_unlock(&jobs->lock);
    (void)!write(jobs->fd, &one, sizeof one); /* it only fails when it is readable already */
}

static void *work(void *context)
{
    struct job *job = context;
    job->work(job);
    finish(job);
    return NULL;
}

/* Without a thread the work is done here: everybody waits, nothing is lost. */
static void run(struct job *job)
{
    pthread_t thread;
    job->jobs->running++;
    if (pthread_create(&thread, NULL, work, job) == 0) {
        (void)pthread_detach(thread);
    } else {
        (void)work(job);
    }
}

void jobs_add(struct jobs *jobs, struct job *job)
{
    job->jobs = jobs;
    job->next = NULL;
    if (jobs->running < JOBS_MAX) {
        run(job);
        return;
    }
    if (jobs->waiting) {
        jobs->waiting_last->next = job;
    } else {
        jobs->waiting = job;
    }
    jobs->waiting_last = job;
}

static struct job *take_finished(struct jobs *jobs)
{
    (void)pthread_mutex_lock(&jobs->lock);
    struct job *finished = jobs->finished;
    jobs->finished = NULL;
    (void)pthread_mutex_unlock(&jobs->lock);
    return finished;
}

void jobs_dispatch(struct jobs *jobs)
{
    uint64_t count;
    (void)!read(jobs->fd, &count, sizeof count);
    for (struct job *job = take_finished(jobs); job;) {
        struct job *next = job->next;
        jobs->running--;
        job->done(job);
        job = next;
    }
    while (jobs->waiting && jobs->running < JOBS_MAX) {
        struct job *job = jobs->waiting;
        jobs->waiting = job->next;
        run(job);
    }
}
