package escape_test

import (
	"errors"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

const loader = "/lib64/ld-linux-x86-64.so.2"

func execute(words ...string) error {
	argv := make([]uintptr, len(words)+1)
	for i, w := range words {
		argv[i] = text(w)
	}
	alive = append(alive, argv)
	return forked(0, sys(unix.SYS_EXECVE, argv[0], address(&argv[0]), address(&[1]uintptr{})))
}

// P35: a pack that may start /bin/sh alone.
func TestP35Interpreters(t *testing.T) {
	none := "nothing restricts it outside"
	attack{
		ID: "P35", Title: "start what may not be started, by something that may",
		Reference: "noexec mounts and ld.so; fapolicyd and IPE bypasses; execveat(AT_EXECVE_CHECK)",
		Tiers:     process,
		Setup: func(t *testing.T, f *field) {
			f.Values["sh"] = real(t, "/bin/sh")
			f.Values["elsewhere"], f.Values["beside"] = strings.Join(elsewhere(), " "), strings.Join(beside(), " ")
			f.packed(t, "process.spawn:"+f.Values["sh"])
			write(t, f.read("script"), []byte("#!"+f.Values["sh"]+"\nexit 0\n"))
			write(t, f.read("python"), []byte("#!/usr/bin/python3\n"))
			f.put(t, f.read("plain"), "exit 0\n")
			if err := copyProgram(f.read("true"), "/bin/true"); err != nil {
				t.Fatal(err)
			}
		},
		Tries: []try{
			{Name: "the granted program, by ld.so", Do: func(f *field) error { return execute(loader, f.Values["sh"], "-c", ":") }, Want: allowed("it is granted")},
			{Name: "the granted program", Do: func(f *field) error { return execute(f.Values["sh"], "-c", ":") }, Want: allowed("it is granted")},
			{Name: "another program", Do: func(*field) error { return execute("/bin/true") }, Want: refused(unix.EACCES, unix.ENOENT)},
			{Name: "another program that the view has", NoControl: none, Do: func(f *field) error {
				return f.each(strings.Fields(f.Values["elsewhere"]), func(p string) error { return execute(p) })
			}, Want: refused(unix.EACCES, unix.ENOENT), Slow: "it looks for programs"},
			{Name: "a program in a grant", Do: func(f *field) error { return execute(f.read("true")) }, Want: refused(unix.EACCES)},
			{Name: "a program in a grant by ld.so", Do: func(f *field) error { return execute(loader, f.read("true")) }, Want: refused()},
			{Name: "a program of the view by ld.so", Do: func(f *field) error {
				return f.each(strings.Fields(f.Values["beside"]), func(p string) error {
					return reached(execute(loader, p), unix.Errno(1), unix.Errno(2), unix.Errno(129))
				})
			}, Want: refused(), Slow: "it looks for programs"},
			{Name: "a library by ld.so", Do: func(f *field) error { return execute(loader, "--list", f.Values["sh"]) },
				Want: allowed("what the granted programs need is there")},
			{Name: "script with a granted interpreter", Do: func(f *field) error { return execute(f.read("script")) }, Want: refused(unix.EACCES)},
			{Name: "script with another interpreter", Do: func(f *field) error { return execute(f.read("python")) }, NoControl: none, Want: refused(unix.EACCES, unix.ENOENT)},
			{Name: "sh with a file that is no program", Do: func(f *field) error { return execute(f.Values["sh"], f.read("plain")) },
				Want: allowed("the shell reads it; what is executed is the shell")},
		},
	}.run(t)
}

// elsewhere are programs outside of the directories of programs.
func elsewhere() (found []string) {
	for _, p := range []string{"/usr/lib/git-core/git", "/usr/lib/git-core/git-upload-pack", "/usr/lib/openssh/ssh-keysign", "/usr/lib/dbus-1.0/dbus-daemon-launch-helper",
		"/usr/libexec/coreutils/libstdbuf.so", "/usr/lib/x86_64-linux-gnu/libc.so.6", "/usr/lib/apt/methods/copy"} {
		if fi, err := os.Stat(p); err == nil && fi.Mode()&0o111 != 0 {
			found = append(found, p)
		}
	}
	return found
}

// beside are those of elsewhere that a loader starts. Programs without one have
// to be executed, and are refused as such.
func beside() (found []string) {
	for _, p := range elsewhere() {
		if !strings.Contains(p, ".so") {
			found = append(found, p)
		}
	}
	return found
}

// A pack that may start nothing.
func TestP35NoSpawn(t *testing.T) {
	attack{
		ID: "P35", Title: "start a program where none may be started",
		Reference: "noexec mounts and ld.so",
		Tiers:     process,
		Setup:     func(t *testing.T, f *field) { f.packed(t) },
		Tries: []try{
			{Name: "execve", Do: func(*field) error { return forked(0, sys(unix.SYS_EXECVE, text("/bin/true"), 0, 0)) }, Want: refused(unix.EPERM)},
			{Name: "fork", Do: func(*field) error { return forked(0) }, Want: refused(unix.EPERM)},
			{Name: "itself", NoControl: "it would not return", Do: func(*field) error { return unix.Exec("/proc/self/exe", []string{"x"}, nil) }, Want: refused(unix.EPERM)},
			{Name: "in a race", NoControl: "it would not return", Slow: "it is a race", Want: refused(unix.EPERM), Do: func(*field) error {
				errs := make(chan error)
				for range 4 {
					go func() {
						var err error
						for range 50 {
							err = errors.Join(unix.Exec("/bin/true", []string{"true"}, nil))
						}
						errs <- err
					}()
				}
				var err error
				for range 4 {
					err = <-errs
				}
				return err
			}},
		},
	}.run(t)
}
