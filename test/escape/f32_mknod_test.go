package escape_test

import (
	"testing"

	"golang.org/x/sys/unix"
)

func TestF32Mknod(t *testing.T) {
	node := func(dir func(f *field) string, mode uint32, dev uint64) func(f *field) error {
		return func(f *field) error {
			path := dir(f) + "/node"
			if err := unix.Mknod(path, mode|0o666, int(dev)); err != nil {
				return err
			}
			return closing(unix.Open(path, unix.O_RDONLY|unix.O_NONBLOCK, 0))
		}
	}
	work := func(f *field) string { return f.Work }
	tmp := func(*field) string { return "/tmp" }
	attack{
		ID: "F32", Title: "make device nodes",
		Reference: "CDK, `mknod` with CAP_MKNOD",
		Tiers:     process,
		Tries: []try{
			{Name: "character", Root: true, Do: node(work, unix.S_IFCHR, unix.Mkdev(1, 3)), Want: refused(unix.EPERM)},
			{Name: "block", Root: true, Do: func(f *field) error { return unix.Mknod(f.work("node"), unix.S_IFBLK|0o666, int(unix.Mkdev(7, 0))) }, Want: refused(unix.EPERM)},
			{Name: "in /tmp", NoControl: "it would stay on the host", Do: node(tmp, unix.S_IFCHR, unix.Mkdev(1, 3)), Want: refused(unix.EPERM)},
			{Name: "whiteout", Do: func(f *field) error { return unix.Mknod(f.work("node"), unix.S_IFCHR, 0) }, Want: allowed("a whiteout is no device")},
		},
	}.run(t)
}
