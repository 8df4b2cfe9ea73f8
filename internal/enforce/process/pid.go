//go:build linux

package process

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

func itoa(n int) string { return strconv.Itoa(n) }

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
