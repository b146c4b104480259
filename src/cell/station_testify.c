/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "cell/reporting.h"
#include "cell/station_internal.h"
#include "lane/verdict.h"

#define LOOK_PATIENCE_NS (50 * CLOCK_MS_NS)

/* Of a lane in this process's own memory. A fault's call is the one that its verdict blames. */
static void testify_thread(struct station *station, uint32_t seq, bool look,
                           struct reporting_end *end, struct message *why)
{
    const struct lane_host_page *h = lane_peek_h(station->lane);
    uint32_t blamed = 0;
    (void)lane_verdict(station->lane, &blamed, NULL);
    end->page = h;
    end->memory = (const uint8_t *)h;
    end->memory_at = LANE_H_BYTES_AT;
    end->memory_bytes = station_lane_h_bytes(station);
    end->seq = blamed != 0 ? blamed : seq;
    end->scene = look ? local_worker_look(station->local, clock_after_ns(LOOK_PATIENCE_NS), why)
                      : local_worker_peek_scene(station->local);
}

static void testify_inline(const struct station *station, struct reporting_end *end)
{
    end->page = station->page;
    end->memory = station->memory;
    end->memory_bytes = station->options.call_bytes;
    end->seq = station->fault_seq;
    end->scene = inline_worker_peek_scene(station->engine);
}

void station_testify(struct station *station, uint32_t seq, bool look,
                     struct reporting_end *ret_end, struct message *why)
{
    why->text[0] = '\0';
    ret_end->worker = station->number;
    if (station->local) {
        testify_thread(station, seq, look, ret_end, why);
    } else if (station->engine) {
        testify_inline(station, ret_end);
    }
    ret_end->scene_missing = why->text[0] ? why->text : NULL;
}
