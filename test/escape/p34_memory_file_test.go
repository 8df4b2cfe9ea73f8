package escape_test

import (
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

// memoryFile executes a copy of this program that is no file, and answers
// whether it ran; sealed says that the memory is not to be executed.
func memoryFile(flags uintptr) error {
	program, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		return err
	}
	fd, err := raw(unix.SYS_MEMFD_CREATE, text("x"), flags)
	if err != nil {
		return err
	}
	for len(program) > 0 {
		n, err := unix.Write(int(fd), program)
		if err != nil {
			return err
		}
		program = program[n:]
	}
	argv := &[4]uintptr{text("x"), text("show"), text("restrictions")}
	return forked(0, sys(unix.SYS_EXECVEAT, fd, text(""), address(argv), address(&[1]uintptr{}), unix.AT_EMPTY_PATH))
}

func TestP34MemoryFile(t *testing.T) {
	attack{
		ID: "P34", Title: "execute a program that is no file",
		Reference: "fileless malware: memfd_create(2) and fexecve(3)",
		Tiers:     process,
		Tries: []try{
			{Name: "memory", NoControl: "nothing restricts it outside", Do: func(*field) error { return memoryFile(0) },
				Slow: "it copies a program", Want: allowed("an ad hoc run may execute anything; the new program is in the same sandbox")},
			{Name: "a file that was removed", NoControl: "nothing restricts it outside", Slow: "it copies a program", Do: func(*field) error {
				if err := copyProgram("/tmp/x", "/proc/self/exe"); err != nil {
					return err
				}
				fd, err := unix.Open("/tmp/x", unix.O_PATH, 0)
				if err != nil {
					return err
				}
				if err := os.Remove("/tmp/x"); err != nil {
					return err
				}
				argv := &[4]uintptr{text("x"), text("show"), text("restrictions")}
				return forked(0, sys(unix.SYS_EXECVEAT, uintptr(fd), text(""), address(argv), address(&[1]uintptr{}), unix.AT_EMPTY_PATH))
			}, Want: allowed("as above")},
		},
	}.run(t)
}

func TestP34MemoryFileOfPack(t *testing.T) {
	attack{
		ID: "P34", Title: "execute a program that is no file, where execution is limited",
		Reference: "fileless malware: memfd_create(2) and fexecve(3)",
		Tiers:     process,
		Setup:     func(t *testing.T, f *field) { f.packed(t, "process.spawn:"+real(t, "/bin/cat")) },
		Tries: []try{
			{Name: "memory", NoControl: "as without a pack", Do: func(*field) error { return memoryFile(0) }, Slow: "it copies a program", Want: refused(unix.EACCES)},
			{Name: "sealed memory", NoControl: "as without a pack", Do: func(*field) error { return memoryFile(unix.MFD_NOEXEC_SEAL) }, Slow: "it copies a program",
				Want: refused(unix.EACCES, unix.EINVAL)}, // EINVAL: before Linux 6.3 there is no such memory,
			{Name: "file in a grant", NoControl: "as without a pack", Slow: "it copies a program", Do: func(f *field) error {
				if err := copyProgram(f.work("x"), "/proc/self/exe"); err != nil {
					return err
				}
				return forked(0, sys(unix.SYS_EXECVE, text(f.work("x")), address(&[1]uintptr{}), address(&[1]uintptr{})))
			}, Want: refused(unix.EACCES)},
			{Name: "file in /tmp", NoControl: "as without a pack", Slow: "it copies a program", Do: func(*field) error {
				if err := copyProgram("/tmp/x", "/proc/self/exe"); err != nil {
					return err
				}
				return forked(0, sys(unix.SYS_EXECVE, text("/tmp/x"), address(&[1]uintptr{}), address(&[1]uintptr{})))
			}, Want: refused(unix.EACCES)},
			{Name: "map a file of a grant for execution", Do: func(f *field) error {
				if err := copyProgram(f.work("x"), "/proc/self/exe"); err != nil {
					return err
				}
				fd, err := unix.Open(f.work("x"), unix.O_RDONLY, 0)
				if err != nil {
					return err
				}
				_, err = unix.Mmap(fd, 0, 4096, unix.PROT_READ|unix.PROT_EXEC, unix.MAP_PRIVATE)
				return err
			}, Slow: "it copies a program", Want: refused(unix.EPERM, unix.EACCES)},
		},
	}.run(t)
}
