//go:build linux

package process

import (
	"bytes"
	"os"
	"strconv"
	"strings"
)

// Of /proc/PID/stat, counted behind the name of the program (proc_pid_stat(5)).
const (
	statFlags = 6  // field 9
	statExit  = 49 // field 52
)

// Of a process's flags (PF_ in linux/sched.h).
const (
	flagExiting  = 0x4
	flagSignaled = 0x400
)

// killed reports whether a thread of the host is being ended by a signal. One that is
// gone was.
//
// The threads of a process that ends by itself get a signal too: the status with which
// they end says which it is.
func killed(thread int) bool {
	if thread == 0 {
		return true
	}
	text, err := os.ReadFile("/proc/" + strconv.Itoa(thread) + "/stat")
	if err != nil {
		return true
	}
	f := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	if len(f) <= statFlags {
		return true
	}
	flags, err := strconv.ParseUint(f[statFlags], 10, 64)
	if err != nil || flags&flagExiting == 0 {
		return err != nil
	}
	if len(f) > statExit {
		if status, err := strconv.Atoi(f[statExit]); err == nil && status != 0 {
			return status&0x7f != 0
		}
	}
	return flags&flagSignaled != 0
}
