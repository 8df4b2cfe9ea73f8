#include "textflag.h"

#define SYS_clone 56

// func vforkClone(flags uintptr) uintptr
//
// The child runs on the parent's stack until it execs or exits, so it
// overwrites the slot that holds our return address. The parent gets it back
// from R12, which the kernel keeps for each of the two.
TEXT ·vforkClone(SB), NOSPLIT|NOFRAME, $0-16
	MOVQ flags+0(FP), DI
	MOVQ 0(SP), R12
	XORL SI, SI // the same stack
	XORL DX, DX
	XORL R10, R10
	XORL R8, R8
	MOVL $SYS_clone, AX
	SYSCALL
	MOVQ R12, 0(SP)
	MOVQ AX, ret+8(FP)
	RET
