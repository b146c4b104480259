/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_CELL_TONES_H
#define CLI_CELL_TONES_H

/* How a cell's figures look, the same in every table. */

#include "cli/snapshot.h"
#include "cli/table.h"

#define CELL_WORKERS_BYTES 48u

enum tone cell_state_tone(const char *state);
enum tone cell_breaker_tone(const struct snapshot_cell *cell);
enum tone worker_state_tone(const char *state);

/* "2/5": two of five shared ones serve; "2/5+1": one more is a client's own. */
const char *cell_workers_text(const struct snapshot_cell *cell, char text[CELL_WORKERS_BYTES]);
uint64_t cell_workers_serving(const struct snapshot_cell *cell);

/* "closed", "open", or, of functions alone, "2 open". */
const char *cell_breaker_text(const struct snapshot_cell *cell, char text[CELL_WORKERS_BYTES]);

#endif
