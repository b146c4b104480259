// SPDX-License-Identifier: Apache-2.0

#include "textflag.h"

// func spin(word *uint32, seen uint32, looks uint32) bool
TEXT ·spin(SB), NOSPLIT, $0-17
	MOVD  word+0(FP), R0
	MOVWU seen+8(FP), R1
	MOVWU looks+12(FP), R2
look:
	YIELD
	MOVWU (R0), R3
	CMPW  R3, R1
	BNE   changed
	SUBW  $1, R2
	CBNZW R2, look
	MOVB  ZR, ret+16(FP)
	RET
changed:
	MOVD $1, R3
	MOVB R3, ret+16(FP)
	RET

// func claim(memory *byte, bytes int)
TEXT ·claim(SB), NOSPLIT, $0-16
	MOVD memory+0(FP), R0
	MOVD bytes+8(FP), R1
line:
	PRFM (R0), PSTL1KEEP
	ADD  $64, R0
	SUBS $64, R1, R1
	BGT  line
	RET
