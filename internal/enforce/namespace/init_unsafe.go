//go:build linux && amd64

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

// initCode is machine code for another process; see init_amd64.s.
//
//nolint:unused // initStart, in assembly, takes its address; vet wants the declaration
func initCode()

// initStart is the address of initCode.
func initStart() uintptr

const (
	initEnd     = "AMBITEND"
	initMax     = 1024
	initBase    = 0x400000
	elfHeader   = 64
	elfSegment  = 56
	elfMachine  = 62 // EM_X86_64
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
	var b bytes.Buffer
	put := func(v ...any) {
		for _, x := range v {
			_ = binary.Write(&b, binary.LittleEndian, x) // a Buffer does not fail
		}
	}
	put([]byte("\x7fELF\x02\x01\x01"), make([]byte, 9))
	put(uint16(2), uint16(elfMachine), uint32(1), uint64(initBase+codeOffset), uint64(elfHeader), uint64(0), uint32(0))
	put(uint16(elfHeader), uint16(elfSegment), uint16(2), uint16(0), uint16(0), uint16(0))
	put(uint32(segmentLoad), uint32(5), uint64(0), uint64(initBase), uint64(initBase), size, size, uint64(0x1000))
	put(uint32(segmentMark), uint32(6), uint64(0), uint64(0), uint64(0), uint64(0), uint64(0), uint64(16))
	b.Write(code[:n])
	return b.Bytes(), nil
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
