/* SPDX-License-Identifier: Apache-2.0 */
/* The page, embedded. PAGE is its path. The policy changes with it, and has this file assembled again. */
#include "gateway/page_policy.h"
    .section .rodata.page, "a"
    .global page_text
    .hidden page_text
    .global page_end
    .hidden page_end
page_text:
    .incbin PAGE
page_end:
    .byte 0

    .section .note.GNU-stack, "", %progbits
