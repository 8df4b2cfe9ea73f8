#include "textflag.h"

#define SYS_write 64

// The kernel calls this with the signal's number in R0, and returns from it by its own
// code, whose address is in R30. There is no g to be relied on; all registers are given
// back.
TEXT handler<>(SB), NOSPLIT|NOFRAME, $0
	MOVD $1, R1
	LSL  R0, R1, R1
	MOVD $·pending(SB), R2

again:
	LDAXR (R2), R3
	ORR   R1, R3, R3
	STLXR R3, (R2), R4
	CBNZ  R4, again
	MOVD  ·counter(SB), R0
	MOVD  $·one(SB), R1
	MOVD  $8, R2
	MOVD  $SYS_write, R8
	SVC
	RET

// func handlers() (handler, restorer uintptr)
TEXT ·handlers(SB), NOSPLIT, $0-16
	MOVD $handler<>(SB), R0
	MOVD R0, handler+0(FP)
	MOVD ZR, restorer+8(FP)
	RET
