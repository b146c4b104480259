/* SPDX-License-Identifier: Apache-2.0 */
#ifndef EXAMPLES_TIMING_H
#define EXAMPLES_TIMING_H

/* Timing: the demo's last table - the same calls directly and at each level, and their ratio. */

/* Prints the table; libraries are loaded here too, for the direct calls. Returns 0, or 1 after a message. */
int timing_print(void);

#endif
