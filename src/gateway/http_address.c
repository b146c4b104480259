/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/http_address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/fd.h"

#define BACKLOG 128

struct address {
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
        struct sockaddr_un path;
    } as;
    socklen_t bytes;
};

static bool parse_port(const char *text, in_port_t *ret_port)
{
    size_t digits = strspn(text, "0123456789");
    unsigned long port = strtoul(text, NULL, 10);
    *ret_port = htons((in_port_t)port);
    return digits > 0 && digits <= 5 && text[digits] == '\0' && port > 0 && port <= 65535;
}

static bool parse_host(const char *host, in_port_t port, struct address *address)
{
    if (inet_pton(AF_INET, host, &address->as.v4.sin_addr) == 1) {
        address->as.v4.sin_family = AF_INET;
        address->as.v4.sin_port = port;
        address->bytes = sizeof address->as.v4;
        return ntohl(address->as.v4.sin_addr.s_addr) >> 24 == 127;
    }
    if (inet_pton(AF_INET6, host, &address->as.v6.sin6_addr) == 1) {
        address->as.v6.sin6_family = AF_INET6;
        address->as.v6.sin6_port = port;
        address->bytes = sizeof address->as.v6;
        return IN6_IS_ADDR_LOOPBACK(&address->as.v6.sin6_addr);
    }
    return false;
}

/* "host:port", "[host]:port"; without a port @ret_port is "". False: too long, or no brackets' end. */
static bool split(const char *text, char ret_host[64], const char **ret_port)
{
    bool bracketed = text[0] == '[';
    const char *host = text + bracketed;
    size_t length = strcspn(host, bracketed ? "]" : ":");
    const char *rest = host + length;
    if (length == 0 || length >= 64 || (bracketed && *rest++ != ']') ||
        (*rest != '\0' && *rest != ':')) {
        return false;
    }
    memcpy(ret_host, host, length);
    ret_host[length] = '\0';
    *ret_port = *rest == ':' ? rest + 1 : rest;
    return true;
}

static bool parse_address(const char *text, struct address *address)
{
    char host[64];
    const char *port;
    in_port_t number;
    return split(text, host, &port) && parse_port(port, &number) &&
           parse_host(host, number, address) && (text[0] == '[') == !!strchr(host, ':');
}

bool http_address_is_ours(const char *text)
{
    char host[64];
    const char *port;
    in_port_t number;
    struct address address;
    if (!split(text, host, &port) || (*port != '\0' && !parse_port(port, &number))) {
        return false;
    }
    return strcasecmp(host, "localhost") == 0 || parse_host(host, 0, &address);
}

/* One that nobody listens at is left over. Anything else that lies there stays. */
static int remove_stale(const struct address *address, struct message *why)
{
    struct stat there;
    const char *path = address->as.path.sun_path;
    if (lstat(path, &there) != 0) {
        return 0; /* binding tells */
    }
    OWN_FD fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (!S_ISSOCK(there.st_mode) || fd < 0 || connect(fd, &address->as.any, address->bytes) == 0 ||
        errno != ECONNREFUSED) {
        return message_set(why, -EADDRINUSE, "http: %s is there, and in use", path);
    }
    return unlink(path) == 0
               ? 0
               : message_set(why, -errno, "http: cannot remove what is left at %s: %s", path,
                             strerror(errno));
}

static int set_path(const char *path, struct address *address, struct message *why)
{
    if (strlen(path) >= sizeof address->as.path.sun_path || *path == '\0') {
        return message_set(why, -ENAMETOOLONG, "http: a socket cannot have the path '%s'", path);
    }
    address->as.path.sun_family = AF_UNIX;
    (void)snprintf(address->as.path.sun_path, sizeof address->as.path.sun_path, "%s", path);
    address->bytes = sizeof address->as.path;
    return remove_stale(address, why);
}

/* Nobody else is to connect, from the moment that the socket has a name. */
static int bind_privately(int fd, const struct address *address)
{
    mode_t before = umask(0177);
    int r = bind(fd, &address->as.any, address->bytes) == 0 ? 0 : -errno;
    (void)umask(before);
    return r;
}

static int bind_and_listen(const struct address *address, int *ret_fd)
{
    int one = 1;
    OWN_FD fd = socket(address->as.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        return -errno;
    }
    if (address->as.any.sa_family != AF_UNIX &&
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) != 0) {
        return -errno;
    }
    int r = bind_privately(fd, address);
    r = r == 0 && listen(fd, BACKLOG) != 0 ? -errno : r;
    if (r == 0) {
        *ret_fd = take_fd(&fd);
    }
    return r;
}

static int parse(const char *text, struct address *address, struct message *why)
{
    if (strncmp(text, "unix:", 5) == 0) {
        return set_path(text + 5, address, why);
    }
    return parse_address(text, address)
               ? 0
               : message_set(why, -EINVAL,
                             "http: '%s' is no loopback address with a port (127.0.0.1:9464, "
                             "[::1]:9464), and no unix:/path",
                             text);
}

int http_address_listen(const char *text, int *ret_fd, struct http_address *ret_address,
                        struct message *why)
{
    struct address address = {.bytes = 0};
    struct http_address ours = {.path = NULL};
    struct stat there;
    OWN_FD fd = -1;
    int r = parse(text, &address, why);
    if (r != 0) {
        return r;
    }
    r = bind_and_listen(&address, &fd);
    if (r == 0 && address.as.any.sa_family == AF_UNIX) {
        ours.path = strdup(address.as.path.sun_path);
        r = !ours.path ? -ENOMEM : lstat(ours.path, &there) == 0 ? 0 : -errno;
    }
    if (r != 0) {
        free(ours.path);
        return message_set(why, r, "http: cannot listen at %s: %s", text, strerror(-r));
    }
    if (ours.path) {
        ours.device = there.st_dev;
        ours.inode = there.st_ino;
    }
    *ret_address = ours;
    *ret_fd = take_fd(&fd);
    return 0;
}

void http_address_release(struct http_address *address)
{
    struct stat there;
    if (address->path && lstat(address->path, &there) == 0 && there.st_dev == address->device &&
        there.st_ino == address->inode) {
        (void)unlink(address->path);
    }
    free(address->path);
    *address = (struct http_address){.path = NULL};
}
