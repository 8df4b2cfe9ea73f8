#include "textflag.h"

// Machine code of the init process, linked into this binary as bytes only: it
// is never called here. initImage wraps it in an ELF header.
//
// It is started with every signal blocked, descriptor 3 a socket to the
// launcher, and argv = ["ambit-init", program, argv0, …].
//
//	set close-on-exec on 3
//	read one byte from 3; anything else than one byte: exit 125
//	be not dumpable from here on: nobody inside looks into what init is handed
//	clone(SIGCHLD): the child waits for SIGURG, unblocks signals and executes
//	    the program; if that fails it writes -errno (4 bytes) to 3 and exits 127
//	pass on what is pending but SIGCHLD: what came before the clone nobody else
//	    has seen. What came since, the child has too, blocked, and once again
//	    makes no difference to it. Only then send SIGURG.
//	loop: sigtimedwait for any signal
//	    sent by kill(2) and the like (si_code <= 0): pass it to the program.
//	        What the terminal sends reaches the program without us.
//	    SIGCHLD: see whether another program is to be started, which is told on 3
//	        and sent by a SIGCHLD too; reap all; when the program has ended, write
//	        its wait status (4 bytes) to 3 and exit, which ends every process of
//	        the namespace
//
// Another program comes as a message of 8 bytes, the size of an errand (errand.go),
// with five descriptors, which become 4 to 8: the errand, the line on which to tell
// of it, and the program's first three. A child of init maps the errand, takes over
// what will be left of the program, and makes a child that carries the errand out;
// that tells of a call that does not do what it must (16 bytes: what it answered and
// the step's address) and exits 127. The first one tells how the program ended
// (4 bytes) and stays until nothing that it started is left.

#define SYS_read 0
#define SYS_write 1
#define SYS_mmap 9
#define SYS_rt_sigprocmask 14
#define SYS_recvmsg 47
#define SYS_clone 56
#define SYS_wait4 61
#define SYS_kill 62
#define SYS_fcntl 72
#define SYS_rt_sigtimedwait 128
#define SYS_prctl 157
#define SYS_exit_group 231
#define SYS_execveat 322
#define SYS_close_range 436
#define ERRAND 0x10000000

TEXT ·initCode(SB), NOSPLIT|NOFRAME, $0-0
	MOVQ SP, R12 // argc, argv…
	SUBQ $512, SP
	ANDQ $~15, SP
	MOVQ SP, R14 // scratch: 0 status, 16 signal set, 32 siginfo, 160 timespec, 192 msghdr, 248 iovec, 264 size, 272 control

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
	MOVL $4, DI // prctl(PR_SET_DUMPABLE, 0)
	XORL SI, SI
	MOVL $SYS_prctl, AX
	SYSCALL
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
	JEQ  told
	MOVL 40(R14), CX // si_code
	CMPL CX, $0
	JGT  wait
	MOVQ R13, DI // kill(program, signal)
	MOVQ AX, SI
	MOVL $SYS_kill, AX
	SYSCALL
	JMP  wait

told:
	MOVQ $0, 192(R14) // recvmsg(3, msghdr, MSG_DONTWAIT|MSG_CMSG_CLOEXEC)
	MOVQ $0, 200(R14)
	LEAQ 248(R14), AX
	MOVQ AX, 208(R14)
	MOVQ $1, 216(R14)
	LEAQ 272(R14), AX
	MOVQ AX, 224(R14)
	MOVQ $40, 232(R14)
	MOVQ $0, 240(R14)
	LEAQ 264(R14), AX
	MOVQ AX, 248(R14)
	MOVQ $8, 256(R14)
	MOVL $3, DI
	LEAQ 192(R14), SI
	MOVL $0x40000040, DX
	MOVL $SYS_recvmsg, AX
	SYSCALL
	TESTQ AX, AX
	JLE  reap
	MOVL $17, DI // clone(SIGCHLD, 0, 0, 0, 0)
	XORL SI, SI
	XORL DX, DX
	XORL R10, R10
	XORL R8, R8
	MOVL $SYS_clone, AX
	SYSCALL
	TESTQ AX, AX
	JEQ  entered
	MOVL $4, DI // close_range(4, all, 0)
	MOVL $-1, SI
	XORL DX, DX
	MOVL $SYS_close_range, AX
	SYSCALL
	JMP  told

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

entered:
	MOVL $ERRAND, DI // mmap(ERRAND, size, PROT_READ, MAP_PRIVATE|MAP_FIXED, 4, 0)
	MOVQ 264(R14), SI
	MOVL $1, DX
	MOVL $0x12, R10
	MOVL $4, R8
	XORL R9, R9
	MOVL $SYS_mmap, AX
	SYSCALL
	MOVL $125, DI
	CMPQ AX, $ERRAND
	JNE  exit
	MOVL $36, DI // prctl(PR_SET_CHILD_SUBREAPER, 1)
	MOVL $1, SI
	MOVL $SYS_prctl, AX
	SYSCALL
	MOVL $17, DI // clone(SIGCHLD, 0, 0, 0, 0)
	XORL SI, SI
	XORL DX, DX
	XORL R10, R10
	XORL R8, R8
	MOVL $SYS_clone, AX
	SYSCALL
	MOVL $ERRAND, R15
	TESTQ AX, AX
	JEQ  step
	JLT  failed
	MOVQ AX, R13
	XORL DI, DI // close_range(0, 4, 0)
	MOVL $4, SI
	XORL DX, DX
	MOVL $SYS_close_range, AX
	SYSCALL
	MOVL $6, DI // close_range(6, all, 0)
	MOVL $-1, SI
	XORL DX, DX
	MOVL $SYS_close_range, AX
	SYSCALL

left:
	MOVQ $-1, DI // wait4(-1, status, 0, NULL)
	MOVQ R14, SI
	XORL DX, DX
	XORL R10, R10
	MOVL $SYS_wait4, AX
	SYSCALL
	XORL DI, DI
	CMPQ AX, $-10 // ECHILD
	JEQ  exit
	CMPQ AX, R13
	JNE  left
	MOVL $5, DI // write(5, status, 4)
	MOVQ R14, SI
	MOVL $4, DX
	MOVL $SYS_write, AX
	SYSCALL
	JMP  left

step:
	MOVQ 16(R15), DI
	MOVQ 24(R15), SI
	MOVQ 32(R15), DX
	MOVQ 40(R15), R10
	MOVQ 48(R15), R8
	MOVQ 56(R15), R9
	MOVL 0(R15), AX
	SYSCALL
	MOVL 4(R15), CX
	CMPL CX, $1
	JEQ  same
	JGT  next // it may fail
	TESTQ AX, AX
	JLT  failed
	JMP  next

same:
	CMPQ AX, 8(R15)
	JNE  failed

next:
	ADDQ $64, R15
	JMP  step

failed:
	MOVQ AX, 0(R14) // write(5, answer and step, 16)
	MOVQ R15, 8(R14)
	MOVL $5, DI
	MOVQ R14, SI
	MOVL $16, DX
	MOVL $SYS_write, AX
	SYSCALL
	MOVL $127, DI
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
	MOVQ $-100, DI          // AT_FDCWD
	MOVQ 16(R12), SI        // argv[1]: the program
	LEAQ 24(R12), DX        // argv[2:]
	LEAQ 16(R12)(CX*8), R10 // behind argv's NULL: the environment
	MOVL $0x1000, R8        // AT_EMPTY_PATH, which changes nothing of a path: such a call is not held
	MOVL $SYS_execveat, AX
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
