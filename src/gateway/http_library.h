/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GATEWAY_HTTP_LIBRARY_H
#define GATEWAY_HTTP_LIBRARY_H

/*
 * libmicrohttpd's functions, by their names there. It is loaded when somebody wants HTTP, not with the program: it brings
 * GnuTLS along, 2.3 MB of memory and a quarter of the time that a command takes to start.
 */

#include <microhttpd.h>

#include "base/message.h"

#define HTTP_LIBRARY_FUNCTIONS(FUNCTION)                                                           \
    FUNCTION(add_response_header)                                                                  \
    FUNCTION(create_response_from_buffer)                                                          \
    FUNCTION(destroy_response)                                                                     \
    FUNCTION(get_connection_info)                                                                  \
    FUNCTION(get_connection_values)                                                                \
    FUNCTION(lookup_connection_value)                                                              \
    FUNCTION(queue_response)                                                                       \
    FUNCTION(resume_connection)                                                                    \
    FUNCTION(start_daemon)                                                                         \
    FUNCTION(stop_daemon)                                                                          \
    FUNCTION(suspend_connection)

/* A member's name. NOLINTNEXTLINE(bugprone-macro-parentheses) */
#define HTTP_LIBRARY_MEMBER(name) __typeof__(&MHD_##name) name;
struct http_library {
    HTTP_LIBRARY_FUNCTIONS(HTTP_LIBRARY_MEMBER)
};

/* Filled by http_library_load(), and never changed then. */
extern struct http_library http_library;

/*
 * Load it, once and for the rest of the process's life. Returns 0, or -ELIBACC with a sentence: it is not there, or lacks a
 * function. Threads: the loop's.
 */
int http_library_load(struct message *why);

#endif
