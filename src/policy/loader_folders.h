/* SPDX-License-Identifier: Apache-2.0 */
#ifndef POLICY_LOADER_FOLDERS_H
#define POLICY_LOADER_FOLDERS_H

/*
 * Folders that the dynamic loader has been configured to search (ld.so.conf), beside those which it
 * always does. @add returns 0, or another value that ends it and is returned.
 *
 * Missing and unreadable files are none. Threads: any.
 */
int loader_folders(int (*add)(void *context, const char *folder), void *context);

#endif
