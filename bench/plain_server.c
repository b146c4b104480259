/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The server that one writes first: a thread for each connection, a length as four bytes, JSON by jansson, the
 * library called in this process. `cordon bench gateway` holds the daemon against it.
 *
 * usage: plain_server SOCKET    answers {"method":"sha256","data":"..."}
 */

#include <arpa/inet.h>
#include <jansson.h>
#include <openssl/sha.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define FRAME_BYTES_MAX (16u << 20)

static int read_all(int fd, void *memory, size_t bytes)
{
    for (size_t at = 0; at < bytes;) {
        ssize_t got = read(fd, (char *)memory + at, bytes - at);
        if (got <= 0) {
            return -1;
        }
        at += (size_t)got;
    }
    return 0;
}

static json_t *answer(const char *text, size_t length)
{
    json_t *request = json_loadb(text, length, 0, NULL);
    const char *method = json_string_value(json_object_get(request, "method"));
    json_t *data = json_object_get(request, "data");
    json_t *reply;
    if (!method || strcmp(method, "sha256") != 0 || !json_is_string(data)) {
        reply = json_pack("{s:s}", "error", "sha256 takes data, a string");
    } else {
        unsigned char digest[SHA256_DIGEST_LENGTH];
        char hex[2 * SHA256_DIGEST_LENGTH + 1];
        SHA256((const unsigned char *)json_string_value(data), json_string_length(data), digest);
        for (size_t i = 0; i < sizeof digest; i++) {
            (void)sprintf(hex + 2 * i, "%02x", digest[i]);
        }
        reply = json_pack("{s:s}", "result", hex);
    }
    json_decref(request);
    return reply;
}

static int send_json(int fd, json_t *reply)
{
    char *text = json_dumps(reply, JSON_COMPACT);
    json_decref(reply);
    size_t length = text ? strlen(text) : 0;
    char *frame = text ? malloc(4 + length) : NULL;
    int sent = -1;
    if (frame) {
        uint32_t head = htonl((uint32_t)length);
        memcpy(frame, &head, 4);
        memcpy(frame + 4, text, length);
        sent = write(fd, frame, 4 + length) == (ssize_t)(4 + length) ? 0 : -1;
    }
    free(frame);
    free(text);
    return sent;
}

static void *serve(void *context)
{
    int fd = (int)(intptr_t)context;
    uint32_t head;
    while (read_all(fd, &head, 4) == 0) {
        uint32_t length = ntohl(head);
        char *text = length <= FRAME_BYTES_MAX ? malloc(length + 1u) : NULL;
        int r = text ? read_all(fd, text, length) : -1;
        r = r == 0 ? send_json(fd, answer(text, length)) : r;
        free(text);
        if (r != 0) {
            break;
        }
    }
    (void)close(fd);
    return NULL;
}

int main(int argc, char **argv)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (argc != 2 || strlen(argv[1]) >= sizeof address.sun_path) {
        (void)fprintf(stderr, "usage: plain_server SOCKET\n");
        return 2;
    }
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    (void)signal(SIGPIPE, SIG_IGN);
    strcpy(address.sun_path, argv[1]);
    int listener = socket(AF_UNIX, SOCK_STREAM, 0);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) != 0 ||
        listen(listener, 128) != 0) {
        perror("plain_server");
        return 1;
    }
    for (int fd; (fd = accept(listener, NULL, NULL)) >= 0;) {
        pthread_t thread;
        if (pthread_create(&thread, NULL, serve, (void *)(intptr_t)fd) == 0) {
            (void)pthread_detach(thread);
        } else {
            (void)close(fd);
        }
    }
    return 1;
}
