/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cordon-symbolize: a capture becomes a report.
 *
 * How it works. The process that was started opens the report's file and starts another one, which gives
 * up what it can do (confine.c) before it reads anything of the capture but its reason, and then
 * writes the report into the file. The first one waits, names the file, and removes what is too old. When
 * the second one fails or takes too long - the files of a hostile library are made for that - or somebody is in
 * a hurry (SIGTERM), the first one writes what the keeper itself knew.
 */

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <jansson.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "report/directory.h"
#include "report/symbolize.h"
#include "report/symbolize/confine.h"
#include "report/symbolize/evidence.h"
#include "report/symbolize/story.h"

#define NICE 10

struct job {
    struct capture_reason reason;
    struct card_header card;
    bool has_card;
    int card_fd; /* -1: none, as the next two */
    int h_fd;
    int recording_fd;
    char temporary[DIRECTORY_NAME_BYTES];
};

/* ---- Child ------------------------------------------------------------------------------------- */

static int write_json(int file, const json_t *report)
{
    char *text = json_dumps(report, JSON_INDENT(1) | JSON_ENSURE_ASCII);
    size_t length = text ? strlen(text) : 0;
    size_t at = 0;
    while (at < length) {
        ssize_t count = write(file, text + at, length - at);
        if (count <= 0) {
            break;
        }
        at += (size_t)count;
    }
    free(text);
    return length > 0 && at == length ? 0 : -EIO;
}

/* Never returns: what it has read may have broken this process. */
static void tell(const struct job *job, int file)
{
    static struct evidence evidence;
    static struct modules modules;
    struct evidence_fds fds = {.capture = SYMBOLIZE_FD_CAPTURE,
                               .card = job->card_fd,
                               .h = job->h_fd,
                               .recording = job->recording_fd};
    /*
     * Nobody waits for a report as callers wait for their answers. But it has to be there in time: 40 ms of work take
     * 0.4 s beside a busy program on each CPU, at nice 19 they took 3.
     */
    (void)setpriority(PRIO_PROCESS, 0, NICE);
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 ||
        confine(job->has_card ? job->card.library : "") < 0 || evidence_load(&evidence, &fds) < 0) {
        _exit(SYMBOLIZE_NONE);
    }
    modules_open(&modules, &evidence);
    _exit(write_json(file, story_tell(&evidence, &modules)) == 0 ? SYMBOLIZE_COMPLETE
                                                                 : SYMBOLIZE_NONE);
}

/* ---- Parent ------------------------------------------------------------------------------------ */

/* A handler that does nothing ends the wait. */
static void on_hurry(int signal)
{
    (void)signal;
}

/* As poll(): 0 when it takes too long, -1 when somebody is in a hurry. */
static int await(struct pollfd *end)
{
    const struct timespec patience = {.tv_sec = SYMBOLIZE_SECONDS - 1};
    const struct sigaction action = {.sa_handler = on_hurry};
    sigset_t none;
    (void)sigemptyset(&none);
    (void)sigaction(SIGTERM, &action, NULL);
    return ppoll(end, 1, &patience, &none);
}

/* Not before a report of some kind can be left behind. */
static void put_hurry_off(void)
{
    sigset_t hurry;
    (void)sigemptyset(&hurry);
    (void)sigaddset(&hurry, SIGTERM);
    (void)sigprocmask(SIG_BLOCK, &hurry, NULL);
}

/* 0: it wrote a report; else a sentence why not. */
static const char *run_child(const struct job *job, int file)
{
    pid_t pid = fork();
    if (pid == 0) {
        tell(job, file);
    }
    OWN_FD pidfd = pid > 0 ? (int)syscall(SYS_pidfd_open, pid, 0) : -1;
    struct pollfd end = {.fd = pidfd, .events = POLLIN};
    if (pid < 0) {
        return "no process could be made for it";
    }
    bool late = pidfd < 0 || await(&end) <= 0;
    if (late) {
        (void)kill(pid, SIGKILL);
    }
    int status = 0;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    if (late) {
        return "reading the capture took too long, or nobody could wait for it";
    }
    if (WIFSIGNALED(status)) {
        return "reading the capture crashed";
    }
    return WEXITSTATUS(status) == SYMBOLIZE_COMPLETE ? NULL : "the capture could not be read";
}

static void printable(const char *text, char *clean, size_t size)
{
    size_t i = 0;
    for (; i + 1 < size && text[i]; i++) {
        bool fine = isprint((unsigned char)text[i]) && text[i] != '"' && text[i] != '\\';
        clean[i] = fine ? text[i] : '?';
    }
    clean[i] = '\0';
}

/* What the keeper knew. */
static int write_poor(const struct job *job, int file, const char *why)
{
    static const char *const names[CAPTURE_WHY_COUNT] = {
        "",       "crash",           "hang",        "exit", "violation", "recycled",
        "killed", "broken-protocol", "start-failed"};
    const struct capture_reason *reason = &job->reason;
    char text[CAPTURE_REASON_TEXT];
    char library[CARD_TEXT_BYTES];
    printable(reason->text, text, sizeof text);
    printable(job->card.library, library, sizeof library);
    if (ftruncate(file, 0) != 0 || lseek(file, 0, SEEK_SET) != 0) {
        return -errno;
    }
    int length = dprintf(
        file,
        "{\"cordon_report\": %d, \"id\": \"%016" PRIx64 "\", \"when_ns\": %" PRIu64
        ", \"what\": \"%s\", \"ended\": %s, \"summary\": \"%s (no more could be found out)\", "
        "\"cell\": {\"library\": \"%s\"}, \"worker\": {\"number\": %" PRIu32 ", \"pid\": %" PRIu32
        "}, \"call\": {\"number\": %" PRIu32 ", \"function_id\": %" PRIu32
        "}, \"signal_number\": %d, \"exit_status\": %d, \"text\": \"%s\", \"notes\": [\"%s\"]}\n",
        REPORT_VERSION, reason->report_id, reason->realtime_ns, names[reason->why],
        reason->flags & CAPTURE_ENDED ? "true" : "false", names[reason->why],
        job->has_card ? library : "", reason->worker, reason->pid, reason->seq, reason->function_id,
        reason->signal, reason->status, text, why);
    return length > 0 ? 0 : -EIO;
}

static int optional_fd(int fd)
{
    return fcntl(fd, F_GETFD) >= 0 ? fd : -1;
}

/* Of the capture no more than the reason, which the keeper wrote; of the card its header. */
static int read_job(struct job *job)
{
    _Alignas(8) uint8_t start[sizeof(struct capture_header) + sizeof(struct capture_section) +
                              sizeof(struct capture_reason)];
    struct capture_reader reader;
    job->card_fd = optional_fd(SYMBOLIZE_FD_CARD);
    job->h_fd = optional_fd(SYMBOLIZE_FD_H);
    job->recording_fd = optional_fd(SYMBOLIZE_FD_RECORDING);
    if (pread(SYMBOLIZE_FD_CAPTURE, start, sizeof start, 0) != (ssize_t)sizeof start ||
        capture_read(&reader, start, sizeof start, &job->reason) < 0) {
        return -EBADMSG;
    }
    if (job->card_fd >= 0 &&
        pread(job->card_fd, &job->card, sizeof job->card, 0) == (ssize_t)sizeof job->card &&
        job->card.magic == CARD_MAGIC && job->card.version == CARD_VERSION) {
        job->has_card = true;
        job->card.library[sizeof job->card.library - 1] = '\0';
    }
    (void)snprintf(job->temporary, sizeof job->temporary, ".%016" PRIx64 ".tmp",
                   job->reason.report_id);
    return 0;
}

int main(void)
{
    struct job job = {0};
    (void)umask(077);
    put_hurry_off();
    if (read_job(&job) < 0) {
        return SYMBOLIZE_NONE;
    }
    (void)unlinkat(SYMBOLIZE_FD_DIRECTORY, job.temporary, 0);
    OWN_FD file = openat(SYMBOLIZE_FD_DIRECTORY, job.temporary,
                         O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (file < 0) {
        return SYMBOLIZE_NONE;
    }
    const char *why = run_child(&job, file);
    char name[DIRECTORY_NAME_BYTES];
    (void)directory_name(job.reason.report_id, job.reason.part, name);
    if ((why && write_poor(&job, file, why) < 0) ||
        renameat(SYMBOLIZE_FD_DIRECTORY, job.temporary, SYMBOLIZE_FD_DIRECTORY, name) != 0) {
        (void)unlinkat(SYMBOLIZE_FD_DIRECTORY, job.temporary, 0);
        return SYMBOLIZE_NONE;
    }
    bool bounded = job.has_card && job.card.reports_max > 0 && job.card.report_bytes_max > 0;
    directory_prune(SYMBOLIZE_FD_DIRECTORY, bounded ? job.card.reports_max : DIRECTORY_FILES,
                    bounded ? job.card.report_bytes_max : DIRECTORY_BYTES, job.reason.report_id);
    return why ? SYMBOLIZE_POOR : SYMBOLIZE_COMPLETE;
}
