package escape_test

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/enforce/landlock"
)

// cutting: Landlock looks at truncating by path from version 3 on.
func cutting() want {
	if abi, err := landlock.ABI(); err == nil && abi < 3 {
		return allowed("named as not covered")
	}
	return refused(unix.EACCES)
}

func TestF10ReceivedDescriptor(t *testing.T) {
	// The program names the socket, so that it is granted and can be reached.
	receive := func(f *field, use func(dir int) error) error {
		c, err := net.Dial("unix", f.work("socket"))
		if err != nil {
			return err
		}
		oob := make([]byte, unix.CmsgSpace(4))
		_, n, _, _, err := c.(*net.UnixConn).ReadMsgUnix(make([]byte, 1), oob)
		if err != nil {
			return err
		}
		m, err := unix.ParseSocketControlMessage(oob[:n])
		if err != nil || len(m) == 0 {
			return unix.EBADF
		}
		fds, err := unix.ParseUnixRights(&m[0])
		if err != nil {
			return err
		}
		return use(fds[0])
	}
	attack{
		ID: "F10", Title: "receive a directory of the host over a socket and go beneath it",
		Reference: "Landlock's self-tests (layout of inherited descriptors); container escapes by SCM_RIGHTS",
		Tiers:     process,
		Setup: func(t *testing.T, f *field) {
			if err := os.WriteFile(filepath.Join(f.Outside, "spare"), []byte("spare"), 0o666); err != nil {
				t.Fatal(err)
			}
			l, err := net.Listen("unix", f.work("socket"))
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { l.Close() })
			dir, err := os.Open(f.Outside)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { dir.Close() })
			fd := int(dir.Fd())
			go func() {
				for {
					c, err := l.Accept()
					if err != nil {
						return
					}
					_, _, _ = c.(*net.UnixConn).WriteMsgUnix([]byte{0}, unix.UnixRights(fd), nil) // the test sees what came
					_ = c.Close()
				}
			}()
			f.flags = append(f.flags, "--allow", "fs.write:"+f.work("socket"))
		},
		Tries: []try{
			{Name: "read", Do: func(f *field) error { return receive(f, func(d int) error { return f.readAt(d, "canary") }) }, Want: refused(unix.EACCES)},
			{Name: "write", Do: func(f *field) error {
				return receive(f, func(d int) error { return overwriteAt(d, "canary", unix.O_WRONLY|unix.O_TRUNC) })
			}, Want: refused(unix.EACCES)},
			{Name: "list", Do: func(f *field) error {
				return receive(f, func(d int) error { return closing(unix.Openat(d, ".", unix.O_RDONLY|unix.O_DIRECTORY, 0)) })
			}, Want: refused(unix.EACCES)},
			{Name: "remove", Do: func(f *field) error { return receive(f, func(d int) error { return unix.Unlinkat(d, "canary", 0) }) }, Want: refused(unix.EACCES)},
			{Name: "truncate", Do: func(f *field) error {
				return receive(f, func(d int) error { return errors.Join(unix.Fchdir(d), unix.Truncate("spare", 0)) })
			}, Want: cutting(), Unasked: cutting().why != ""},
			{Name: "rename", Do: func(f *field) error {
				return receive(f, func(d int) error { return unix.Renameat(d, "canary", unix.AT_FDCWD, f.work("x")) })
			}, Want: refused(unix.EACCES, unix.EXDEV)},
		},
	}.run(t)
}
