/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CORDON_ERROR_H
#define CORDON_ERROR_H

/*
 * Error: the text for a person that stands beside a negative errno or a refusing outcome. Caller's
 * storage, NUL-terminated UTF-8, may hold several lines (a prototype's line and its caret). Written
 * only when something failed; NULL is accepted wherever one can be passed.
 */

#define CORDON_ERROR_BYTES 1024

struct cordon_error {
    char text[CORDON_ERROR_BYTES];
};

#endif
