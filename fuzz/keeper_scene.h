/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FUZZ_KEEPER_SCENE_H
#define FUZZ_KEEPER_SCENE_H

/* Scene: system calls that a worker's filter tells the keeper of, with addresses in the worker's memory. */

#include "props.h"

/* One that the policy is asked about: finding_make(), again and again while its memory changes. */
void scene_notice(struct input *input);

/* A crash that its handler tells of: taking_*(); the capture is read again. */
void scene_alarm(struct input *input);

#endif
