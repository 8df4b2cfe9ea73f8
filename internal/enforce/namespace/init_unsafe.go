//go:build linux && (amd64 || arm64)

package namespace

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"
)

// initCode is machine code for another process; see init_amd64.s and init_arm64.s.
//
//nolint:unused // initStart, in assembly, takes its address; vet wants the declaration
func initCode()

// initStart is the address of initCode.
func initStart() uintptr

const (
	initEnd     = "AMBITEND"
	initMax     = 2048
	initBase    = 0x400000
	elfHeader   = 64
	elfSegment  = 56
	codeOffset  = elfHeader + 2*elfSegment
	segmentLoad = 1          // PT_LOAD
	segmentMark = 0x6474e551 // PT_GNU_STACK
)

// initImage is an ELF executable around initCode: one segment that can be read
// and executed, and a stack that cannot be executed.
var initImage = sync.OnceValues(func() ([]byte, error) {
	start := initStart()
	code := unsafe.Slice(*(**byte)(unsafe.Pointer(&start)), initMax)
	n := bytes.Index(code, []byte(initEnd))
	if n < 0 {
		return nil, errors.New("internal error: the init image has no end mark")
	}
	size := uint64(codeOffset + n)
	le := binary.LittleEndian
	b := append(make([]byte, 0, size), "\x7fELF\x02\x01\x01"...)
	b = append(b, make([]byte, 9)...)
	for _, v := range []uint16{2, elfMachine, 1, 0} { // the last two are one number of 32 bits
		b = le.AppendUint16(b, v)
	}
	for _, v := range []uint64{initBase + codeOffset, elfHeader, 0} {
		b = le.AppendUint64(b, v)
	}
	for _, v := range []uint16{0, 0, elfHeader, elfSegment, 2, 0, 0, 0} { // again
		b = le.AppendUint16(b, v)
	}
	segment := func(kind, rights uint32, numbers ...uint64) {
		b = le.AppendUint32(le.AppendUint32(b, kind), rights)
		for _, v := range numbers {
			b = le.AppendUint64(b, v)
		}
	}
	segment(segmentLoad, 5, 0, initBase, initBase, size, size, 0x1000)
	segment(segmentMark, 6, 0, 0, 0, 0, 0, 16)
	return append(b, code[:n]...), nil
})

// OpenInit returns a descriptor of the init program, sealed against change.
func OpenInit() (int, error) {
	image, err := initImage()
	if err != nil {
		return -1, err
	}
	fd, err := unix.MemfdCreate("ambit-init", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING|unix.MFD_EXEC)
	if errors.Is(err, unix.EINVAL) { // before Linux 6.3
		fd, err = unix.MemfdCreate("ambit-init", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	}
	if err != nil {
		return -1, fmt.Errorf("make the init program: %w", err)
	}
	if _, err = unix.Write(fd, image); err == nil {
		_, err = unix.FcntlInt(uintptr(fd), unix.F_ADD_SEALS, unix.F_SEAL_WRITE|unix.F_SEAL_SHRINK|unix.F_SEAL_GROW|unix.F_SEAL_SEAL)
	}
	if err != nil {
		_ = unix.Close(fd)
		return -1, fmt.Errorf("make the init program: %w", err)
	}
	return fd, nil
}
