#include "textflag.h"

#define SYS_clone 220

// func vforkClone(flags uintptr) uintptr
//
// The child runs on the parent's stack until it execs or exits. The return
// address is in R30, which the kernel keeps for each of the two.
TEXT ·vforkClone(SB), NOSPLIT|NOFRAME, $0-16
	MOVD flags+0(FP), R0
	MOVD $0, R1 // the same stack
	MOVD $0, R2
	MOVD $0, R3
	MOVD $0, R4
	MOVD $SYS_clone, R8
	SVC
	MOVD R0, ret+8(FP)
	RET
