/* SPDX-License-Identifier: Apache-2.0 */
#include "faults.h"

#include <pthread.h>

int fault_pthread_exit(int value)
{
    (void)value;
    pthread_exit(NULL);
}
