#include "textflag.h"

#define SYS_clone 56
#define SYS_futex 202

// func cloneSharing(flags uintptr, shares *uint32) uintptr
//
// The child runs on the parent's stack until it execs or exits, and overwrites the
// slot that holds our return address. The parent touches no memory of that stack
// before the kernel says that the child has left it: it waits for *shares to become 0
// in FUTEX_WAIT. What it needs then is in R12, R13 and BX, which the kernel keeps for
// each of the two.
TEXT ·cloneSharing(SB), NOSPLIT|NOFRAME, $0-24
	MOVQ flags+0(FP), DI
	MOVQ shares+8(FP), R13
	MOVQ 0(SP), R12
	XORL SI, SI // the same stack
	XORL DX, DX
	MOVQ R13, R10
	XORL R8, R8
	MOVL $SYS_clone, AX
	SYSCALL
	MOVQ AX, BX
	TESTQ AX, AX
	JLE  back // the child, or there is none

wait:
	MOVL 0(R13), DX
	TESTL DX, DX
	JEQ  back
	MOVQ R13, DI // futex(shares, FUTEX_WAIT, what it is, no end)
	XORL SI, SI
	XORL R10, R10
	MOVL $SYS_futex, AX
	SYSCALL
	JMP  wait

back:
	MOVQ R12, 0(SP)
	MOVQ BX, ret+16(FP)
	RET
