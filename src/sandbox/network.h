/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDBOX_NETWORK_H
#define SANDBOX_NETWORK_H

/*
 * Network: a namespace of this process's own, in which nobody else is; loopback works.
 */

/*
 * Leave the network. Without privileges a user namespace is made for it, in which this process is who
 * it was. Call with one thread, before privileges are dropped. 0 or a negative errno.
 */
int network_leave(void);

#endif
