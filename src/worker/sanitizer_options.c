/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Only in builds with sanitizers: a fault in a worker must end it by its signal, as it does without
 * them, what the sanitizer finds by SIGABRT, as what the C library finds does; and a worker that the
 * sandbox holds cannot search for leaks at its end.
 */
#define OPTIONS                                                                                    \
    "handle_segv=0:handle_sigbus=0:handle_abort=0:handle_sigill=0:handle_sigfpe=0:"                \
    "detect_leaks=0:use_sigaltstack=0:abort_on_error=1:"                                           \
    "allocator_may_return_null=1"

const char *__asan_default_options(void);
const char *__tsan_default_options(void);
const char *__ubsan_default_options(void);

__attribute__((visibility("default"))) const char *__asan_default_options(void)
{
    return OPTIONS;
}

__attribute__((visibility("default"))) const char *__tsan_default_options(void)
{
    return OPTIONS;
}

__attribute__((visibility("default"))) const char *__ubsan_default_options(void)
{
    return "abort_on_error=1:print_stacktrace=1";
}
