package seccomp

import (
	"bytes"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// maxRead bounds what is read of a caller's memory at once: PATH_MAX, which
// counts the ending NUL.
const maxRead = unix.PathMax

// ReadPath returns the string at addr in the memory of pid, without its NUL.
// It fails with ENAMETOOLONG where no NUL is found in PATH_MAX bytes, EFAULT
// where the memory cannot be read, EPERM where pid may not be looked at (it
// changed its id, or is not readable), ESRCH where it is gone.
//
// Security: tells what to ask, never what is allowed. Another thread can
// change the memory before and after; whoever lets the call go on relies on
// other layers for what it then does. The caller must check with Valid, after
// the read, that pid was still the process that waits.
func ReadPath(pid int, addr uint64) ([]byte, error) {
	var path []byte
	for len(path) < maxRead {
		// Most paths are short: the first look is small.
		chunk, err := readChunk(pid, addr+uint64(len(path)), min(maxRead-len(path), max(256, len(path)*4)))
		if err != nil {
			return nil, fmt.Errorf("read path of process %d: %w", pid, err)
		}
		part, _, ended := bytes.Cut(chunk, []byte{0})
		path = append(path, part...)
		if ended {
			return path, nil
		}
	}
	return nil, fmt.Errorf("read path of process %d: %w", pid, unix.ENAMETOOLONG)
}

// ReadBytes returns n bytes at addr in the memory of pid, at most 4096, and
// fails like ReadPath; with EINVAL for more. What ReadPath says of trust holds
// for it too.
func ReadBytes(pid int, addr uint64, n int) ([]byte, error) {
	if n < 0 || n > maxRead {
		return nil, fmt.Errorf("read %d bytes of process %d: %w", n, pid, unix.EINVAL)
	}
	b := make([]byte, 0, n)
	for len(b) < n {
		chunk, err := readChunk(pid, addr+uint64(len(b)), n-len(b))
		if err != nil {
			return nil, fmt.Errorf("read %d bytes of process %d: %w", n, pid, err)
		}
		b = append(b, chunk...)
	}
	return b, nil
}

var pageSize = uint64(os.Getpagesize())

// readChunk reads at least one byte and at most n, never past the end of the
// page that addr lies in: the next one may not exist, and then the whole read
// would fail. It asks the kernel each time: an open /proc/PID/mem would go on
// meaning the memory from before an execve.
func readChunk(pid int, addr uint64, n int) ([]byte, error) {
	if pid <= 0 { // 0 is how the kernel names a process that we cannot see
		return nil, unix.ESRCH
	}
	n = int(min(uint64(n), pageSize-addr%pageSize))
	b := make([]byte, n)
	local := []unix.Iovec{{Base: &b[0]}}
	local[0].SetLen(n)
	got, err := unix.ProcessVMReadv(pid, local, []unix.RemoteIovec{{Base: uintptr(addr), Len: n}}, 0)
	if err != nil {
		return nil, err
	}
	if got <= 0 {
		return nil, unix.EFAULT
	}
	return b[:got], nil
}
