/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PRIVATE_CONTROL_H
#define PRIVATE_CONTROL_H

/*
 * Control: the socket of the one program that is served: frames of a length (4 bytes, big-endian) and JSON, both ways,
 * an answer with a descriptor if it has one. Nothing here waits.
 *
 * Threads: one.
 */

#include <stdbool.h>
#include <stddef.h>

#define CONTROL_FRAME_BYTES (4u << 20) /* of a request */
#define CONTROL_OUTPUT_BYTES                                                                       \
    (64u << 20) /* of answers that wait; a program that reads none is left alone */

struct control_frame;

struct control {
    int fd; /* owned */
    char *input;
    size_t input_room;
    size_t input_at;
    size_t input_end;
    struct control_frame *first; /* to be sent */
    struct control_frame *last;
    size_t output_bytes;
};

void control_init(struct control *control, int fd);
void control_deinit(struct control *control);

/* Take in what has come. Returns 0; -ENOTCONN: the program is gone; or what else it met. */
int control_fill(struct control *control);

/*
 * The next frame, if it is complete: valid until the next control_fill(). Returns 1, 0: there is none yet, -EMSGSIZE: its length
 * is none (no frame can be found behind it).
 */
int control_next(struct control *control, const char **ret_text, size_t *ret_length);

/*
 * Queue an answer. @text: from malloc(), taken. @fd: goes with its first byte, taken; -1: none.
 * Returns 0, -ENOMEM, -ENOBUFS (too many wait).
 */
int control_answer(struct control *control, char *text, int fd);

/* Send what can be sent. Returns 0, -ENOTCONN, or what else it met. */
int control_flush(struct control *control);

static inline bool control_has_output(const struct control *control)
{
    return control->first != NULL;
}

#endif
