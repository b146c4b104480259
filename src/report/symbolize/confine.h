/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REPORT_SYMBOLIZE_CONFINE_H
#define REPORT_SYMBOLIZE_CONFINE_H

/*
 * Confine: what reads hostile bytes can read files of libraries and their debugging information, write
 * what it has open, and nothing else: no other file, no socket, no process, no signal.
 */

/*
 * For good, for this process with its one thread. @library: soname or path, whose folder may be read
 * beside the system's. Returns 0, or a negative errno: seccomp could not be had. A kernel without Landlock
 * leaves reading of files to the permissions of this user.
 */
int confine(const char *library);

#endif
