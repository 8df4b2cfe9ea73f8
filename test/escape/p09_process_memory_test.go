package escape_test

import (
	"testing"

	"golang.org/x/sys/unix"
)

func TestP09ProcessMemory(t *testing.T) {
	no := refused(unix.EPERM, unix.ESRCH)
	vectors := func(f *field) (local []unix.Iovec, remote []unix.RemoteIovec) {
		buf := make([]byte, 8)
		local = []unix.Iovec{{Base: &buf[0]}}
		local[0].SetLen(8)
		return local, []unix.RemoteIovec{{Base: uintptr(f.number("address")), Len: 8}}
	}
	attack{
		ID: "P9", Title: "read and write the memory of another process",
		Reference: "process_vm_readv(2), as debuggers and cheats use it",
		Tiers:     process,
		Setup:     func(t *testing.T, f *field) { f.victim(t) },
		Tries: []try{
			{Name: "process_vm_readv", Do: func(f *field) error {
				l, r := vectors(f)
				_, err := unix.ProcessVMReadv(f.number("pid"), l, r, 0)
				return err
			}, Want: no},
			{Name: "process_vm_writev", Do: func(f *field) error {
				l, r := vectors(f)
				_, err := unix.ProcessVMWritev(f.number("pid"), l, r, 0)
				return err
			}, Want: no},
			{Name: "process_madvise", Root: true, Do: func(f *field) error {
				fd, err := unix.PidfdOpen(f.number("pid"), 0)
				if err != nil {
					return err
				}
				iov := &unix.Iovec{Base: nil}
				iov.SetLen(4096)
				_, err = raw(unix.SYS_PROCESS_MADVISE, uintptr(fd), address(iov), 1, unix.MADV_COLD, 0)
				return reached(err, unix.ENOMEM)
			}, Want: no},
			{Name: "its own memory by process_vm_readv", Do: func(*field) error {
				buf := make([]byte, 8)
				l := []unix.Iovec{{Base: &buf[0]}}
				l[0].SetLen(8)
				_, err := unix.ProcessVMReadv(unix.Getpid(), l, []unix.RemoteIovec{{Base: address(&secret), Len: 8}}, 0)
				return err
			}, Want: no},
		},
	}.run(t)
}
