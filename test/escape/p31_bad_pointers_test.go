package escape_test

import (
	"errors"
	"fmt"
	"testing"

	"golang.org/x/sys/unix"
)

// Inside, as outside, the kernel says what is wrong with a pointer.
func TestP31BadPointers(t *testing.T) {
	attack{
		ID: "P31", Title: "pointers that cannot be read, or only in part",
		Reference: "supervisors that answer EFAULT for what the kernel takes: utimensat with a null path",
		Tiers:     process,
		Flags:     func(*field) []string { return []string{"--watch-files=on"} },
		Tries: []try{{Name: "all", Want: allowed("each call ends as it does outside"), Slow: "many calls", Do: func(f *field) error {
			page := unix.Getpagesize()
			m, err := unix.Mmap(-1, 0, 3*page, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
			if err != nil {
				return err
			}
			if err := unix.Mprotect(m[page:2*page], unix.PROT_NONE); err != nil {
				return err
			}
			path := f.work("file") + "\x00"
			cut := m[page-4 : page] // runs into a page that is not there
			copy(cut, path)
			whole := m[page-len(path) : page] // ends exactly at it
			var errs error
			expect := func(what string, want error, nr uintptr, args ...uintptr) {
				r, err := raw(nr, args...)
				if !errors.Is(err, want) && (err != nil || want != nil) {
					errs = errors.Join(errs, fmt.Errorf("%s: %v, want %v", what, err, want))
				}
				if err == nil && nr == unix.SYS_OPEN {
					_ = unix.Close(int(r))
				}
			}
			at := ^uintptr(99)
			for _, p := range []struct {
				name string
				at   uintptr
			}{{"null", 0}, {"unmapped", 8}, {"page that cannot be read", address(&m[page])}, {"kernel", 1 << 63}, {"crossing", address(&cut[0])}} {
				expect("open "+p.name, unix.EFAULT, unix.SYS_OPEN, p.at, 0)
				expect("openat "+p.name, unix.EFAULT, unix.SYS_OPENAT, at, p.at, 0)
				expect("creat "+p.name, unix.EFAULT, unix.SYS_CREAT, p.at, 0)
				expect("execve "+p.name, unix.EFAULT, unix.SYS_EXECVE, p.at, 0, 0)
			}
			copy(whole, path)
			expect("open at the end of a page", nil, unix.SYS_OPEN, address(&whole[0]), 0)
			expect("open empty", unix.ENOENT, unix.SYS_OPEN, text(""), 0)
			fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
			if err != nil {
				return err
			}
			expect("connect null", unix.EFAULT, unix.SYS_CONNECT, uintptr(fd), 0, 16)
			expect("connect unmapped", unix.EFAULT, unix.SYS_CONNECT, uintptr(fd), 8, 16)
			expect("connect too long", unix.EINVAL, unix.SYS_CONNECT, uintptr(fd), address(&m[0]), 4096)
			expect("connect too short", unix.EINVAL, unix.SYS_CONNECT, uintptr(fd), address(&m[0]), 1)
			expect("connect negative", unix.EINVAL, unix.SYS_CONNECT, uintptr(fd), address(&m[0]), ^uintptr(0))
			expect("connect bad descriptor", unix.EBADF, unix.SYS_CONNECT, 999, address(&m[0]), 16)
			expect("connect to a file", unix.ENOTSOCK, unix.SYS_CONNECT, 1, address(&m[0]), 16)
			return errs
		}}},
	}.run(t)
}
