#include "textflag.h"

#define SYS_prctl 157
#define PR_SET_TIMERSLACK 29
#define PR_GET_TIMERSLACK 30
#define LATE 1000000

// func Entry()
//
// The kernel starts a program here with the number of its arguments at 0(SP), and
// behind it the addresses of their texts. There is no stack frame, no g and nothing
// of the runtime yet; system calls leave SP and all that stands there as it was.
// "run" and its end are compared as one number; behind shorter arguments stands
// the environment, so that there is memory to be read.
TEXT ·Entry(SB), NOSPLIT|NOFRAME, $0-0
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
	MOVQ AX, ·before(SB)
	MOVL $PR_SET_TIMERSLACK, DI
	MOVL $LATE, SI
	MOVL $SYS_prctl, AX
	SYSCALL

go:
	JMP _rt0_amd64_linux(SB)
