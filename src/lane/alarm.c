/* SPDX-License-Identifier: Apache-2.0 */
#include "lane/alarm.h"

#include <sys/wait.h>

#include <stdio.h>
#include <string.h>

#include "lane/layout.h"

#define SIGNAL_MOST 64u

void alarm_describe(uint64_t signal, uint64_t flags, uint64_t address, struct lane_death *ret_death)
{
    *ret_death = (struct lane_death){
        .code = CLD_KILLED,
        .status = signal >= 1 && signal <= SIGNAL_MOST ? (int32_t)signal : 0,
    };
    char *text = ret_death->text;
    size_t bytes = sizeof ret_death->text;
    int number = ret_death->status;
    if (number == 0) {
        (void)snprintf(text, bytes, "it reported a crash without a signal");
    } else if ((number == SIGSEGV || number == SIGBUS) && (flags & START_ALARM_ADDRESS)) {
        (void)snprintf(text, bytes, "%s %s address 0x%llx",
                       number == SIGSEGV ? "segmentation fault" : "bus error",
                       flags & START_ALARM_EXECUTING ? "executing"
                       : flags & START_ALARM_WRITING ? "writing"
                                                     : "reading",
                       (unsigned long long)address);
    } else {
        (void)snprintf(text, bytes, "signal %d (%s)", number, strsignal(number));
    }
}
