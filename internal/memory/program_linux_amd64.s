#include "textflag.h"

// func program() (text, etext, rodata, epclntab uintptr)
TEXT ·program(SB), NOSPLIT, $0-32
	MOVQ $runtime·text(SB), AX
	MOVQ AX, text+0(FP)
	MOVQ $runtime·etext(SB), AX
	MOVQ AX, etext+8(FP)
	MOVQ $runtime·rodata(SB), AX
	MOVQ AX, rodata+16(FP)
	MOVQ $runtime·epclntab(SB), AX
	MOVQ AX, epclntab+24(FP)
	RET
