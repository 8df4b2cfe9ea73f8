#include "textflag.h"

#define SYS_prctl 167
#define PR_SET_TIMERSLACK 29
#define PR_GET_TIMERSLACK 30
#define LATE 1000000

// func Entry()
//
// See entry_linux_amd64.s.
TEXT ·Entry(SB), NOSPLIT|NOFRAME, $0-0
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
	MOVD R0, ·before(SB)
	MOVD $PR_SET_TIMERSLACK, R0
	MOVD $SYS_prctl, R8
	SVC

go:
	B _rt0_arm64_linux(SB)
