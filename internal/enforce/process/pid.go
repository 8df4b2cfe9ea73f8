//go:build linux

package process

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

func itoa(n int) string { return strconv.Itoa(n) }

// ids translates process ids of one sandbox, of which there are many to translate:
// it keeps the namespaces open. The zero value is ready.
type ids struct {
	mu     sync.Mutex
	inside *os.File // the sandbox's pid namespace; guarded by mu, nil before it is needed
	own    *os.File // that of this process; guarded by mu, nil before it is needed
}

// outside translates a process id of the pid namespace of init to ours; 0 where there
// is no such process.
func (i *ids) outside(init, pid int) int {
	if n := i.ask(&i.inside, itoa(init), unix.NS_GET_PID_FROM_PIDNS, pid); n > 0 {
		return n
	}
	return pidOutside(init, pid)
}

// process is the process of a thread, both as we have them; 0 where the kernel does
// not tell, as before 6.11.
func (i *ids) process(thread int) int {
	return i.ask(&i.own, "self", unix.NS_GET_TGID_FROM_PIDNS, thread)
}

// ask puts an id to a namespace, which it opens first if it must.
func (i *ids) ask(ns **os.File, of string, what uintptr, id int) int {
	i.mu.Lock()
	defer i.mu.Unlock()
	if *ns == nil {
		f, err := os.Open("/proc/" + of + "/ns/pid")
		if err != nil {
			return 0
		}
		*ns = f
	}
	n, _, e := unix.Syscall(unix.SYS_IOCTL, (*ns).Fd(), what, uintptr(id))
	if e != 0 {
		return 0
	}
	return int(n)
}

// close lets go of them. Nobody asks any more.
func (i *ids) close() error {
	i.mu.Lock()
	defer i.mu.Unlock()
	var failed error
	for _, f := range []*os.File{i.inside, i.own} {
		if f != nil {
			failed = errors.Join(failed, f.Close())
		}
	}
	return failed
}

// pidOutside translates a process id of the pid namespace of init to ours; 0
// where there is no such process.
func pidOutside(init, pid int) int {
	fd, err := unix.Open("/proc/"+itoa(init)+"/ns/pid", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return 0
	}
	defer unix.Close(fd) //nolint:errcheck // it only stands for a namespace
	if n, _, e := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.NS_GET_PID_FROM_PIDNS, uintptr(pid)); e == 0 {
		return int(n)
	}
	return pidByScan(init, pid)
}

// pidByScan looks for the process as kernels before 6.11 need it.
func pidByScan(init, pid int) int {
	own, err := os.Readlink("/proc/" + itoa(init) + "/ns/pid")
	if err != nil {
		return 0
	}
	// A thread has an id of its own, and is found with its process only.
	all, err := filepath.Glob("/proc/[0-9]*/task/[0-9]*")
	if err != nil {
		return 0
	}
	for _, dir := range all {
		text, err := os.ReadFile(dir + "/status")
		if err != nil {
			continue
		}
		_, line, ok := bytes.Cut(text, []byte("\nNSpid:"))
		if !ok {
			continue
		}
		line, _, _ = bytes.Cut(line, []byte("\n"))
		ids := strings.Fields(string(line))
		if len(ids) < 2 || ids[1] != itoa(pid) {
			continue
		}
		if ns, err := os.Readlink(dir + "/ns/pid"); err != nil || ns != own {
			continue
		}
		if n, err := strconv.Atoi(ids[0]); err == nil {
			return n
		}
	}
	return 0
}
