package store

import (
	"bytes"
	"fmt"
	"os"
	"strings"
)

// ProcessOf names the process that has this PID now, in a way that no other
// process ever has: by boot and by start time. It is "" if there is none, and
// where /proc does not tell.
func ProcessOf(pid int) string {
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return ""
	}
	// proc_pid_stat(5): the name, in parentheses, may hold anything; the state is
	// the 3rd field, the start time the 22nd. Z and X are what is left of a process.
	_, rest, ok := bytes.Cut(stat[bytes.LastIndexByte(stat, ')')+1:], []byte(" "))
	fields := strings.Fields(string(rest))
	if !ok || len(fields) < 20 || fields[0] == "Z" || fields[0] == "X" {
		return ""
	}
	return strings.TrimSpace(string(boot)) + "/" + fields[19]
}
