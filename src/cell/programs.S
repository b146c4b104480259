/* SPDX-License-Identifier: Apache-2.0 */
/* The programs, embedded. KEEPER_PROGRAM, WORKER_PROGRAM and SYMBOLIZE_PROGRAM are paths. */
    .section .rodata.programs, "a"

    .macro embed name, path
    .global \name
    .hidden \name
    .global \name\()_end
    .hidden \name\()_end
    .balign 16
\name:
    .incbin "\path"
\name\()_end:
    .byte 0
    .endm

    embed programs_keeper, KEEPER_PROGRAM
    embed programs_worker, WORKER_PROGRAM
    embed programs_symbolize, SYMBOLIZE_PROGRAM

    .section .note.GNU-stack, "", %progbits
