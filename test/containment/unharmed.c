/* SPDX-License-Identifier: Apache-2.0 */
#include "unharmed.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "faults/acts.h"

#define BLOCK_BYTES       200
#define CANARY_BYTES      4096
#define SETTLING_TRIES    100
#define RESIDENT_BYTES    (100l << 20) /* less than what leaks here on purpose */
#define STDERR_TEXT       "what the host wrote\n"
#define STDERR_FLAGS_KEPT (O_ACCMODE | O_APPEND | O_NONBLOCK)

/* Exported: faults in this process find it by name. */
__attribute__((visibility("default"))) unsigned char table_canary[CANARY_BYTES];

static const char *const files_of_acts[] = {"written", "folder"};

static void add(char *harm, size_t size, const char *what)
{
    size_t used = strlen(harm);
    (void)snprintf(harm + used, size - used, "%s%s", used ? ", " : "", what);
}

/* ---- Marks ------------------------------------------------------------------------------------- */

static void fill_canaries(struct unharmed *marks)
{
    memset(table_canary, 0xc5, sizeof table_canary);
    for (size_t i = 0; i < UNHARMED_BLOCKS; i++) {
        marks->blocks[i] = malloc(BLOCK_BYTES);
        if (marks->blocks[i]) {
            memset(marks->blocks[i], 0xc5, BLOCK_BYTES);
        }
    }
}

static bool all_marked(const unsigned char *bytes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (bytes[i] != 0xc5) {
            return false;
        }
    }
    return true;
}

static long resident_pages(void)
{
    long total = 0;
    long resident = 0;
    FILE *file = fopen("/proc/self/statm", "re");
    if (file) {
        if (fscanf(file, "%ld %ld", &total, &resident) != 2) {
            resident = 0;
        }
        (void)fclose(file);
    }
    return resident;
}

static int listen_on_tcp(int *ret_number)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t bytes = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || bind(fd, (const struct sockaddr *)&address, sizeof address) != 0 ||
        listen(fd, 4) != 0 || getsockname(fd, (struct sockaddr *)&address, &bytes) != 0) {
        perror("a listening socket");
        exit(2);
    }
    *ret_number = ntohs(address.sin_port);
    return fd;
}

static int listen_on_unix(int number, const char *what, int abstract)
{
    struct sockaddr_un address;
    socklen_t bytes = act_address(&address, number, what, abstract);
    mode_t mask = umask(0);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || bind(fd, (const struct sockaddr *)&address, bytes) != 0 || listen(fd, 4) != 0) {
        perror("a listening Unix socket");
        exit(2);
    }
    (void)umask(mask);
    return fd;
}

static void write_secret(int number)
{
    char path[ACT_PATH_BYTES];
    act_path(path, number, "secret");
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (fd < 0 || write(fd, "secret", 6) != 6) {
        perror(path);
        exit(2);
    }
    (void)close(fd);
}

static void redirect(int fd, const char *name, const char *text)
{
    int memory = memfd_create(name, 0);
    if (memory < 0 || write(memory, text, strlen(text)) != (ssize_t)strlen(text) ||
        dup2(memory, fd) < 0) {
        perror(name);
        exit(2);
    }
    (void)close(memory);
}

static const char *const files[] = {"secret", "socket", "written"};
#define FILES (sizeof files / sizeof files[0])

static bool any_file_of(int number)
{
    char path[ACT_PATH_BYTES];
    struct stat status;
    for (size_t i = 0; i < FILES; i++) {
        act_path(path, number, files[i]);
        if (lstat(path, &status) == 0) {
            return true;
        }
    }
    return false;
}

void unharmed_prepare(struct unharmed *marks)
{
    memset(marks, 0, sizeof *marks);
    (void)fflush(NULL);
    redirect(STDOUT_FILENO, "stdout", "");
    redirect(STDERR_FILENO, "stderr", STDERR_TEXT);
    do {
        /* Another user's run may have left files of that number: it stays taken, another is had. */
        marks->listeners[0] = listen_on_tcp(&marks->number);
        unharmed_clear(marks->number);
    } while (any_file_of(marks->number));
    marks->listeners[1] = listen_on_unix(marks->number, "abstract", 1);
    marks->listeners[2] = listen_on_unix(marks->number, "socket", 0);
    write_secret(marks->number);
    fill_canaries(marks);
    for (int i = 0; i < RLIM_NLIMITS; i++) {
        (void)getrlimit((__rlimit_resource_t)i, &marks->limits[i]);
    }
}

void unharmed_take(struct unharmed *marks)
{
    traces_take(&marks->traces);
    marks->resident_pages = resident_pages();
}

void unharmed_clear(int number)
{
    char path[ACT_PATH_BYTES];
    for (size_t i = 0; i < FILES; i++) {
        act_path(path, number, files[i]);
        (void)unlink(path);
    }
    act_path(path, number, "folder");
    (void)rmdir(path);
}

/* ---- Looking ----------------------------------------------------------------------------------- */

static void compare_memory(const struct unharmed *marks, bool abandoned, char *harm, size_t size)
{
    bool kept = all_marked(table_canary, sizeof table_canary);
    for (size_t i = 0; i < UNHARMED_BLOCKS; i++) {
        kept = kept && (!marks->blocks[i] || all_marked(marks->blocks[i], BLOCK_BYTES));
    }
    if (!kept) {
        add(harm, size, "its memory was written");
    }
    long more = (resident_pages() - marks->resident_pages) * sysconf(_SC_PAGESIZE);
    if (!abandoned && more > RESIDENT_BYTES) {
        add(harm, size, "memory is lost");
    }
    /* An allocator that was led astray says so now. */
    for (size_t bytes = 16; bytes < 100000; bytes += bytes / 4) {
        void *volatile block = malloc(bytes);
        free(block);
    }
}

static bool same_actions(const struct traces *before, const struct traces *now)
{
    for (int number = 1; number < _NSIG; number++) {
        if (before->actions[number].sa_handler != now->actions[number].sa_handler) {
            return false;
        }
    }
    return memcmp(&before->blocked, &now->blocked, sizeof now->blocked) == 0;
}

static bool settled(const struct traces *before, const struct traces *now)
{
    return memcmp(before->open_fds, now->open_fds, sizeof now->open_fds) == 0 &&
           now->threads <= before->threads && now->mappings <= before->mappings;
}

static void compare_traces(const struct unharmed *marks, bool abandoned, char *harm, size_t size)
{
    struct traces now;
    traces_take(&now);
    int tries = abandoned ? 0 : SETTLING_TRIES;
    for (int i = 0; i < tries && !settled(&marks->traces, &now); i++) {
        (void)nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
        traces_take(&now);
    }
    if (memcmp(marks->traces.open_fds, now.open_fds, sizeof now.open_fds) != 0) {
        add(harm, size, "its descriptors are others");
    }
    if (!abandoned && now.threads > marks->traces.threads) {
        add(harm, size, "threads stayed");
    }
    if (!abandoned && now.mappings > marks->traces.mappings) {
        add(harm, size, "shared memory stayed");
    }
    if (!same_actions(&marks->traces, &now)) {
        add(harm, size, "its signal actions are others");
    }
}

static void compare_limits(const struct unharmed *marks, char *harm, size_t size)
{
    for (int i = 0; i < RLIM_NLIMITS; i++) {
        struct rlimit now = {0};
        (void)getrlimit((__rlimit_resource_t)i, &now);
        if (now.rlim_cur != marks->limits[i].rlim_cur ||
            now.rlim_max != marks->limits[i].rlim_max) {
            add(harm, size, "its limits are others");
            return;
        }
    }
}

static void compare_output(char *harm, size_t size)
{
    char text[sizeof STDERR_TEXT] = "";
    struct stat status;
    if (fstat(STDOUT_FILENO, &status) != 0 || status.st_size != 0) {
        add(harm, size, "its standard output was written");
    }
    if (pread(STDERR_FILENO, text, sizeof text - 1, 0) != sizeof text - 1 ||
        memcmp(text, STDERR_TEXT, sizeof text) != 0) {
        add(harm, size, "its standard error was overwritten");
    }
    int flags = fcntl(STDERR_FILENO, F_GETFL);
    if (flags < 0 || (flags & STDERR_FLAGS_KEPT) != O_RDWR) {
        add(harm, size, "its standard error has other flags");
    }
}

static void compare_outside(const struct unharmed *marks, char *harm, size_t size)
{
    char path[ACT_PATH_BYTES];
    struct stat status;
    for (size_t i = 0; i < sizeof files_of_acts / sizeof files_of_acts[0]; i++) {
        act_path(path, marks->number, files_of_acts[i]);
        if (lstat(path, &status) == 0) {
            add(harm, size, "files were made");
        }
    }
    act_path(path, marks->number, "secret");
    if (stat(path, &status) != 0 || status.st_size != 6) {
        add(harm, size, "a file was changed");
    }
    for (size_t i = 0; i < 3; i++) {
        struct pollfd listener = {.fd = marks->listeners[i], .events = POLLIN};
        if (poll(&listener, 1, 0) == 1 && (listener.revents & POLLIN)) {
            add(harm, size, "somebody connected");
        }
    }
}

void unharmed_compare(struct unharmed *marks, bool abandoned, char *harm, size_t size)
{
    siginfo_t child = {0};
    compare_output(harm, size);
    compare_traces(marks, abandoned, harm, size);
    compare_memory(marks, abandoned, harm, size);
    compare_limits(marks, harm, size);
    compare_outside(marks, harm, size);
    if (waitid(P_ALL, 0, &child, WEXITED | WNOHANG | WNOWAIT | __WALL) == 0 || errno != ECHILD) {
        add(harm, size, "it has children");
    }
}
