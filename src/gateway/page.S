/* SPDX-License-Identifier: Apache-2.0 */
/* page.html, embedded. PAGE is its path. */
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
