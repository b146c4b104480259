/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CORDON_EXPORT_H
#define CORDON_EXPORT_H

/* Marks of the public functions: visible from the library; a result that must be looked at. */
#if defined(__GNUC__)
#define CORDON_API      __attribute__((visibility("default")))
#define CORDON_MUST_USE __attribute__((warn_unused_result))
#else
#define CORDON_API
#define CORDON_MUST_USE
#endif

#endif
