/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_PROBE_SDT_H
#define BASE_PROBE_SDT_H

/* Probes by systemtap's header, where the build found it. Use base/probe.h. */

#include <sys/sdt.h>

#define PROBE1(name, a)    DTRACE_PROBE1(cordon, name, a)
#define PROBE2(name, a, b) DTRACE_PROBE2(cordon, name, a, b)

#endif
