/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONFIG_LOG_CHOICE_H
#define CONFIG_LOG_CHOICE_H

/* How much the daemon's log tells, and in which form (gateway/log.h). */

enum log_level {
    LOG_ERROR = 0, /* somebody has to do something */
    LOG_WARNING,   /* a crash, a violation, a refused client: what is contained */
    LOG_NOTICE,    /* start, stop, reload, cells that come and go */
    LOG_DEBUG,     /* connections, workers */
};
#define LOG_LEVEL_DEFAULT LOG_NOTICE

enum log_form {
    LOG_BY_TERMINAL = 0,
    LOG_TEXT,
    LOG_JSON,
};

#endif
