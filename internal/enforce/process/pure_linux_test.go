package process_test

import (
	"encoding/binary"
	"errors"
	"maps"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/enforce"
	"ambit.dev/ambit/internal/enforce/namespace"
	"ambit.dev/ambit/internal/enforce/process"
	"ambit.dev/ambit/internal/enforce/seccomp"
)

// TestResourceLimits: what the kernel keeps for each process. No limit is wider
// than that of this process.
func TestResourceLimits(t *testing.T) {
	hard := func(resource int) uint64 {
		var l unix.Rlimit
		if err := unix.Getrlimit(resource, &l); err != nil {
			t.Fatal(err)
		}
		return l.Max
	}
	limit := func(resource int, n uint64) process.Limit {
		return process.Limit{Resource: resource, Soft: min(n, hard(resource)), Hard: min(n, hard(resource))}
	}
	core := process.Limit{Resource: unix.RLIMIT_CORE, Soft: 1, Hard: 1}
	files := process.Limit{Resource: unix.RLIMIT_NOFILE, Soft: min(1024, hard(unix.RLIMIT_NOFILE)), Hard: hard(unix.RLIMIT_NOFILE)}
	for _, tc := range []struct {
		name string
		plan enforce.LimitPlan
		want map[string]process.Limit // beside core dumps and open files
	}{
		{"none", enforce.LimitPlan{}, nil},
		{"open files", enforce.LimitPlan{Limits: enforce.Limits{FDs: 20}}, map[string]process.Limit{"open files": limit(unix.RLIMIT_NOFILE, 20)}},
		{"more open files than there may be", enforce.LimitPlan{Limits: enforce.Limits{FDs: 1 << 30}},
			map[string]process.Limit{"open files": limit(unix.RLIMIT_NOFILE, 1<<30)}},
		{"disk", enforce.LimitPlan{Limits: enforce.Limits{Disk: 1 << 20}}, map[string]process.Limit{"file size": limit(unix.RLIMIT_FSIZE, 1<<20)}},
		{"by control group", enforce.LimitPlan{Limits: enforce.Limits{Memory: 1 << 20, PIDs: 7, CPU: 500}, Cgroup: []string{"memory", "pids", "cpu"}}, nil},
		{"memory, weaker", enforce.LimitPlan{Limits: enforce.Limits{Memory: 1 << 30}, Weaker: []string{"memory"}},
			map[string]process.Limit{"memory": limit(unix.RLIMIT_DATA, 1<<30)}},
		{"processes, weaker", enforce.LimitPlan{Limits: enforce.Limits{PIDs: 7}, Weaker: []string{"pids"}},
			map[string]process.Limit{"processes": limit(unix.RLIMIT_NPROC, 7)}},
		{"processes of the user namespace", enforce.LimitPlan{Limits: enforce.Limits{PIDs: 7}, User: []string{"pids"}},
			map[string]process.Limit{"processes": limit(unix.RLIMIT_NPROC, 7)}},
		{"all, weaker", enforce.LimitPlan{Limits: enforce.Limits{Memory: 1 << 30, PIDs: 7, CPU: 500, Disk: 9, FDs: 30, Wall: 1}, Weaker: []string{"memory", "pids", "cpu"}},
			map[string]process.Limit{"memory": limit(unix.RLIMIT_DATA, 1<<30), "processes": limit(unix.RLIMIT_NPROC, 7),
				"file size": limit(unix.RLIMIT_FSIZE, 9), "open files": limit(unix.RLIMIT_NOFILE, 30)}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			want := map[string]process.Limit{"core dumps": core, "open files": files}
			maps.Copy(want, tc.want)
			got := process.ResourceLimits(tc.plan)
			for name, l := range want {
				if got[name] != l {
					t.Errorf("%s: got %+v, want %+v", name, got[name], l)
				}
			}
			if len(got) != len(want) {
				t.Errorf("got %+v, want %+v", got, want)
			}
		})
	}
}

// TestResourceLimitsOfALimitedLauncher: a launcher that has less itself cannot
// give more, and asks for no more, which the kernel would refuse.
func TestResourceLimitsOfALimitedLauncher(t *testing.T) {
	const limited = "AMBIT_TEST_LIMITED"
	if os.Getenv(limited) == "" { // limits cannot be raised again, so another process has them
		cmd := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$")
		cmd.Env = append(os.Environ(), limited+"=1")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
		return
	}
	for resource, n := range map[int]uint64{unix.RLIMIT_NOFILE: 500, unix.RLIMIT_DATA: 1 << 29} {
		if err := unix.Setrlimit(resource, &unix.Rlimit{Cur: n, Max: n}); err != nil {
			t.Fatal(err)
		}
	}
	TestResourceLimits(t)
}

// address is a sockaddr of a family, with the port and what follows it.
func address(family, port uint16, rest ...byte) []byte {
	b := binary.NativeEndian.AppendUint16(nil, family)
	return append(binary.BigEndian.AppendUint16(b, port), rest...)
}

func TestDestination(t *testing.T) {
	six := append([]byte{0, 0, 0, 0}, netip.MustParseAddr("2001:db8::1").AsSlice()...)
	mapped := append([]byte{0, 0, 0, 0}, netip.MustParseAddr("::ffff:1.2.3.4").AsSlice()...)
	for _, tc := range []struct {
		name string
		raw  []byte
		want string // "" if it says nothing
	}{
		{"IPv4", address(unix.AF_INET, 443, 1, 2, 3, 4, 0, 0, 0, 0, 0, 0, 0, 0), "1.2.3.4:443"},
		{"IPv4, no longer than it must be", address(unix.AF_INET, 65535, 1, 2, 3, 4), "1.2.3.4:65535"},
		{"IPv6", append(address(unix.AF_INET6, 80, six...), 0, 0, 0, 0), "[2001:db8::1]:80"},
		{"IPv6 without a scope", address(unix.AF_INET6, 80, six...), "[2001:db8::1]:80"},
		{"IPv4 in IPv6", address(unix.AF_INET6, 80, mapped...), "1.2.3.4:80"},
		{"nothing", nil, ""},
		{"a family", address(unix.AF_INET, 1)[:2], ""},
		{"IPv4 cut short", address(unix.AF_INET, 1, 1, 2, 3), ""},
		{"IPv6 cut short", address(unix.AF_INET6, 80, six[:19]...), ""},
		{"IPv6 of IPv4's length", address(unix.AF_INET6, 80, 1, 2, 3, 4), ""},
		{"a path", append(binary.NativeEndian.AppendUint16(nil, unix.AF_UNIX), "/run/docker.sock\x00........"...), ""},
		{"no family", address(unix.AF_UNSPEC, 80, make([]byte, 24)...), ""},
	} {
		got, ok := process.Destination(tc.raw)
		if ok != (tc.want != "") || ok && got.String() != tc.want {
			t.Errorf("%s: got %v, %v, want %q", tc.name, got, ok, tc.want)
		}
	}
}

// FuzzDestination compares it with the system's own reading of the bytes.
func FuzzDestination(f *testing.F) {
	f.Add(address(unix.AF_INET, 443, 1, 2, 3, 4))
	f.Add(address(unix.AF_INET6, 443, make([]byte, 24)...))
	f.Add([]byte{2})
	f.Fuzz(func(t *testing.T, raw []byte) {
		got, ok := process.Destination(raw)
		if ok != got.IsValid() || got.Addr().Is4In6() {
			t.Fatalf("%x: %v, %v", raw, got, ok)
		}
		if !ok {
			return
		}
		if got.Port() != uint16(raw[2])<<8|uint16(raw[3]) {
			t.Errorf("%x: port of %v", raw, got)
		}
		if a := got.Addr().AsSlice(); !strings.Contains(string(raw), string(a)) {
			t.Errorf("%x has no %v", raw, got)
		}
		// A longer text of the same beginning is the same address.
		if again, ok := process.Destination(append(raw, 0, 0, 0, 0)); !ok || again != got {
			t.Errorf("%x: %v, then %v", raw, got, again)
		}
	})
}

// TestStdioRights: a standard descriptor may be opened again by name with what
// it can do itself, and no more.
func TestStdioRights(t *testing.T) {
	const (
		read, write, cut = unix.LANDLOCK_ACCESS_FS_READ_FILE, unix.LANDLOCK_ACCESS_FS_WRITE_FILE, unix.LANDLOCK_ACCESS_FS_TRUNCATE
		ioctl            = unix.LANDLOCK_ACCESS_FS_IOCTL_DEV
	)
	file := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name  string
		path  string
		flags int
		abi   int
		want  uint64
	}{
		{"file to read", file, unix.O_RDONLY, 6, read},
		{"file to write", file, unix.O_WRONLY, 6, write | cut},
		{"file for both", file, unix.O_RDWR, 6, read | write | cut},
		{"file to append to", file, unix.O_WRONLY | unix.O_APPEND, 6, 0},
		{"file to read and append to", file, unix.O_RDWR | unix.O_APPEND, 6, read},
		{"file before there was truncate", file, unix.O_RDWR, 2, read | write},
		{"device", "/dev/zero", unix.O_RDWR, 6, read | write | ioctl},
		{"device to read", "/dev/zero", unix.O_RDONLY, 6, read | ioctl},
		{"device to append to", "/dev/zero", unix.O_WRONLY | unix.O_APPEND, 6, write | ioctl},
		{"device before there was ioctl", "/dev/zero", unix.O_RDWR, 4, read | write},
		{"terminal", "/dev/ptmx", unix.O_RDWR | unix.O_NOCTTY, 6, read | write | ioctl},
		{"directory", "/", unix.O_RDONLY, 6, 0},
		{"no Landlock", file, unix.O_RDWR, 0, 0},
	} {
		fd, err := unix.Open(tc.path, tc.flags|unix.O_CLOEXEC, 0)
		if err != nil {
			t.Fatalf("%s: %v", tc.name, err)
		}
		if got := process.StdioRights(fd, tc.abi); got != tc.want {
			t.Errorf("%s: got %#x, want %#x", tc.name, got, tc.want)
		}
		if err := unix.Close(fd); err != nil {
			t.Fatal(err)
		}
		if got := process.StdioRights(fd, tc.abi); got != 0 {
			t.Errorf("%s, closed: got %#x", tc.name, got)
		}
	}
	var ends [2]int
	if err := unix.Pipe2(ends[:], unix.O_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	socket, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, fd := range append(ends[:], socket) {
		if got := process.StdioRights(fd, 6); got != 0 {
			t.Errorf("a pipe or a socket: got %#x", got)
		}
		_ = unix.Close(fd)
	}
}

// TestPathRules: what is for single paths is not given for the view, and what a
// version does not know is not asked for.
func TestPathRules(t *testing.T) {
	const device, execute, connect = uint64(unix.LANDLOCK_ACCESS_FS_IOCTL_DEV), uint64(unix.LANDLOCK_ACCESS_FS_EXECUTE), uint64(unix.LANDLOCK_ACCESS_FS_RESOLVE_UNIX)
	terminals := func(more map[string]uint64) map[string]uint64 {
		maps.Copy(more, map[string]uint64{"/dev/pts": device, "/dev/tty": device})
		return more
	}
	for _, tc := range []struct {
		name    string
		plan    enforce.Landlock
		leading []string
		want    map[string]uint64
	}{
		{"version 6", enforce.Landlock{ABI: 6, Connect: []string{"/w/s"}}, nil, terminals(map[string]uint64{"/": 1<<15 - 1})},
		{"version 9", enforce.Landlock{ABI: 9}, nil, terminals(map[string]uint64{"/": 1<<15 - 1})},
		{"version 9, a socket by name", enforce.Landlock{ABI: 9, Connect: []string{"/w/s", "/t"}}, nil, terminals(map[string]uint64{"/": 1<<15 - 1, "/w/s": connect, "/t": connect})},
		{"some programs", enforce.Landlock{ABI: 9, LimitExecute: true, Execute: []string{"/usr/bin/git"}}, nil,
			terminals(map[string]uint64{"/": 1<<15 - 1 - execute, "/usr/bin/git": execute})},
		{"what leads to mounts", enforce.Landlock{ABI: 6, LimitExecute: true}, []string{"/home/u"},
			terminals(map[string]uint64{"/": 1<<15 - 1 - execute, "/home/u": 1<<15 - 1 - execute})},
		{"a device by name", enforce.Landlock{ABI: 6, Devices: []string{"/dev/kvm"}}, nil, terminals(map[string]uint64{"/": 1<<15 - 1, "/dev/kvm": device})},
		{"no program", enforce.Landlock{ABI: 6, LimitExecute: true}, nil, terminals(map[string]uint64{"/": 1<<15 - 1 - execute})},
	} {
		if got := process.PathRules(tc.plan, tc.leading); !maps.Equal(got, tc.want) {
			t.Errorf("%s: got %#x, want %#x", tc.name, got, tc.want)
		}
	}
}

// TestHandOver: copies out of the way, and nothing that would lead elsewhere.
func TestHandOver(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "f")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		path  string
		flags int
		null  int
		err   bool
	}{
		{file, unix.O_RDONLY, -1, false},
		{file, unix.O_WRONLY | unix.O_APPEND, -1, false},
		{os.DevNull, unix.O_RDONLY, unix.O_RDONLY, false},
		{os.DevNull, unix.O_WRONLY, unix.O_WRONLY, false},
		{os.DevNull, unix.O_RDWR | unix.O_APPEND | unix.O_NONBLOCK, unix.O_RDWR | unix.O_APPEND, false},
		{"/dev/zero", unix.O_RDWR, -1, false},
		{dir, unix.O_RDONLY, 0, true},
		{dir, unix.O_PATH, 0, true},
		{file, unix.O_PATH, 0, true},
		{os.DevNull, unix.O_PATH, 0, true},
	} {
		fd, err := unix.Open(tc.path, tc.flags|unix.O_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		f := os.NewFile(uintptr(fd), tc.path)
		copied, null, anew, err := process.HandOver(f)
		if (err != nil) != tc.err {
			t.Errorf("%s, flags %#o: %v", tc.path, tc.flags, err)
		}
		if err == nil {
			flags, e := unix.FcntlInt(uintptr(copied), unix.F_GETFD, 0)
			if copied < 16 || null != tc.null || e != nil || flags&unix.FD_CLOEXEC == 0 {
				t.Errorf("%s, flags %#o: copy %d with flags %#x, null %d, want %d", tc.path, tc.flags, copied, flags, null, tc.null)
			}
			if want := tc.path == file && tc.flags == unix.O_RDONLY; anew != want {
				t.Errorf("%s, flags %#o: opened anew: %v, want %v", tc.path, tc.flags, anew, want)
			}
			_ = unix.Close(copied)
		}
		_ = f.Close()
	}
	if _, _, _, err := process.HandOver(nil); err == nil {
		t.Error("a missing descriptor is handed over")
	}
}

// TestExplain: errors that hosts cause say what to do, and keep their cause.
func TestExplain(t *testing.T) {
	other := errors.New("other")
	for _, tc := range []struct {
		err  error
		want string // beside its own text
	}{
		{unix.EPERM, "make namespaces"}, {unix.EACCES, "make namespaces"}, {unix.ENOSPC, "make namespaces"}, {unix.EUSERS, "make namespaces"}, {unix.ENOMEM, ""}, {other, ""},
		{&namespace.StepError{What: "mount a fresh /proc", Errno: unix.EPERM}, "hides parts of /proc"},
		{&namespace.StepError{What: "mount a fresh /proc", Errno: unix.EINVAL}, ""},
		{&namespace.StepError{What: "map the user", Errno: unix.EPERM}, "which layer this host refuses"},
		{&namespace.StepError{What: "show /x", Errno: unix.EACCES}, "which layer this host refuses"},
		{&namespace.StepError{What: "try Landlock"}, ""},
	} {
		got := process.Explain(tc.err)
		if !errors.Is(got, tc.err) || !strings.Contains(got.Error(), tc.err.Error()) {
			t.Errorf("%v lost its cause: %v", tc.err, got)
		}
		if tc.want == "" && got.Error() != tc.err.Error() || !strings.Contains(got.Error(), tc.want) {
			t.Errorf("%v: got %v, want %q", tc.err, got, tc.want)
		}
	}
}

// TestAbsolute: what a path of a held call means, for display.
func TestAbsolute(t *testing.T) {
	wd, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	at := int(f.Fd())
	cwd := ^uint64(99) // AT_FDCWD, as a register has it
	for _, tc := range []struct {
		call int
		at   uint64
		path string
		want string
	}{
		{unix.SYS_OPENAT, uint64(at), "/x", "/x"},
		{unix.SYS_OPENAT, cwd, "x", wd + "/x"},
		{unix.SYS_OPENAT, cwd & 0xffffffff, "x", wd + "/x"}, // half a register is what the kernel looks at
		{unix.SYS_OPENAT, uint64(at), "x", dir + "/x"},
		{unix.SYS_OPENAT2, uint64(at) | 1<<40, "x", dir + "/x"},
		{unix.SYS_EXECVEAT, uint64(at), "x", dir + "/x"},
		{process.CallOpen, uint64(at), "x", wd + "/x"}, // its first argument is the path
		{unix.SYS_EXECVE, uint64(at), "x", wd + "/x"},
		{unix.SYS_OPENAT, 1 << 20, "x", ""},
		{unix.SYS_OPENAT, cwd, "", ""},
	} {
		n := seccomp.Notification{PID: os.Getpid(), Call: tc.call, Args: [6]uint64{tc.at, 7}}
		got, ok := process.Absolute(n, tc.path)
		if ok != (tc.want != "") || got != tc.want {
			t.Errorf("call %d at %#x, %q: got %q, %v, want %q", tc.call, tc.at, tc.path, got, ok, tc.want)
		}
		want := tc.at
		if slices.Contains([]int{unix.SYS_OPENAT, unix.SYS_OPENAT2, unix.SYS_EXECVEAT}, tc.call) {
			want = 7
		}
		if got := process.PathArgument(n); got != want {
			t.Errorf("call %d: the path is argument %#x, want %#x", tc.call, got, want)
		}
	}
}

func TestArguments(t *testing.T) {
	for _, tc := range []struct {
		cmdline string
		want    []string
	}{
		{"cat\x00a b\x00", []string{"cat", "a b"}},
		{"cat\x00\x00x\x00", []string{"cat", "", "x"}},
		{"npm install\x00\x00\x00\x00\x00", []string{"npm install"}}, // a title written over it
		{"no end", []string{"no end"}},
	} {
		if got := process.Arguments([]byte(tc.cmdline)); !slices.Equal(got, tc.want) {
			t.Errorf("%q: got %q, want %q", tc.cmdline, got, tc.want)
		}
	}
	if got := process.Arguments([]byte(strings.Repeat("x\x00", 1000))); len(got) != 64 {
		t.Errorf("of a thousand words %d are kept, want 64", len(got))
	}
}

// TestIDs: a thread is told as its process, and an id of a namespace as ours; what is
// not there is 0.
func TestIDs(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	thread := make(chan int)
	go func() {
		runtime.LockOSThread() // another thread than that of the test
		defer runtime.UnlockOSThread()
		thread <- unix.Gettid()
		<-thread
	}()
	id := <-thread
	defer close(thread)
	if id == os.Getpid() { // the first thread; then this is another one
		id = unix.Gettid()
	}
	const none = 1 << 22 // beyond the highest that there can be
	for of, want := range map[int]int{id: os.Getpid(), os.Getpid(): os.Getpid(), none: 0} {
		got, err := process.ProcessOf(of)
		if err != nil || got != want && got != 0 { // the kernel may be older
			t.Errorf("the process of %d is %d, want %d; %v", of, got, want, err)
		}
	}
	for of, want := range map[int]int{id: id, none: 0} {
		if got, err := process.Outside(os.Getpid(), of); err != nil || got != [2]int{want, want} {
			t.Errorf("outside, %d is %v, want %d; %v", of, got, want, err)
		}
	}
}
