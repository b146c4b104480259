/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GATEWAY_RPC_H
#define GATEWAY_RPC_H

/* RPC: what a frame says, in either form, as requests under way (docs/protocol/gateway.md). */

#include <stddef.h>

struct connection;

/* @text is followed by DOCUMENT_PADDING bytes that may be read. Every request of it is answered in the end. */
void rpc_take_frame(struct connection *connection, const char *text, size_t length);

#endif
