#include "textflag.h"

// Machine code of the init process, linked into this binary as bytes only: it
// is never called here. initImage wraps it in an ELF header.
//
// It is started with every signal blocked, descriptor 3 a socket to the
// launcher, and argv = ["ambit-init", program, argv0, …].
//
//	set close-on-exec on 3
//	read one byte from 3; anything else than one byte: exit 125
//	clone(SIGCHLD): the child waits for SIGURG, unblocks signals and executes
//	    the program; if that fails it writes -errno (4 bytes) to 3 and exits 127
//	pass on what is pending but SIGCHLD: what came before the clone nobody else
//	    has seen. What came since, the child has too, blocked, and once again
//	    makes no difference to it. Only then send SIGURG.
//	loop: sigtimedwait for any signal
//	    sent by kill(2) and the like (si_code <= 0): pass it to the program.
//	        What the terminal sends reaches the program without us.
//	    SIGCHLD: reap all; when the program has ended, write its wait status
//	        (4 bytes) to 3 and exit, which ends every process of the namespace

#define SYS_read 0
#define SYS_write 1
#define SYS_rt_sigprocmask 14
#define SYS_clone 56
#define SYS_execve 59
#define SYS_wait4 61
#define SYS_kill 62
#define SYS_fcntl 72
#define SYS_rt_sigtimedwait 128
#define SYS_exit_group 231

TEXT ·initCode(SB), NOSPLIT|NOFRAME, $0-0
	MOVQ SP, R12 // argc, argv…
	SUBQ $512, SP
	ANDQ $~15, SP
	MOVQ SP, R14 // scratch: 0 status, 16 signal set, 32 siginfo, 160 timespec

	MOVL $3, DI // fcntl(3, F_SETFD, FD_CLOEXEC)
	MOVL $2, SI
	MOVL $1, DX
	MOVL $SYS_fcntl, AX
	SYSCALL

	MOVL $3, DI // read(3, scratch, 1)
	MOVQ R14, SI
	MOVL $1, DX
	MOVL $SYS_read, AX
	SYSCALL
	CMPQ AX, $1
	JEQ  released
	MOVL $125, DI
	JMP  exit

released:
	MOVL $17, DI // clone(SIGCHLD, 0, 0, 0, 0)
	XORL SI, SI
	XORL DX, DX
	XORL R10, R10
	XORL R8, R8
	MOVL $SYS_clone, AX
	SYSCALL
	TESTQ AX, AX
	JLT  cannot
	JEQ  child
	MOVQ AX, R13

	MOVQ $-65537, AX // all signals but SIGCHLD, which is bit 16
	MOVQ AX, 16(R14)
	MOVQ $0, 160(R14)
	MOVQ $0, 168(R14) // no time

early:
	LEAQ 16(R14), DI // rt_sigtimedwait(set, info, no time, 8)
	LEAQ 32(R14), SI
	LEAQ 160(R14), DX
	MOVL $8, R10
	MOVL $SYS_rt_sigtimedwait, AX
	SYSCALL
	TESTQ AX, AX
	JLE  go
	MOVQ R13, DI // kill(program, signal)
	MOVQ AX, SI
	MOVL $SYS_kill, AX
	SYSCALL
	JMP  early

go:
	MOVQ R13, DI // kill(program, SIGURG)
	MOVL $23, SI
	MOVL $SYS_kill, AX
	SYSCALL
	MOVQ $-1, AX
	MOVQ AX, 16(R14) // all signals

wait:
	LEAQ 16(R14), DI // rt_sigtimedwait(all, info, NULL, 8)
	LEAQ 32(R14), SI
	XORL DX, DX
	MOVL $8, R10
	MOVL $SYS_rt_sigtimedwait, AX
	SYSCALL
	TESTQ AX, AX
	JLE  wait
	CMPQ AX, $17 // SIGCHLD
	JEQ  reap
	MOVL 40(R14), CX // si_code
	CMPL CX, $0
	JGT  wait
	MOVQ R13, DI // kill(program, signal)
	MOVQ AX, SI
	MOVL $SYS_kill, AX
	SYSCALL
	JMP  wait

reap:
	MOVQ $-1, DI // wait4(-1, status, WNOHANG, NULL)
	MOVQ R14, SI
	MOVL $1, DX
	XORL R10, R10
	MOVL $SYS_wait4, AX
	SYSCALL
	TESTQ AX, AX
	JLE  wait
	CMPQ AX, R13
	JNE  reap

	MOVL $3, DI // write(3, status, 4)
	MOVQ R14, SI
	MOVL $4, DX
	MOVL $SYS_write, AX
	SYSCALL
	XORL DI, DI
	JMP  exit

child:
	MOVQ $0x400000, 16(R14) // SIGURG. One that was meant for the program is lost: it would be ignored

ready:
	LEAQ 16(R14), DI // rt_sigtimedwait(set, info, NULL, 8)
	LEAQ 32(R14), SI
	XORL DX, DX
	MOVL $8, R10
	MOVL $SYS_rt_sigtimedwait, AX
	SYSCALL
	CMPQ AX, $23
	JNE  ready

	MOVQ $0, 16(R14) // rt_sigprocmask(SIG_SETMASK, none, NULL, 8)
	MOVL $2, DI
	LEAQ 16(R14), SI
	XORL DX, DX
	MOVL $8, R10
	MOVL $SYS_rt_sigprocmask, AX
	SYSCALL
	MOVQ 0(R12), CX        // argc
	MOVQ 16(R12), DI       // argv[1]: the program
	LEAQ 24(R12), SI       // argv[2:]
	LEAQ 16(R12)(CX*8), DX // behind argv's NULL: the environment
	MOVL $SYS_execve, AX
	SYSCALL

cannot:
	MOVL AX, 0(R14) // write(3, -errno, 4)
	MOVL $3, DI
	MOVQ R14, SI
	MOVL $4, DX
	MOVL $SYS_write, AX
	SYSCALL
	MOVL $127, DI

exit:
	MOVL $SYS_exit_group, AX
	SYSCALL
	INT $3
	// Marks the end of the code for initImage.
	BYTE $0x41; BYTE $0x4d; BYTE $0x42; BYTE $0x49
	BYTE $0x54; BYTE $0x45; BYTE $0x4e; BYTE $0x44
	RET

// func initStart() uintptr
TEXT ·initStart(SB), NOSPLIT, $0-8
	LEAQ ·initCode(SB), AX
	MOVQ AX, ret+0(FP)
	RET
