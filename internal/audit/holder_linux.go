package audit

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// holder is who holds a lock on f, as far as proc_locks(5) tells it. Which file
// system it is on is not compared where that says another device than stat(2),
// as some do: one that is named wrongly is only named.
func holder(f *os.File) Holder {
	fi, err := f.Stat()
	if err != nil {
		return Holder{}
	}
	st, ok := fi.Sys().(*syscall.Stat_t)
	text, err := os.ReadFile("/proc/locks")
	if !ok || err != nil {
		return Holder{}
	}
	exact := fmt.Sprintf("%02x:%02x:%d", unix.Major(st.Dev), unix.Minor(st.Dev), st.Ino)
	inode := ":" + strconv.FormatUint(st.Ino, 10)
	found := 0
	for line := range bytes.Lines(text) {
		// "12: FLOCK  ADVISORY  WRITE 4711 fe:00:123456 0 EOF"; who waits has "->" before that
		w := strings.Fields(string(line))
		if len(w) < 6 || w[1] != "FLOCK" {
			continue
		}
		if pid, err := strconv.Atoi(w[4]); err == nil && (w[5] == exact || found == 0 && strings.HasSuffix(w[5], inode)) {
			found = pid
		}
	}
	return describe(found)
}

// describe says what a process is, and whether it stands still.
func describe(pid int) Holder {
	h := Holder{PID: pid}
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return h
	}
	// "4711 (name) T …": proc_pid_stat(5). A name can have anything in it.
	_, rest, _ := bytes.Cut(text, []byte("("))
	if i := bytes.LastIndexByte(rest, ')'); i >= 0 && len(rest) > i+2 {
		h.Program, h.Stopped = string(rest[:i]), rest[i+2] == 'T' || rest[i+2] == 't'
	}
	return h
}
