/* SPDX-License-Identifier: Apache-2.0 */
#include "keeper/finding.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/sched.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/message.h"
#include "base/reach.h"
#include "keeper/named.h"
#include "lane/start.h"
#include "policy/remedy.h"

#if defined(__x86_64__)
#define OWN_ARCHITECTURE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define OWN_ARCHITECTURE AUDIT_ARCH_AARCH64
#endif

/* ---- Words ------------------------------------------------------------------------------------- */

static void say_call(const struct notice *notice, char *text, size_t bytes)
{
    const char *name =
        notice->architecture == OWN_ARCHITECTURE ? syscall_name(notice->system_call) : NULL;
    if (name) {
        (void)snprintf(text, bytes, "%s", name);
    } else if (notice->architecture == OWN_ARCHITECTURE) {
        (void)snprintf(text, bytes, "system call %u", notice->system_call);
    } else {
        (void)snprintf(text, bytes, "system call %u of another architecture", notice->system_call);
    }
}

/* Bytes of the worker's, as a person may see them: a name with a line break in it is no second line. */
static void clean_line(const char *foreign, struct message *ret_clean)
{
    message_set_foreign(ret_clean, foreign, strlen(foreign));
    for (char *at = strchr(ret_clean->text, '\n'); at; at = strchr(at, '\n')) {
        *at = '?';
    }
}

/* What is too long loses its middle. */
static void add_foreign(char *text, size_t bytes, const char *foreign)
{
    struct message clean;
    clean_line(foreign, &clean);
    size_t used = strlen(text);
    size_t room = bytes - used - 1;
    size_t length = strlen(clean.text);
    if (length <= room) {
        memcpy(text + used, clean.text, length + 1);
        return;
    }
    size_t half = (room - 3) / 2;
    (void)snprintf(text + used, bytes - used, "%.*s...%s", (int)half, clean.text,
                   clean.text + length - half);
}

/* Whole, or not at all: another path would be another grant. */
static void set_grant(char *grant, const char *text)
{
    struct message clean;
    clean_line(text, &clean);
    bool whole = strcmp(clean.text, text) == 0 && strlen(text) < LANE_GRANT_BYTES;
    (void)snprintf(grant, LANE_GRANT_BYTES, "%s", whole ? text : "");
}

void finding_sentence(const struct lane_act *act, char *text, size_t bytes)
{
    int length = snprintf(text, bytes, "the library called %s, which its policy forbids", act->act);
    if (act->grant[0] && length > 0 && (size_t)length < bytes) {
        (void)snprintf(text + length, bytes - (size_t)length, "; %s would allow it", act->grant);
    }
}

/* ---- Judging ----------------------------------------------------------------------------------- */

static void forbid(const struct notice *notice, int error, struct finding *finding)
{
    finding->kind = FINDING_FORBIDDEN;
    finding->act = (struct lane_act){.system_call = (int32_t)notice->system_call, .error = error};
    say_call(notice, finding->act.act, sizeof finding->act.act);
    if (notice->architecture == OWN_ARCHITECTURE) {
        char grant[REMEDY_BYTES] = "";
        remedy_for_call(notice->system_call, notice->arguments, grant, sizeof grant);
        set_grant(finding->act.grant, grant);
    }
}

static int loading_allows(void *context, const struct policy_path *path)
{
    const char *wanted = context;
    size_t length = strlen(path->path);
    bool beneath = length == 1 || (strncmp(wanted, path->path, length) == 0 &&
                                   (wanted[length] == '\0' || wanted[length] == '/'));
    return beneath;
}

static bool may_open(const struct finding_scene *scene, struct named *named)
{
    bool writing = named->writing || (named->creates && named->state == NAMED_NEW);
    return policy_may_open(scene->policy, named->path, writing) ||
           (scene->loading && !writing &&
            policy_each_loading_path(scene->policy, scene->library, loading_allows, named->path) !=
                0);
}

static void name_path(const struct named *named, struct finding *finding)
{
    struct lane_act *act = &finding->act;
    size_t used = strlen(act->act);
    if (named->state == NAMED_UNKNOWN) {
        (void)snprintf(act->act + used, sizeof act->act - used, " (path unknown)");
        return;
    }
    act->act[used++] = ' ';
    act->act[used] = '\0';
    add_foreign(act->act, sizeof act->act, named->path);
    const char *operand = strstr(act->grant, ":PATH");
    if (named->opens || operand) {
        char grant[PATH_MAX + 16] = "";
        remedy_for_open(named->path, named->writing || named->creates, grant, sizeof grant);
        set_grant(act->grant, grant);
    }
}

/*
 * There is no Landlock. While the library is loaded, all may be read, as by the loader; behind that, nothing: a
 * path that is not there when it is looked at may be there when the call goes on, so the keeper answers.
 */
static void judge_unguarded_open(const struct finding_scene *scene, const struct notice *notice,
                                 const struct named *named, struct finding *finding)
{
    bool there = named->state != NAMED_MISSING && (named->state != NAMED_NEW || named->creates);
    if (scene->loading && !named->writing && !named->creates) {
        finding->kind = FINDING_HARMLESS;
    } else if (there || scene->loading) {
        forbid(notice, EACCES, finding);
        name_path(named, finding);
    } else {
        finding->kind = FINDING_DONE;
        finding->act.error = ENOENT;
    }
}

/* Opening is forbidden outside the grants; other calls with a name came here because they are at all. */
static void judge_named(const struct finding_scene *scene, const struct notice *notice,
                        struct finding *finding)
{
    static struct named named; /* too large for a stack; the keeper has one thread */
    named_find(scene->process, notice, &named);
    if (named.opens && !scene->files_guarded) {
        judge_unguarded_open(scene, notice, &named, finding);
        return;
    }
    if (named.opens && (named.state == NAMED_UNKNOWN || named.state == NAMED_MISSING ||
                        (named.state == NAMED_NEW && !named.creates) || may_open(scene, &named))) {
        finding->kind = FINDING_HARMLESS;
        return;
    }
    forbid(notice, EACCES, finding);
    name_path(&named, finding);
}

/* Folders of /proc count their threads as links. */
static uint32_t count_threads(int process)
{
    struct stat stat;
    if (process < 0 || fstatat(process, "task", &stat, 0) != 0 || stat.st_nlink < 2) {
        return 0;
    }
    return (uint32_t)stat.st_nlink - 2;
}

static void judge_clone(const struct finding_scene *scene, const struct notice *notice,
                        struct finding *finding)
{
    if (!(notice->arguments[0] & CLONE_THREAD)) {
        forbid(notice, EPERM, finding);
    } else if (count_threads(scene->process) < scene->policy->threads) {
        finding->kind = FINDING_HARMLESS;
    } else {
        forbid(notice, EAGAIN, finding);
        (void)snprintf(finding->act.act, sizeof finding->act.act, "clone (one thread more than %u)",
                       scene->policy->threads);
        (void)snprintf(finding->act.grant, sizeof finding->act.grant, "threads:%u",
                       scene->policy->threads + 1);
    }
}

/* "connect:PORT" with the port that the worker says. */
static void judge_port(const struct notice *notice, struct finding *finding)
{
    struct sockaddr_in address = {0};
    forbid(notice, EPERM, finding);
    struct lane_act *act = &finding->act;
    char *operand = strstr(act->grant, "PORT");
    size_t bytes = reach_bytes(notice->thread, notice->arguments[1], &address, sizeof address);
    if (bytes < offsetof(struct sockaddr_in, sin_addr)) {
        return;
    }
    if (address.sin_family == AF_UNIX) {
        set_grant(act->grant, "unix");
    } else if ((address.sin_family == AF_INET || address.sin_family == AF_INET6) && operand) {
        size_t used = strlen(act->act);
        (void)snprintf(act->act + used, sizeof act->act - used, " port %u",
                       ntohs(address.sin_port));
        (void)snprintf(operand, sizeof "PORT5+", "%u", ntohs(address.sin_port));
    }
}

/* Pipes, sockets and events: whose flags reach no further, and which no server answers for. */
static bool is_private(int process, int fd)
{
    static const char *const kinds[] = {"pipe:", "socket:", "anon_inode:"};
    char path[24];
    char target[16] = "";
    (void)snprintf(path, sizeof path, "fd/%d", fd);
    if (process < 0 || readlinkat(process, path, target, sizeof target - 1) <= 0) {
        return false;
    }
    bool found = false;
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        found = found || strncmp(target, kinds[i], strlen(kinds[i])) == 0;
    }
    return found;
}

/*
 * Flags without O_APPEND. Let go on, the call could meet another file than the one that was looked at:
 * the keeper takes that file and sets them itself, unless it loses O_APPEND by it.
 */
static void judge_flags(const struct finding_scene *scene, const struct notice *notice,
                        struct finding *finding)
{
    int number = (int)notice->arguments[0];
    forbid(notice, EPERM, finding);
    if ((uint32_t)notice->arguments[1] != F_SETFL || !is_private(scene->process, number)) {
        return;
    }
    OWN_FD fd = (int)syscall(SYS_pidfd_getfd, scene->pidfd, number, 0);
    int now = fd < 0 ? -1 : fcntl(fd, F_GETFL);
    if (now >= 0 && !(now & O_APPEND)) {
        int flags = (int)notice->arguments[2] & (O_NONBLOCK | O_DIRECT);
        finding->kind = FINDING_DONE;
        finding->act.error = fcntl(fd, F_SETFL, flags) == 0 ? 0 : errno;
    }
}

/* Threads of the worker itself, and none of a process that it was allowed to make. */
static bool is_own(const struct finding_scene *scene, const struct notice *notice)
{
    return notice->thread > 0 && syscall(SYS_tgkill, scene->pid, notice->thread, 0) == 0;
}

void finding_make(const struct finding_scene *scene, const struct notice *notice,
                  struct finding *ret_finding)
{
    struct finding_scene own = *scene;
    bool worker = is_own(scene, notice);
    memset(ret_finding, 0, sizeof *ret_finding);
    if (!worker) {
        own.process = -1;
    }
    if (notice->architecture != OWN_ARCHITECTURE) {
        forbid(notice, EPERM, ret_finding);
        return;
    }
    switch (notice->system_call) {
    case START_ALARM_CALL:
        ret_finding->kind = worker ? FINDING_CRASH : FINDING_NOTHING;
        return;
    case SYS_exit_group:
        ret_finding->kind = worker ? FINDING_EXIT : FINDING_HARMLESS;
        return;
    case SYS_clone:
        judge_clone(&own, notice, ret_finding);
        return;
    case SYS_connect:
    case SYS_bind:
        judge_port(notice, ret_finding);
        return;
    case SYS_fcntl:
        judge_flags(&own, notice, ret_finding);
        return;
    default:
        break;
    }
    if (named_takes(notice->system_call) && notice->system_call != SYS_execve &&
        notice->system_call != SYS_execveat) {
        judge_named(&own, notice, ret_finding);
        return;
    }
    forbid(notice, EPERM, ret_finding);
    if (named_takes(notice->system_call)) {
        static struct named program;
        named_find(own.process, notice, &program);
        name_path(&program, ret_finding);
    }
}
