#include "textflag.h"

// The init process of init_amd64.s, which says what it does, for arm64. R20 is
// where argc stands, R21 the scratch memory (0 status, 16 signal set, 32
// siginfo, 160 timespec, 192 msghdr, 248 iovec, 264 size, 272 control), R22 the
// program's process, R23 a step of an errand.

#define SYS_fcntl 25
#define SYS_read 63
#define SYS_write 64
#define SYS_exit_group 94
#define SYS_kill 129
#define SYS_rt_sigprocmask 135
#define SYS_rt_sigtimedwait 137
#define SYS_prctl 167
#define SYS_recvmsg 212
#define SYS_clone 220
#define SYS_execveat 281
#define SYS_mmap 222
#define SYS_wait4 260
#define SYS_close_range 436
#define ERRAND 0x10000000

TEXT ·initCode(SB), NOSPLIT|NOFRAME, $0-0
	MOVD RSP, R20 // argc, argv…
	SUB  $512, RSP
	MOVD RSP, R21

	MOVD $3, R0 // fcntl(3, F_SETFD, FD_CLOEXEC)
	MOVD $2, R1
	MOVD $1, R2
	MOVD $SYS_fcntl, R8
	SVC

	MOVD $3, R0 // read(3, scratch, 1)
	MOVD R21, R1
	MOVD $1, R2
	MOVD $SYS_read, R8
	SVC
	CMP  $1, R0
	BEQ  released
	MOVD $125, R0
	B    exit

released:
	MOVD $4, R0 // prctl(PR_SET_DUMPABLE, 0)
	MOVD $0, R1
	MOVD $SYS_prctl, R8
	SVC
	MOVD $17, R0 // clone(SIGCHLD, 0, 0, 0, 0)
	MOVD $0, R1
	MOVD $0, R2
	MOVD $0, R3
	MOVD $0, R4
	MOVD $SYS_clone, R8
	SVC
	CMP  $0, R0
	BLT  cannot
	BEQ  child
	MOVD R0, R22

	MOVD $-65537, R9 // all signals but SIGCHLD, which is bit 16
	MOVD R9, 16(R21)
	MOVD ZR, 160(R21)
	MOVD ZR, 168(R21) // no time

early:
	ADD  $16, R21, R0 // rt_sigtimedwait(set, info, no time, 8)
	ADD  $32, R21, R1
	ADD  $160, R21, R2
	MOVD $8, R3
	MOVD $SYS_rt_sigtimedwait, R8
	SVC
	CMP  $0, R0
	BLE  go
	MOVD R0, R1 // kill(program, signal)
	MOVD R22, R0
	MOVD $SYS_kill, R8
	SVC
	B    early

go:
	MOVD R22, R0 // kill(program, SIGURG)
	MOVD $23, R1
	MOVD $SYS_kill, R8
	SVC
	MOVD $-1, R9
	MOVD R9, 16(R21) // all signals

wait:
	ADD  $16, R21, R0 // rt_sigtimedwait(all, info, NULL, 8)
	ADD  $32, R21, R1
	MOVD $0, R2
	MOVD $8, R3
	MOVD $SYS_rt_sigtimedwait, R8
	SVC
	CMP  $0, R0
	BLE  wait
	CMP  $17, R0 // SIGCHLD
	BEQ  told
	MOVW 40(R21), R9 // si_code
	CMPW $0, R9
	BGT  wait
	MOVD R0, R1 // kill(program, signal)
	MOVD R22, R0
	MOVD $SYS_kill, R8
	SVC
	B    wait

told:
	MOVD ZR, 192(R21) // recvmsg(3, msghdr, MSG_DONTWAIT|MSG_CMSG_CLOEXEC)
	MOVD ZR, 200(R21)
	ADD  $248, R21, R9
	MOVD R9, 208(R21)
	MOVD $1, R9
	MOVD R9, 216(R21)
	ADD  $272, R21, R9
	MOVD R9, 224(R21)
	MOVD $40, R9
	MOVD R9, 232(R21)
	MOVD ZR, 240(R21)
	ADD  $264, R21, R9
	MOVD R9, 248(R21)
	MOVD $8, R9
	MOVD R9, 256(R21)
	MOVD $3, R0
	ADD  $192, R21, R1
	MOVD $0x40000040, R2
	MOVD $SYS_recvmsg, R8
	SVC
	CMP  $0, R0
	BLE  reap
	MOVD $17, R0 // clone(SIGCHLD, 0, 0, 0, 0)
	MOVD $0, R1
	MOVD $0, R2
	MOVD $0, R3
	MOVD $0, R4
	MOVD $SYS_clone, R8
	SVC
	CMP  $0, R0
	BEQ  entered
	MOVD $4, R0 // close_range(4, all, 0)
	MOVD $0xffffffff, R1
	MOVD $0, R2
	MOVD $SYS_close_range, R8
	SVC
	B    told

reap:
	MOVD $-1, R0 // wait4(-1, status, WNOHANG, NULL)
	MOVD R21, R1
	MOVD $1, R2
	MOVD $0, R3
	MOVD $SYS_wait4, R8
	SVC
	CMP  $0, R0
	BLE  wait
	CMP  R22, R0
	BNE  reap

	MOVD $3, R0 // write(3, status, 4)
	MOVD R21, R1
	MOVD $4, R2
	MOVD $SYS_write, R8
	SVC
	MOVD $0, R0
	B    exit

entered:
	MOVD $ERRAND, R0 // mmap(ERRAND, size, PROT_READ, MAP_PRIVATE|MAP_FIXED, 4, 0)
	MOVD 264(R21), R1
	MOVD $1, R2
	MOVD $0x12, R3
	MOVD $4, R4
	MOVD $0, R5
	MOVD $SYS_mmap, R8
	SVC
	MOVD $ERRAND, R23
	CMP  R23, R0
	MOVD $125, R0
	BNE  exit
	MOVD $36, R0 // prctl(PR_SET_CHILD_SUBREAPER, 1)
	MOVD $1, R1
	MOVD $SYS_prctl, R8
	SVC
	MOVD $17, R0 // clone(SIGCHLD, 0, 0, 0, 0)
	MOVD $0, R1
	MOVD $0, R2
	MOVD $0, R3
	MOVD $0, R4
	MOVD $SYS_clone, R8
	SVC
	CMP  $0, R0
	BEQ  step
	BLT  failed
	MOVD R0, R22
	MOVD $0, R0 // close_range(0, 4, 0)
	MOVD $4, R1
	MOVD $0, R2
	MOVD $SYS_close_range, R8
	SVC
	MOVD $6, R0 // close_range(6, all, 0)
	MOVD $0xffffffff, R1
	MOVD $0, R2
	MOVD $SYS_close_range, R8
	SVC

left:
	MOVD $-1, R0 // wait4(-1, status, 0, NULL)
	MOVD R21, R1
	MOVD $0, R2
	MOVD $0, R3
	MOVD $SYS_wait4, R8
	SVC
	CMN  $10, R0 // ECHILD
	BEQ  alone
	CMP  R22, R0
	BNE  left
	MOVD $5, R0 // write(5, status, 4)
	MOVD R21, R1
	MOVD $4, R2
	MOVD $SYS_write, R8
	SVC
	B    left

alone:
	MOVD $0, R0
	B    exit

step:
	MOVD  16(R23), R0
	MOVD  24(R23), R1
	MOVD  32(R23), R2
	MOVD  40(R23), R3
	MOVD  48(R23), R4
	MOVD  56(R23), R5
	MOVWU 0(R23), R8
	SVC
	MOVWU 4(R23), R9
	CMP   $1, R9
	BEQ   same
	BGT   next // it may fail
	CMP   $0, R0
	BLT   failed
	B     next

same:
	MOVD 8(R23), R9
	CMP  R9, R0
	BNE  failed

next:
	ADD $64, R23
	B   step

failed:
	MOVD R0, 0(R21) // write(5, answer and step, 16)
	MOVD R23, 8(R21)
	MOVD $5, R0
	MOVD R21, R1
	MOVD $16, R2
	MOVD $SYS_write, R8
	SVC
	MOVD $127, R0
	B    exit

child:
	MOVD $0x400000, R9 // SIGURG. One that was meant for the program is lost: it would be ignored
	MOVD R9, 16(R21)

ready:
	ADD  $16, R21, R0 // rt_sigtimedwait(set, info, NULL, 8)
	ADD  $32, R21, R1
	MOVD $0, R2
	MOVD $8, R3
	MOVD $SYS_rt_sigtimedwait, R8
	SVC
	CMP  $23, R0
	BNE  ready

	MOVD ZR, 16(R21) // rt_sigprocmask(SIG_SETMASK, none, NULL, 8)
	MOVD $2, R0
	ADD  $16, R21, R1
	MOVD $0, R2
	MOVD $8, R3
	MOVD $SYS_rt_sigprocmask, R8
	SVC
	MOVD 0(R20), R9         // argc
	MOVD $-100, R0          // AT_FDCWD
	MOVD 16(R20), R1        // argv[1]: the program
	ADD  $24, R20, R2       // argv[2:]
	ADD  R9<<3, R20, R3     // behind argv's NULL: the environment
	ADD  $16, R3
	MOVD $0x1000, R4        // AT_EMPTY_PATH, which changes nothing of a path: such a call is not held
	MOVD $SYS_execveat, R8
	SVC

cannot:
	MOVW R0, 0(R21) // write(3, -errno, 4)
	MOVD $3, R0
	MOVD R21, R1
	MOVD $4, R2
	MOVD $SYS_write, R8
	SVC
	MOVD $127, R0

exit:
	MOVD $SYS_exit_group, R8
	SVC
	BRK
	// Marks the end of the code for initImage: AMBITEND.
	WORD $0x49424d41
	WORD $0x444e4554
	RET

// func initStart() uintptr
TEXT ·initStart(SB), NOSPLIT, $0-8
	MOVD $·initCode(SB), R0
	MOVD R0, ret+0(FP)
	RET
