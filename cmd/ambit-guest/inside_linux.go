package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/enforce/microvm/channel"
)

// Descriptors that process 1 of the sandbox is started with.
const (
	statusFD = 3 + iota
	goFD
	lineFD
)

// runInside is process 1 of the sandbox: it builds the view, starts the program when
// it is told to, passes signals on, and reaps. When it ends, the kernel ends
// everything else in its namespace.
//
// Security: the program has no capability and cannot gain one; it runs as the
// launcher's user. That is a bound inside of the guest. Whoever breaks it has the
// guest, and meets the machine.
func runInside() error {
	runtime.LockOSThread() // what is taken from this thread, the program does not get
	status, goes := os.NewFile(statusFD, "status"), os.NewFile(goFD, "go")
	for _, fd := range []int{statusFD, goFD, lineFD} {
		unix.CloseOnExec(fd)
	}
	say := json.NewEncoder(status)
	signals := make(chan os.Signal, 64)
	signal.Notify(signals)
	if err := errors.Join(rehearse(), say.Encode(said{Waits: true})); err != nil {
		return err
	}
	r, root, err := ordered()
	if err == nil {
		err = build(r, root)
	}
	if err != nil {
		return errors.Join(err, say.Encode(said{Error: err.Error()}))
	}
	calls := -1 // by which they are held; nobody answers before the agent has it
	if root != nil {
		if calls, err = holdCalls(); err != nil {
			return errors.Join(err, say.Encode(said{Error: err.Error()}))
		}
	}
	if err := say.Encode(said{Ready: true, Calls: calls}); err != nil {
		return err
	}
	if n, err := goes.Read(make([]byte, 1)); n != 1 {
		return errors.Join(errors.New("the launcher is gone"), err)
	}
	if calls >= 0 {
		if err := unix.Close(calls); err != nil { // the agent has its own
			return err
		}
	}
	pid, err := start(r)
	if err != nil {
		return say.Encode(failed(err))
	}
	line := make(chan called)
	go hear(lineFD, line)
	k := keeper{uid: r.UID, gid: r.GID, first: pid, others: map[int]*guest{}}
	return say.Encode(k.keep(signals, line))
}

// ordered waits to hear what to build, and takes the program's descriptors. root is the
// mount that the view stands on, nil where it is one of its own.
func ordered() (r channel.Prepare, root *os.File, err error) {
	c, err := next(lineFD)
	if err != nil {
		return r, nil, err
	}
	const least = 4
	if len(c.files) < least {
		return r, nil, errors.New("the order comes without descriptors")
	}
	defer func() {
		for _, f := range c.files[:least] {
			_ = f.Close() // they are in their places
		}
	}()
	if err := json.NewDecoder(io.NewSectionReader(c.files[0], 0, channel.LargestRequest)).Decode(&r); err != nil {
		return r, nil, err
	}
	for i, f := range c.files[1:least] {
		if err := unix.Dup3(int(f.Fd()), i, 0); err != nil {
			return r, nil, err
		}
	}
	if len(c.files) > least {
		root = c.files[least]
	}
	return r, root, unix.Sethostname([]byte(r.Hostname))
}

// failed says why a program was not started.
func failed(err error) said {
	var errno syscall.Errno
	if !errors.As(err, &errno) {
		return said{Error: err.Error()}
	}
	return said{Errno: int(errno)}
}

func build(r channel.Prepare, root *os.File) error {
	if err := compose(r, root); err != nil {
		return err
	}
	unix.Umask(r.Umask)
	if err := bound(r.Limits); err != nil {
		return err
	}
	for c := range unix.CAP_LAST_CAP + 1 {
		if err := unix.Prctl(unix.PR_CAPBSET_DROP, uintptr(c), 0, 0, 0); err != nil && !errors.Is(err, unix.EINVAL) {
			return fmt.Errorf("drop capabilities: %w", err)
		}
	}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("set no_new_privs: %w", err)
	}
	return nil
}

// usualFDs is the soft bound that programs expect.
const usualFDs = 1024

func bound(l channel.Limits) error {
	fds := unix.Rlimit{Cur: usualFDs, Max: 1 << 19}
	if l.FDs > 0 {
		fds.Cur, fds.Max = min(usualFDs, uint64(l.FDs)), uint64(l.FDs)
	}
	all := map[int]unix.Rlimit{unix.RLIMIT_CORE: {}, unix.RLIMIT_NOFILE: fds}
	if l.File > 0 {
		all[unix.RLIMIT_FSIZE] = unix.Rlimit{Cur: uint64(l.File), Max: uint64(l.File)}
	}
	for resource, limit := range all {
		if err := unix.Setrlimit(resource, &limit); err != nil {
			return fmt.Errorf("set a resource limit: %w", err)
		}
	}
	return nil
}

// start executes the program in a session of its own.
func start(r channel.Prepare) (int, error) {
	if err := unix.Chdir(r.Dir); err != nil {
		return 0, fmt.Errorf("enter the working directory: %w", err)
	}
	attr := &syscall.ProcAttr{Env: texts(r.Env), Files: []uintptr{0, 1, 2}, Sys: &syscall.SysProcAttr{
		Setsid: true, Credential: &syscall.Credential{Uid: uint32(r.UID), Gid: uint32(r.GID)}}}
	if r.Terminal {
		attr.Sys.Setctty = true
	}
	return syscall.ForkExec(r.Path, texts(r.Argv), attr)
}

func texts(all [][]byte) []string {
	out := make([]string, len(all))
	for i, b := range all {
		out[i] = string(b)
	}
	return out
}
