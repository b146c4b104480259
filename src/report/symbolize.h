/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REPORT_SYMBOLIZE_H
#define REPORT_SYMBOLIZE_H

/*
 * How cordon-symbolize is started: no arguments, these descriptors, nothing else open. It writes the
 * report into the directory (a temporary name first), removes what is too old or too much there, and
 * ends: 0 with a complete report, 1 with one that lacks what needed symbols, 2 with none. It ends itself
 * after SYMBOLIZE_SECONDS, and soon after a SIGTERM: with what the capture's reason says. Who may send one starts it
 * with that signal blocked.
 */

enum symbolize_fd {
    SYMBOLIZE_FD_CAPTURE = 3, /* src/report/capture.h */
    SYMBOLIZE_FD_DIRECTORY = 4,
    SYMBOLIZE_FD_CARD = 5,      /* src/report/card.h; closed if there is none */
    SYMBOLIZE_FD_H = 6,         /* the lane's H; closed if there is none */
    SYMBOLIZE_FD_RECORDING = 7, /* src/report/recording.h; closed if there is none */
    SYMBOLIZE_FD_END = 8,
};

#define SYMBOLIZE_SECONDS 10u

enum symbolize_exit {
    SYMBOLIZE_COMPLETE = 0,
    SYMBOLIZE_POOR = 1,
    SYMBOLIZE_NONE = 2,
};

#endif
