/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GATEWAY_GATEWAY_LIMITS_H
#define GATEWAY_GATEWAY_LIMITS_H

/* Limits of the gateway that nobody configures; the others are config/daemon_limits.h. */

#define GATEWAY_SEAT_CALLS     16u     /* in flight in one seat */
#define GATEWAY_RESENDS        8u      /* to other workers, of a call that was not begun */
#define GATEWAY_LOOK_NS        20000u  /* the longest look for a short call's answer */
#define GATEWAY_WAKE_NS        30000u  /* what waking a worker that sleeps is taken to cost */
#define GATEWAY_CROWD_NS       50000u  /* ... where more workers than CPUs would be awake */
#define GATEWAY_BEHIND_NS      200000u /* the most work behind which a call waits at a worker */
#define GATEWAY_TURN_ANSWERS   16u     /* before they are sent, and other clients heard */
#define GATEWAY_READ_BYTES     65536u  /* of one connection in one round */
#define GATEWAY_TURN_FRAMES    32u     /* of one connection in one round */
#define GATEWAY_TURN_BYTES     32768u  /* of answers that the daemon itself gives it in one round */
#define GATEWAY_ID_BYTES       1024u   /* of a request's id, as JSON */
#define GATEWAY_LISTEN_BACKLOG 128

#endif
