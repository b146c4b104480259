/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDBOX_FILTER_H
#define SANDBOX_FILTER_H

/* What the generator of filters and the code that sets them agree on. */

#define FILTER_OWN_PID   0x7fedcba9u /* stands for the process's own id, above every pid_max */
#define FILTER_COUNT_MAX 1024u       /* instructions of one filter */

#endif
