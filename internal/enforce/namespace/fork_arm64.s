#include "textflag.h"

#define SYS_futex 98
#define SYS_clone 220

// func cloneSharing(flags uintptr, shares *uint32) uintptr
//
// As in fork_amd64.s. The return address is in R30, and what the parent needs when
// it has waited in R19 and R20: the kernel keeps them for each of the two.
TEXT ·cloneSharing(SB), NOSPLIT|NOFRAME, $0-24
	MOVD flags+0(FP), R0
	MOVD shares+8(FP), R19
	MOVD $0, R1 // the same stack
	MOVD $0, R2
	MOVD $0, R3
	MOVD R19, R4
	MOVD $SYS_clone, R8
	SVC
	MOVD R0, R20
	CMP  $0, R0
	BLE  back // the child, or there is none

wait:
	LDARW (R19), R2
	CBZW  R2, back
	MOVD  R19, R0 // futex(shares, FUTEX_WAIT, what it is, no end)
	MOVD  $0, R1
	MOVD  $0, R3
	MOVD  $SYS_futex, R8
	SVC
	B     wait

back:
	MOVD R20, ret+16(FP)
	RET
