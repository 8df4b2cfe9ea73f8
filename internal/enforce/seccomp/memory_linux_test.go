package seccomp_test

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"testing"

	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/enforce/seccomp"
)

// TestReadPath reads from this process, whose memory is laid out so that a
// page with nothing behind it follows.
func TestReadPath(t *testing.T) {
	page := os.Getpagesize()
	m, err := unix.Mmap(-1, 0, 4*page, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = unix.Munmap(m) }()
	if err := unix.Mprotect(m[3*page:], unix.PROT_NONE); err != nil {
		t.Fatal(err)
	}
	base, end := uint64(address(m)), 3*page // the first byte that is not there
	put := func(at int, text string) uint64 {
		clear(m[:end])
		copy(m[at:end], text)
		return base + uint64(at)
	}
	long := func(n int) string { return "/" + string(bytes.Repeat([]byte("x"), n-1)) }
	for _, c := range []struct {
		name string
		addr uint64
		want string
		err  error
	}{
		{"plain", put(0, "/etc/passwd"), "/etc/passwd", nil},
		{"empty", put(0, ""), "", nil},
		{"not UTF-8", put(0, "/\xff\xfe\n"), "/\xff\xfe\n", nil},
		{"ends with the page", put(end-6, "/abcd\x00"), "/abcd", nil},
		{"crosses a page", put(page-3, "/abcdef"), "/abcdef", nil},
		{"crosses into nothing", put(end-5, "/abcd"), "", unix.EFAULT},
		{"300 bytes", put(10, long(300)), long(300), nil},
		{"4095 bytes, crossing", put(page-100, long(4095)), long(4095), nil},
		{"4096 bytes", put(page-100, long(4096)), "", unix.ENAMETOOLONG},
		{"null", 0, "", unix.EFAULT},
		{"the kernel's", 1 << 63, "", unix.EFAULT},
		{"the last address", ^uint64(0), "", unix.EFAULT},
		{"not readable", base + uint64(end), "", unix.EFAULT},
	} {
		// Laying out the next case destroys the last one, so each is laid out again.
		if c.err == nil && c.want != "" {
			put(int(c.addr-base), c.want)
		} else if c.name == "empty" {
			put(0, "")
		} else if c.name == "crosses into nothing" {
			put(end-5, "/abcd")
		} else if c.name == "4096 bytes" {
			put(page-100, long(4096))
		}
		got, err := seccomp.ReadPath(os.Getpid(), c.addr)
		if string(got) != c.want || !errors.Is(err, c.err) {
			t.Errorf("%s: got %d bytes %.20q, %v; want %.20q, %v", c.name, len(got), got, err, c.want, c.err)
		}
	}
}

func TestReadBytes(t *testing.T) {
	page := os.Getpagesize()
	m, err := unix.Mmap(-1, 0, 2*page, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = unix.Munmap(m) }()
	for i := range m {
		m[i] = byte(i % 251)
	}
	base, self := uint64(address(m)), os.Getpid()
	if got, err := seccomp.ReadBytes(self, base+uint64(page)-7, 16); err != nil || !bytes.Equal(got, m[page-7:page+9]) {
		t.Errorf("across a page: %v, %v", got, err)
	}
	if got, err := seccomp.ReadBytes(self, 0, 0); err != nil || len(got) != 0 {
		t.Errorf("nothing at all: %v, %v", got, err)
	}
	if got, err := seccomp.ReadBytes(self, base, 4096); err != nil || !bytes.Equal(got, m[:4096]) {
		t.Errorf("4096 bytes: %d, %v", len(got), err)
	}
	for _, n := range []int{-1, 4097, 1 << 40} {
		if _, err := seccomp.ReadBytes(self, base, n); !errors.Is(err, unix.EINVAL) {
			t.Errorf("%d bytes: %v, want EINVAL", n, err)
		}
	}
	gone := exec.Command("/bin/true")
	if err := gone.Run(); err != nil {
		t.Fatal(err)
	}
	for _, pid := range []int{0, -1, gone.Process.Pid} {
		if _, err := seccomp.ReadBytes(pid, base, 8); !errors.Is(err, unix.ESRCH) {
			t.Errorf("process %d: %v, want ESRCH", pid, err)
		}
	}
}
