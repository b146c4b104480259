/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/output.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/command.h"

static int results_fd = STDOUT_FILENO;
static bool was_closed;
static int failure =
    EXIT_DONE; /* of the first that could not be written: then nothing more is tried */

void output_prepare(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        if (fcntl(fd, F_GETFD) < 0) {
            was_closed = was_closed || fd == STDOUT_FILENO;
            (void)!open("/dev/null", O_RDWR); /* takes the lowest number, which is this one */
        }
    }
    (void)signal(SIGPIPE, SIG_IGN);
}

int output_start(void)
{
    int fd = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    if (fd < 0) {
        return -errno;
    }
    if (dup2(STDERR_FILENO, STDOUT_FILENO) < 0) {
        int error = errno;
        (void)close(fd);
        return -error;
    }
    results_fd = fd;
    return 0;
}

static int failed(const char *reason)
{
    failure = command_fail(EXIT_COULD_NOT, "cannot write to standard output: %s", reason);
    return failure;
}

/* `cordon report last | head` has what it wanted. */
static int failed_writing(int error)
{
    if (error != EPIPE) {
        return failed(strerror(error));
    }
    failure = EXIT_READER_GONE;
    return failure;
}

int output_write(const void *bytes, size_t length)
{
    const char *rest = bytes;
    if (failure != EXIT_DONE) {
        return failure;
    }
    if (was_closed) {
        return failed("it is closed");
    }
    while (length > 0) {
        ssize_t n = write(results_fd, rest, length);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return failed_writing(errno);
        }
        rest += n;
        length -= (size_t)n;
    }
    return EXIT_DONE;
}

int output_text(const char *text)
{
    return output_write(text, strlen(text));
}

int output_format(const char *format, ...)
{
    char *text = NULL;
    va_list args;
    va_start(args, format);
    int length = vasprintf(&text, format, args);
    va_end(args);
    if (length < 0) {
        return failed("no memory");
    }
    int r = output_write(text, (size_t)length);
    free(text);
    return r;
}

bool output_is_terminal(void)
{
    return !was_closed && isatty(results_fd);
}

bool output_has_colours(void)
{
    const char *no_colour = getenv("NO_COLOR");
    const char *terminal = getenv("TERM");
    return output_is_terminal() && !(no_colour && *no_colour) && terminal &&
           strcmp(terminal, "dumb") != 0;
}
