// SPDX-License-Identifier: Apache-2.0

#include "textflag.h"

// func spin(word *uint32, seen, first, looks uint32) uint32
//
// PAUSE stands before each look: it frees the line for its writer (src/lane/wait.h has the numbers).
TEXT ·spin(SB), NOSPLIT, $0-28
	MOVQ word+0(FP), AX
	MOVL seen+8(FP), BX
	MOVL first+12(FP), SI
	MOVL looks+16(FP), CX
	MOVL CX, DI
wait:
	CMPL SI, $1
	JLS  look
	PAUSE
	DECL SI
	JMP  wait
look:
	PAUSE
	MOVL (AX), DX
	CMPL DX, BX
	JNE  changed
	DECL CX
	JNZ  look
	MOVL $0, ret+24(FP)
	RET
changed:
	SUBL CX, DI
	INCL DI
	MOVL DI, ret+24(FP)
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
