package escape_test

import (
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

func TestF06ProcSelfRoot(t *testing.T) {
	attack{
		ID: "F6", Title: "leave by the magic links of /proc",
		Reference: "CVE-2022-23648 (containerd), CVE-2024-21626 (runc: /proc/self/fd as working directory)",
		Tiers:     process,
		Tries: []try{
			{Name: "self/root", Do: func(f *field) error { return f.readFile("/proc/self/root" + f.Canary) }, Want: refused(unix.ENOENT)},
			{Name: "thread-self/root", Do: func(f *field) error { return f.readFile("/proc/thread-self/root" + f.Canary) }, Want: refused(unix.ENOENT)},
			{Name: "self/cwd", Do: func(f *field) error { return f.readFile("/proc/self/cwd/../outside/canary") }, Want: refused(unix.ENOENT)},
			{Name: "root of the parent", Do: func(f *field) error { return f.readFile("/proc/" + itoa(os.Getppid()) + "/root" + f.Canary) },
				Want: refused(unix.ENOENT, unix.EACCES)},
			{Name: "working directory of the parent", Do: func(f *field) error {
				return f.readFile("/proc/" + itoa(os.Getppid()) + "/cwd/../.." + f.Canary)
			}, NoControl: "the parent's directory is not known", Want: refused(unix.ENOENT, unix.EACCES)},
			{Name: "root of process 1", Do: func(f *field) error { return f.readFile("/proc/1/root" + f.Canary) },
				NoControl: "process 1 of the host may live in a tree of its own", Want: refused(unix.ENOENT, unix.EACCES)},
			{Name: "chroot of the program file", Do: func(f *field) error { return f.readFile("/proc/self/exe/../../.." + f.Canary) },
				NoControl: "a program is no directory", Want: refused(unix.ENOTDIR, unix.ENOENT)},
		},
	}.run(t)
}
