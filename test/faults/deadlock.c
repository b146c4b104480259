/* SPDX-License-Identifier: Apache-2.0 */
#include "faults.h"

#include <pthread.h>

int fault_deadlock(int value)
{
    pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    (void)pthread_mutex_lock(&lock);
    (void)pthread_mutex_lock(&lock);
    return value;
}
