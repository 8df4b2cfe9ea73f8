//go:build linux && (amd64 || arm64)

package memory

import (
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// program is where the linker has put what is only read of this program: its code, then its
// constants with the tables that Go looks code up in.
func program() (text, etext, rodata, epclntab uintptr)

// fixed is beyond the addresses that programs are linked for.
const fixed = 1 << 32

// unmapProgram takes the program's own file out of the page table. What runs afterwards has
// its pages mapped again, from the page cache, where they stay for as long as the host has
// room: a microsecond or two for each 64 KiB.
//
// Only what stands in the file as it is in memory can be read again. A program that can be
// loaded anywhere (PIE) was written to when it was, and keeps it. A debugger's breakpoints
// are lost.
func unmapProgram() {
	text, etext, rodata, epclntab := program()
	if epclntab >= fixed {
		return
	}
	unmap(text, etext)
	unmap(rodata, epclntab)
}

// unmap takes the whole pages of a range out of the page table. Where it cannot they stay.
func unmap(from, to uintptr) {
	page := uintptr(os.Getpagesize())
	from, to = (from+page-1)&^(page-1), to&^(page-1)
	if from < to {
		at := *(**byte)(unsafe.Pointer(&from)) // no memory of Go's, which vet asks about
		_ = unix.Madvise(unsafe.Slice(at, to-from), unix.MADV_DONTNEED)
	}
}
