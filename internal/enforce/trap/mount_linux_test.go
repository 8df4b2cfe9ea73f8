package trap_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/enforce/trap"
)

// The tests run in a copy of the test binary with a mount namespace of its own,
// and as an ordinary user with a user namespace. What walks the view is always
// another process: see client_linux_test.go.
const (
	roleVariable     = "AMBIT_TRAP_TEST"
	deviceVariable   = "AMBIT_TRAP_TEST_DEVICE"
	watchdogVariable = "AMBIT_TRAP_TEST_WATCHDOG" // there is one
)

func TestMain(m *testing.M) {
	switch role := os.Getenv(roleVariable); role {
	case "client":
		client(os.Args[1:])
	case "bench":
		repeat(os.Args[1], os.Args[2], os.Args[3])
	case "server":
		serveAlone(os.Args[1])
	case "watchdog":
		watchdog()
	case "inside":
		os.Exit(m.Run())
	default:
		for _, a := range os.Args[1:] {
			if strings.HasPrefix(a, "-test.fuzz=") || strings.HasPrefix(a, "-test.fuzzworker") || strings.HasPrefix(a, "-test.list") {
				os.Exit(m.Run())
			}
		}
		os.Exit(inside(os.Args[1:], "/dev/fuse", nil))
	}
}

// copyOf returns a copy of the test binary that begins with a role. The file is
// named by what this process runs: its folder may be closed to the copy's user.
func copyOf(role string, args ...string) *exec.Cmd {
	cmd := exec.Command("/proc/self/exe", args...)
	cmd.Args[0] = os.Args[0]
	// The race detector waits a second at the end, for what nobody started.
	cmd.Env = append(os.Environ(), roleVariable+"="+role, "GORACE=atexit_sleep_ms=0 "+os.Getenv("GORACE"))
	cmd.Stderr = os.Stderr
	return cmd
}

// inside runs the tests where mounts are private: as root, as the user who runs
// them, or as another one. A watchdog in the same namespace aborts the FUSE
// connections that are left, since a process that waits for one cannot be killed
// otherwise.
func inside(args []string, device string, as *syscall.Credential) int {
	return insideTo(os.Stdout, args, device, as)
}

func insideTo(out io.Writer, args []string, device string, as *syscall.Credential) int {
	cmd := copyOf("inside", args...)
	cmd.Env = append(cmd.Env, deviceVariable+"="+device)
	cmd.Stdout = out
	uid, gid := os.Geteuid(), os.Getegid()
	cmd.SysProcAttr = &unix.SysProcAttr{Pdeathsig: unix.SIGKILL, Cloneflags: unix.CLONE_NEWNS}
	if as != nil {
		uid, gid = int(as.Uid), int(as.Gid)
		cmd.SysProcAttr.Credential = as
	}
	if uid != 0 {
		cmd.SysProcAttr.Cloneflags |= unix.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: uid, HostID: uid, Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: gid, HostID: gid, Size: 1}}
		cmd.SysProcAttr.AmbientCaps = []uintptr{unix.CAP_SYS_ADMIN}
	}
	switch told := watchdogFile(); {
	case told != nil:
		cmd.ExtraFiles = []*os.File{told}
	case os.Geteuid() == 0:
		tell, end, err := startWatchdog()
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer end()
		cmd.ExtraFiles = []*os.File{tell}
		cmd.Env = append(cmd.Env, watchdogVariable+"=1")
	}
	runtime.LockOSThread() // the death of this thread would be told as that of the process
	defer runtime.UnlockOSThread()
	if err := cmd.Run(); err != nil {
		fmt.Fprintln(os.Stderr, "tests in a mount namespace:", err)
		return 1
	}
	return 0
}

// startWatchdog returns where to write the numbers of connections, a line each,
// with a minus when they ended well.
func startWatchdog() (tell *os.File, end func(), err error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, nil, err
	}
	defer r.Close()
	cmd := copyOf("watchdog")
	cmd.Stdin = r
	cmd.SysProcAttr = &unix.SysProcAttr{Cloneflags: unix.CLONE_NEWNS}
	if err := cmd.Start(); err != nil {
		return nil, nil, err
	}
	return w, func() { w.Close(); _ = cmd.Wait() }, nil
}

// watchdog aborts the connections that are open for five minutes, and those that
// are left when everybody who could tell of their end is gone.
func watchdog() {
	dir := filepath.Join(os.TempDir(), fmt.Sprintf("ambit-trap-watchdog-%d", os.Getpid()))
	must(unix.Mount("none", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""))
	must(os.Mkdir(dir, 0o700))
	defer os.Remove(dir)
	must(unix.Mount("none", dir, "fusectl", 0, ""))
	defer unix.Unmount(dir, unix.MNT_DETACH) //nolint:errcheck // the namespace ends with the process
	abort := func(n string) {
		if err := os.WriteFile(filepath.Join(dir, n, "abort"), []byte("1"), 0); err == nil {
			fmt.Fprintln(os.Stderr, "watchdog: aborted connection", n)
		}
	}
	timers := map[string]*time.Timer{}
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		n := lines.Text()
		if ended, ok := strings.CutPrefix(n, "-"); ok {
			if t := timers[ended]; t != nil {
				t.Stop()
			}
			delete(timers, ended)
			continue
		}
		timers[n] = time.AfterFunc(5*time.Minute, func() { abort(n) })
	}
	for n := range timers {
		abort(n)
	}
}

// watchdogFile is where to tell the watchdog, if there is one: descriptor 3 of
// every copy that may make connections.
var watchdogFile = sync.OnceValue(func() *os.File {
	if os.Getenv(watchdogVariable) == "" {
		return nil
	}
	return os.NewFile(3, "watchdog")
})

func tellWatchdog(line string) {
	if f := watchdogFile(); f != nil {
		_, _ = f.WriteString(line + "\n")
	}
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

var private = sync.OnceValue(func() error { return unix.Mount("none", "/", "", unix.MS_REC|unix.MS_PRIVATE, "") })

// A view is a trap that is mounted and served.
type view struct {
	t    testing.TB
	trap *trap.Trap
	dir  string // where it is mounted: the host's /x is dir + "/x"
	host string // an empty folder of the host, to be filled
	// bound is how many names are known before some are given back; 0 for the usual.
	bound int
	end   func() // ends the connection and waits for Serve
}

// newView mounts a trap and serves it until the test ends. Whoever holds a path
// of the view must be another process.
func newView(t testing.TB, c trap.Config) *view {
	t.Helper()
	return makeView(t, func(*view) trap.Config { return c })
}

// newAsking is newView with a Touch that uses the view.
func newAsking(t testing.TB, touch func(*view, context.Context, trap.Touched) unix.Errno) *view {
	t.Helper()
	return makeView(t, func(v *view) trap.Config {
		return trap.Config{Touch: func(ctx context.Context, o trap.Touched) unix.Errno { return touch(v, ctx, o) }}
	})
}

func makeView(t testing.TB, config func(*view) trap.Config) *view {
	t.Helper()
	if os.Getenv(roleVariable) != "inside" {
		t.Skip("requires: a mount namespace of its own, which the fuzzer's processes have not")
	}
	if err := private(); err != nil {
		t.Fatal(err)
	}
	v := &view{t: t, dir: filepath.Join(t.TempDir(), "view"), host: t.TempDir()}
	must(os.Mkdir(v.dir, 0o755))
	must(os.Chmod(filepath.Dir(v.dir), 0o755))
	must(os.Chmod(v.host, 0o755))
	root, err := unix.Open("/", unix.O_PATH|unix.O_CLOEXEC, 0)
	must(err)
	c := config(v)
	c.Host, c.UID, c.GID = root, uint32(os.Getuid()), uint32(os.Getgid())
	v.trap = trap.New(c)
	if v.bound > 0 {
		v.trap.Bound(v.bound)
	}
	dev, number := mountFUSE(t, v.dir)
	tellWatchdog(number)
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- v.trap.Serve(ctx, dev) }()
	v.end = sync.OnceFunc(func() {
		cancel()
		select {
		case err := <-served:
			if err != nil {
				t.Errorf("Serve: %v", err)
			}
		case <-time.After(time.Minute):
			t.Errorf("Serve did not return")
		}
		tellWatchdog("-" + number)
	})
	t.Cleanup(func() {
		v.end()
		_ = unix.Unmount(v.dir, unix.MNT_DETACH)
		_ = unix.Close(root)
	})
	return v
}

// mountFUSE returns the open device and the connection's number.
func mountFUSE(t testing.TB, dir string) (dev int, number string) {
	t.Helper()
	dev, err := unix.Open(os.Getenv(deviceVariable), unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Skipf("requires: a FUSE device that can be opened (%v)", err)
	}
	fs, err := unix.Fsopen("fuse", unix.FSOPEN_CLOEXEC)
	must(err)
	defer unix.Close(fs)
	for key, value := range map[string]string{
		"fd": strconv.Itoa(dev), "rootmode": "40000", "user_id": strconv.Itoa(os.Getuid()), "group_id": strconv.Itoa(os.Getgid()),
	} {
		must(unix.FsconfigSetString(fs, key, value))
	}
	must(unix.FsconfigSetFlag(fs, "allow_other"))
	must(unix.FsconfigCreate(fs))
	mnt, err := unix.Fsmount(fs, unix.FSMOUNT_CLOEXEC, unix.MOUNT_ATTR_NOSUID|unix.MOUNT_ATTR_NODEV)
	must(err)
	defer unix.Close(mnt)
	must(unix.MoveMount(mnt, "", unix.AT_FDCWD, dir, unix.MOVE_MOUNT_F_EMPTY_PATH))
	var st unix.Statx_t // of what the kernel has at hand: nobody serves yet
	must(unix.Statx(mnt, "", unix.AT_EMPTY_PATH|unix.AT_STATX_DONT_SYNC, 0, &st))
	return dev, strconv.Itoa(int(st.Dev_minor))
}

// attach mounts the object of a touch over the name that was touched.
func (v *view) attach(o trap.Touched) unix.Errno {
	if err := v.mount(o.Object, o.Path); err != nil {
		v.t.Errorf("attach %s: %v", o.Path, err)
		return unix.EIO
	}
	return unix.ESTALE
}

func (v *view) mount(object int, path string) error {
	fd, err := unix.OpenTree(object, "", unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC|unix.AT_EMPTY_PATH|unix.AT_RECURSIVE)
	if err != nil {
		return fmt.Errorf("open_tree: %w", err)
	}
	defer unix.Close(fd)
	if err := unix.MoveMount(fd, "", unix.AT_FDCWD, v.dir+path, unix.MOVE_MOUNT_F_EMPTY_PATH); err != nil {
		return fmt.Errorf("move_mount: %w", err)
	}
	var st unix.Stat_t
	must(unix.Fstat(object, &st))
	v.trap.Shown(path, st.Mode&unix.S_IFMT == unix.S_IFDIR)
	return nil
}
