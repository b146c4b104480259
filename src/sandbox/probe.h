/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDBOX_PROBE_H
#define SANDBOX_PROBE_H

/*
 * Probe: which mechanisms this kernel lets this process use. Asked once, by the keeper at its start.
 */

#include <stdint.h>

#include "lane/errand.h"

/*
 * Bits of enum errand_mechanism that a worker started by this process can have. The namespaces are
 * not tried here: the keeper lives in them or does not. ERRAND_UNPRIVILEGED_USER: workers run as an
 * unprivileged user, because this process is one or may become one.
 */
uint32_t probe_mechanisms(void);

#endif
