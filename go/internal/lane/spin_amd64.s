// SPDX-License-Identifier: Apache-2.0

#include "textflag.h"

// func spin(word *uint32, seen uint32, looks uint32) bool
//
// PAUSE stands before each look: it frees the line for its writer (src/lane/wait.h has the numbers).
TEXT ·spin(SB), NOSPLIT, $0-17
	MOVQ word+0(FP), AX
	MOVL seen+8(FP), BX
	MOVL looks+12(FP), CX
look:
	PAUSE
	MOVL (AX), DX
	CMPL DX, BX
	JNE  changed
	DECL CX
	JNZ  look
	MOVB $0, ret+16(FP)
	RET
changed:
	MOVB $1, ret+16(FP)
	RET

// func claim(memory *byte, bytes int)
//
// PREFETCHW of each line.
TEXT ·claim(SB), NOSPLIT, $0-16
	MOVQ memory+0(FP), AX
	MOVQ bytes+8(FP), CX
line:
	BYTE $0x0f; BYTE $0x0d; BYTE $0x08 // PREFETCHW (AX)
	ADDQ $64, AX
	SUBQ $64, CX
	JGT  line
	RET
