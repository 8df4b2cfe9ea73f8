#include "textflag.h"

#define SYS_write 1
#define SYS_rt_sigreturn 15

// The kernel calls this with the signal's number in DI, and what it returns to on the
// stack. There is no g to be relied on; all registers are given back by restorer.
TEXT handler<>(SB), NOSPLIT|NOFRAME, $0
	MOVL DI, CX
	MOVQ $1, AX
	SHLQ CX, AX
	LOCK
	ORQ  AX, ·pending(SB)
	MOVQ ·counter(SB), DI
	LEAQ ·one(SB), SI
	MOVL $8, DX
	MOVL $SYS_write, AX
	SYSCALL
	RET

TEXT restorer<>(SB), NOSPLIT|NOFRAME, $0
	MOVL $SYS_rt_sigreturn, AX
	SYSCALL
	INT  $3 // it never returns

// func handlers() (handler, restorer uintptr)
TEXT ·handlers(SB), NOSPLIT, $0-16
	LEAQ handler<>(SB), AX
	MOVQ AX, handler+0(FP)
	LEAQ restorer<>(SB), AX
	MOVQ AX, restorer+8(FP)
	RET
