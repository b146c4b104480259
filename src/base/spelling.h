/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_SPELLING_H
#define BASE_SPELLING_H

/* Spelling: how near a name is to another that a person may have meant. Threads: any. */

#define SPELLING_BYTES_MAX 255u /* longer names are near to none */

/* Letters to insert, remove, replace or swap with the next to make @b of @a; @most + 1 if more. */
unsigned spelling_distance(const char *a, const char *b, unsigned most);

#endif
