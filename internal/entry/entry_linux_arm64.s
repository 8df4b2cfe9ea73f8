#include "textflag.h"

#define SYS_prctl 167
#define SYS_prlimit64 261
#define PR_SET_TIMERSLACK 29
#define PR_GET_TIMERSLACK 30
#define RLIMIT_NOFILE 7
#define LATE 1000000
#define STANDARD 3 // descriptors 0, 1 and 2

// func Entry()
//
// See entry_linux_amd64.s.
TEXT ·Entry(SB), NOSPLIT|NOFRAME, $0-0
	MOVD ZR, R0
	MOVD $RLIMIT_NOFILE, R1
	MOVD ZR, R2
	MOVD $·files(SB), R3
	MOVD $SYS_prlimit64, R8
	SVC
	CBNZ R0, unlimited
	MOVD ·files(SB), R1
	CMP  $STANDARD, R1
	BLS  unlimited
	MOVD $STANDARD, R1
	MOVD R1, ·few(SB)
	MOVD ·files+8(SB), R1
	MOVD R1, ·few+8(SB)
	MOVD ZR, R0
	MOVD $RLIMIT_NOFILE, R1
	MOVD $·few(SB), R2
	MOVD ZR, R3
	MOVD $SYS_prlimit64, R8
	SVC
	CBZ  R0, profile

unlimited:
	MOVD ZR, ·files(SB) // nothing is to be restored

profile:
	MOVD ·rate(SB), R0
	MOVD ZR, (R0)
	MOVD 0(RSP), R0
	CMP  $2, R0
	BLT  go
	MOVD 16(RSP), R0
	MOVWU (R0), R1
	MOVD $0x006e7572, R2 // "run\0"
	CMPW R2, R1
	BNE  go
	MOVD $PR_GET_TIMERSLACK, R0
	MOVD $SYS_prctl, R8
	SVC
	CMP  $0, R0
	BLE  go // it has none, which is that of real-time threads, or it cannot be told
	MOVD $LATE, R1
	CMP  R1, R0
	BGE  go
	MOVD R0, ·slack(SB)
	MOVD $PR_SET_TIMERSLACK, R0
	MOVD $SYS_prctl, R8
	SVC

go:
	B _rt0_arm64_linux(SB)

// func restore() bool
//
// See entry_linux_amd64.s.
TEXT ·restore(SB), $20480-1
	MOVB ZR, ret+0(FP)
	MOVD ·files(SB), R0
	CBZ  R0, done
	MOVD ZR, R0
	MOVD $RLIMIT_NOFILE, R1
	MOVD $·files(SB), R2
	MOVD ZR, R3
	MOVD $SYS_prlimit64, R8
	SVC
	MOVD $1, R0
	MOVB R0, ret+0(FP)

done:
	RET
