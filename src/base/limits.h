/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_LIMITS_H
#define BASE_LIMITS_H

/*
 * Every limit of Cordon by name, with its default. The error that a limit causes names it, a test
 * reaches it, docs/limits.md lists it. Limits of a plan stand in cordon/plan.h.
 */

#define LIMIT_PROTOTYPE_BYTES     (256u * 1024u) /* text of one prototype or interface file */
#define LIMIT_HEADER_BYTES        (4u << 20)  /* text of a header that the preprocessor has read */
#define LIMIT_PROTOTYPE_DEPTH     32u         /* nesting of declarators, types, expressions */
#define LIMIT_INTERFACE_FUNCTIONS 4096u       /* functions of one interface */
#define LIMIT_INTERFACE_BYTES     (64u << 20) /* all plans of one interface */
#define LIMIT_CALLBACK_SHAPES     64u         /* callbacks in one prototype, nested ones included */
#define LIMIT_NAME_BYTES          255u        /* one identifier of a prototype */
#define LIMIT_FRAME_BYTES         (64u << 20) /* request, and reply, of one call (default lane size) */
#define LIMIT_STRING_BYTES        (16u << 20) /* one string, in or out */
#define LIMIT_DYNAMIC_ROOM        (1u << 20) /* what a reply keeps ready for results of unknown length */
#define LIMIT_DEPTH               16u        /* callbacks inside callbacks on one lane */
#define LIMIT_HANDLES             (1u << 16) /* live handles of one worker */
#define LIMIT_CLOSURES            256u       /* callbacks kept by one worker */
#define LIMIT_QUEUED_CALLBACKS    32u   /* callbacks of a library's own threads that wait at once */
#define LIMIT_QUEUED_MS           3000u /* how long each waits for cordon_session_dispatch() */
#define LIMIT_KEPT_BYTES          (64u << 20) /* memory kept for a library by one worker */
#define LIMIT_LANE_SLOTS          64u         /* calls in flight on one lane */
#define LIMIT_WORKERS             5u          /* default workers of a cell */
#define LIMIT_WORKERS_MAX         256u
#define LIMIT_SESSIONS            64u /* explicit sessions of a cell */
#define LIMIT_ARENA_BYTES         (1ull << 36)
#define LIMIT_QUARANTINED_THREADS 8u   /* runaway threads of a cell (level thread) */
#define LIMIT_LOST_WORKERS        256u /* in which a library faulted, in a process (thread, inline) */
#define LIMIT_SPARES              1u   /* workers kept ready for a cell */
#define LIMIT_SPARES_MAX          8u
#define LIMIT_QUEUE               64u         /* callers that wait for workers without a session */
#define LIMIT_ON_START            16u         /* calls that each fresh worker begins with */
#define LIMIT_ON_START_BYTES      (64u << 10) /* arguments, or outputs, of one of them */
#define LIMIT_RECYCLE_BYTES       (512ull << 20) /* resident memory at which a worker is replaced */
#define LIMIT_BREAKER_PERCENT     50u            /* failed calls of a hundred that open a breaker */
#define LIMIT_BREAKER_SAMPLES     20u            /* ... of at least so many */
#define LIMIT_BREAKER_WINDOW_MS   10000u         /* ... within so long */
#define LIMIT_BREAKER_COOL_MS     1000u          /* an open breaker refuses for so long */
#define LIMIT_BREAKER_PROBES      3u             /* good calls that close it */
#define LIMIT_LEASE_IDLE_MS       60000u         /* a lent worker without a call is taken back */
#define LIMIT_LEASE_DEADLINE_MS   60000u         /* no call on a lent worker takes longer */
#define LIMIT_FUNCTIONS           4096u          /* functions bound in one cell */
#define LIMIT_DEADLINE_MS         3000u          /* default deadline of a call */
#define LIMIT_START_MS            10000u         /* a worker must have loaded its library by then */
#define LIMIT_MEMORY_BYTES        (2ull << 30)   /* default address-space growth of a worker */
#define LIMIT_CPU_MS              3600000u       /* default CPU time of a worker's life */
#define LIMIT_FILE_BYTES          (1ull << 30) /* default size of a file that a worker may write */
#define LIMIT_FDS                 256u         /* default descriptors of a worker */
#define LIMIT_THREADS             64u          /* default threads of a worker */
#define LIMIT_THREADS_MAX         4096u
#define LIMIT_GRANTS              64u         /* of one policy, those of its preset included */
#define LIMIT_GRANT_TEXT_BYTES    4096u       /* paths and variables of all of them */
#define LIMIT_REPORTS             64u         /* files in a report directory */
#define LIMIT_REPORTS_BYTES       (64u << 20) /* and bytes in it */
#define LIMIT_RECORD_BYTES        (16u << 20) /* recorded of one worker, for replay */
#define LIMIT_RECORD_BYTES_MAX    (32u << 20)

#endif
