/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CORDON_CORDON_H
#define CORDON_CORDON_H

/*
 * Cordon: call native C libraries without their being able to crash, hang, corrupt or leak into this
 * process. Open a cell on a library, bind prototypes, call; each call ends in an outcome.
 *
 * What the library does to the process is said in cell.h.
 */

#include "cordon/arena.h"
#include "cordon/attach.h"
#include "cordon/batch.h"
#include "cordon/callback.h"
#include "cordon/cell.h"
#include "cordon/error.h"
#include "cordon/function.h"
#include "cordon/interface.h"
#include "cordon/lease.h"
#include "cordon/object.h"
#include "cordon/outcome.h"
#include "cordon/plan.h"
#include "cordon/platform.h"
#include "cordon/policy.h"
#include "cordon/replay.h"
#include "cordon/report.h"
#include "cordon/session.h"
#include "cordon/value.h"
#include "cordon/violation.h"

#endif
