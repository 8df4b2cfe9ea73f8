#include "textflag.h"

#define SYS_prctl 157
#define SYS_prlimit64 302
#define PR_SET_TIMERSLACK 29
#define PR_GET_TIMERSLACK 30
#define RLIMIT_NOFILE 7
#define LATE 1000000
#define STANDARD 3 // descriptors 0, 1 and 2

// func Entry()
//
// The kernel starts a program here with the number of its arguments at 0(SP), and
// behind it the addresses of their texts. There is no stack frame, no g and nothing
// of the runtime yet; system calls leave SP and all that stands there as it was.
// "run" and its end are compared as one number; behind shorter arguments stands
// the environment, so that there is memory to be read.
TEXT ·Entry(SB), NOSPLIT|NOFRAME, $0-0
	XORL DI, DI
	MOVL $RLIMIT_NOFILE, SI
	XORL DX, DX
	LEAQ ·files(SB), R10
	MOVL $SYS_prlimit64, AX
	SYSCALL
	CMPQ AX, $0
	JNE  unlimited
	CMPQ ·files(SB), $STANDARD
	JLS  unlimited
	MOVQ $STANDARD, ·few(SB)
	MOVQ ·files+8(SB), AX
	MOVQ AX, ·few+8(SB)
	LEAQ ·few(SB), DX
	XORL R10, R10
	MOVL $SYS_prlimit64, AX
	SYSCALL
	CMPQ AX, $0
	JEQ  profile

unlimited:
	MOVQ $0, ·files(SB) // nothing is to be restored

profile:
	MOVQ ·rate(SB), AX
	MOVQ $0, (AX)
	CMPQ 0(SP), $2
	JLT  go
	MOVQ 16(SP), AX
	CMPL (AX), $0x006e7572 // "run\0"
	JNE  go
	MOVL $PR_GET_TIMERSLACK, DI
	MOVL $SYS_prctl, AX
	SYSCALL
	CMPQ AX, $0
	JLE  go // it has none, which is that of real-time threads, or it cannot be told
	CMPQ AX, $LATE
	JGE  go
	MOVQ AX, ·slack(SB)
	MOVL $PR_SET_TIMERSLACK, DI
	MOVL $LATE, SI
	MOVL $SYS_prctl, AX
	SYSCALL

go:
	JMP _rt0_amd64_linux(SB)

// func restore() bool
//
// A soft limit can always be raised to what it was: the hard one was not changed. The
// frame is never touched. It is what the first goroutine gets its stack for.
TEXT ·restore(SB), $20480-1
	MOVB $0, ret+0(FP)
	CMPQ ·files(SB), $0
	JEQ  done
	XORL DI, DI
	MOVL $RLIMIT_NOFILE, SI
	LEAQ ·files(SB), DX
	XORL R10, R10
	MOVL $SYS_prlimit64, AX
	SYSCALL
	MOVB $1, ret+0(FP)

done:
	RET
