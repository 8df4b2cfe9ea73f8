package trap_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// client does one thing after the other, each named by two arguments, and
// prints a line for each: what came of it, or the errno.
func client(args []string) {
	for len(args) >= 2 {
		text, err := act(args[0], args[1])
		if e := unix.Errno(0); errors.As(err, &e) && e != 0 {
			text = unix.ErrnoName(e)
		}
		fmt.Println(text)
		args = args[2:]
	}
	os.Exit(0)
}

func act(what, path string) (string, error) {
	var st unix.Stat_t
	switch what {
	case "stat":
		err := unix.Stat(path, &st)
		return fmt.Sprintf("%o %d", st.Mode, st.Size), err
	case "lstat":
		err := unix.Lstat(path, &st)
		return fmt.Sprintf("%o %d", st.Mode, st.Size), err
	case "access":
		return "ok", unix.Access(path, unix.F_OK)
	case "writable":
		return "ok", unix.Access(path, unix.W_OK)
	case "chdir":
		return "ok", unix.Chdir(path)
	case "read":
		return read(path)
	case "opened":
		fd, err := unix.Open(path, unix.O_RDONLY, 0)
		_ = unix.Close(fd)
		return "ok", err
	case "write":
		fd, err := unix.Open(path, unix.O_WRONLY, 0)
		_ = unix.Close(fd)
		return "ok", err
	case "opath":
		fd, err := unix.Open(path, unix.O_PATH, 0)
		_ = unix.Close(fd)
		return "ok", err
	case "list":
		return list(path)
	case "link":
		b := make([]byte, 256)
		n, err := unix.Readlink(path, b)
		return string(b[:max(n, 0)]), err
	case "run":
		return "ok", unix.Exec(path, []string{"ran"}, nil)
	case "create":
		fd, err := unix.Open(path, unix.O_CREAT|unix.O_WRONLY|unix.O_EXCL, 0o644)
		_ = unix.Close(fd)
		return "ok", err
	case "mkdir":
		return "ok", unix.Mkdir(path, 0o755)
	case "rmdir":
		return "ok", unix.Rmdir(path)
	case "unlink":
		return "ok", unix.Unlink(path)
	case "rename":
		return "ok", unix.Rename(path, path+".new")
	case "symlink":
		return "ok", unix.Symlink("x", path)
	case "hardlink":
		return "ok", unix.Link(path, path+".new")
	case "mknod":
		return "ok", unix.Mknod(path, unix.S_IFREG|0o644, 0)
	case "chmod":
		return "ok", unix.Chmod(path, 0o600)
	case "chown":
		return "ok", unix.Chown(path, os.Getuid(), os.Getgid())
	case "truncate":
		return "ok", unix.Truncate(path, 0)
	case "utimes":
		return "ok", unix.Utimes(path, []unix.Timeval{{}, {}})
	case "setxattr":
		return "ok", unix.Setxattr(path, "user.x", []byte("x"), 0)
	case "timer": // signals with a handler from now on, to the thread that does what follows
		signal.Notify(make(chan os.Signal, 1), unix.SIGALRM)
		runtime.LockOSThread()
		thread := unix.Gettid()
		go func() {
			for {
				_ = unix.Tgkill(os.Getpid(), thread, unix.SIGALRM)
				time.Sleep(5 * time.Millisecond)
			}
		}()
		return "ok", nil
	case "names": // how many of the names 0, 1, … are there
		for n := 0; ; n++ {
			var x unix.Statx_t
			if err := unix.Statx(unix.AT_FDCWD, fmt.Sprintf("%s/%d", path, n), unix.AT_STATX_DONT_SYNC|unix.AT_SYMLINK_NOFOLLOW, unix.STATX_TYPE, &x); err != nil {
				return fmt.Sprint(n), nil
			}
		}
	case "setflags":
		return "ok", setFlags(path)
	case "getxattr":
		_, err := unix.Getxattr(path, "user.x", nil)
		return "ok", err
	case "statfs":
		var fs unix.Statfs_t
		err := unix.Statfs(path, &fs)
		return fmt.Sprintf("%d %d %d", fs.Blocks, fs.Files, fs.Namelen), err
	case "cached": // what the kernel knows without a question
		var x unix.Statx_t
		err := unix.Statx(unix.AT_FDCWD, path, unix.AT_STATX_DONT_SYNC|unix.AT_SYMLINK_NOFOLLOW, unix.STATX_BASIC_STATS, &x)
		return fmt.Sprintf("%o size %d links %d blocks %d time %d", x.Mode, x.Size, x.Nlink, x.Blocks, x.Mtime.Sec+x.Atime.Sec+x.Ctime.Sec), err
	default:
		return "", unix.ENOSYS
	}
}

func read(path string) (string, error) {
	fd, err := unix.Open(path, unix.O_RDONLY, 0)
	if err != nil {
		return "", err
	}
	defer unix.Close(fd)
	var all []byte
	b := make([]byte, 1<<16)
	for {
		n, err := unix.Read(fd, b)
		if n <= 0 {
			return string(all), err
		}
		all = append(all, b[:n]...)
	}
}

func list(path string) (string, error) {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_DIRECTORY, 0)
	if err != nil {
		return "", err
	}
	defer unix.Close(fd)
	var names []string
	b := make([]byte, 1<<12)
	for {
		n, err := unix.Getdents(fd, b)
		if n <= 0 {
			return strings.Join(names, " "), err
		}
		_, _, names = unix.ParseDirent(b[:n], -1, names)
	}
}

// A call is a client that runs.
type call struct {
	cmd   *exec.Cmd
	out   *bytes.Buffer
	ended chan struct{}
}

// start begins a client; paths are those of the host, to be found in the view.
func (v *view) start(args ...string) *call {
	v.t.Helper()
	for i := 1; i < len(args); i += 2 {
		args[i] = v.dir + args[i]
	}
	return v.startCommand(copyOf("client", args...))
}

func (v *view) startCommand(cmd *exec.Cmd) *call {
	v.t.Helper()
	c := &call{cmd: cmd, out: new(bytes.Buffer), ended: make(chan struct{})}
	cmd.Stdout = c.out
	if err := cmd.Start(); err != nil {
		v.t.Fatal(err)
	}
	go func() {
		_ = cmd.Wait()
		close(c.ended)
	}()
	return c
}

// wait returns the lines that a client printed. It hangs if for a while no name
// came or went either: in an emulated machine a name takes milliseconds.
func (v *view) wait(c *call) []string {
	v.t.Helper()
	names, since := -1, time.Now()
	for running := true; running; {
		select {
		case <-c.ended:
			running = false
		case <-time.After(100 * time.Millisecond):
		}
		if v.trap != nil && v.trap.Nodes() != names { // it may be served by another process
			names, since = v.trap.Nodes(), time.Now()
		}
		if running && time.Since(since) > time.Minute {
			v.end() // else the call would never return
			v.t.Fatal("a call in the view hangs")
		}
	}
	return strings.Split(strings.TrimSuffix(c.out.String(), "\n"), "\n")
}

// try does things in the view, one after the other, and returns what came of each.
func (v *view) try(args ...string) []string {
	v.t.Helper()
	return v.wait(v.start(args...))
}
