// SPDX-License-Identifier: Apache-2.0

#include "textflag.h"

// func spin(word *uint32, seen, first, looks uint32) uint32
TEXT ·spin(SB), NOSPLIT, $0-28
	MOVD  word+0(FP), R0
	MOVWU seen+8(FP), R1
	MOVWU first+12(FP), R4
	MOVWU looks+16(FP), R2
	MOVWU looks+16(FP), R5
wait:
	CMPW  $1, R4
	BLS   look
	YIELD
	SUBW  $1, R4
	B     wait
look:
	YIELD
	MOVWU (R0), R3
	CMPW  R3, R1
	BNE   changed
	SUBW  $1, R2
	CBNZW R2, look
	MOVW  ZR, ret+24(FP)
	RET
changed:
	SUBW R2, R5
	ADDW $1, R5
	MOVW R5, ret+24(FP)
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
