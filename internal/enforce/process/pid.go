//go:build linux

package process

import (
	"bytes"
	"os"
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
	all, err := os.ReadDir("/proc")
	if err != nil {
		return 0
	}
	for _, e := range all {
		n, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		text, err := os.ReadFile("/proc/" + e.Name() + "/status")
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
		if ns, err := os.Readlink("/proc/" + e.Name() + "/ns/pid"); err == nil && ns == own {
			return n
		}
	}
	return 0
}
