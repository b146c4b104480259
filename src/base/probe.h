/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_PROBE_H
#define BASE_PROBE_H

/*
 * Static probes (USDT) of the provider `cordon`: one no-op instruction each while nobody looks.
 *
 *   PROBE1(name, a)     bpftrace -e 'usdt:./libcordon.so:cordon:name { print(arg0) }'
 *   PROBE2(name, a, b)
 */

#ifdef HAVE_SDT
#include "base/probe_sdt.h"
#else
#include "base/probe_none.h"
#endif

#endif
