package terminal

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/core/capability"
)

// process is what /proc/PID/stat says of a process: proc_pid_stat(5).
type process struct {
	pid, parent, group int
	terminal           uint64
	name               string
}

// busy says who else has the terminal's keys, "" if the question may take it:
// if only we, those who wait for us, and the programs that we started are in
// its foreground.
func (t *tty) busy() (string, error) {
	front, err := t.group()
	if err != nil {
		return "", err
	}
	all := processes()
	self := os.Getpid()
	waiting := ancestors(all, self)
	present := front == unix.Getpgrp()
	for _, p := range all {
		if p.group != front || p.terminal != t.number {
			continue
		}
		switch {
		case p.pid == self || ancestors(all, p.pid)[self]:
			present = true
		case front != unix.Getpgrp():
			return "another job, " + capability.Printable(p.name), nil
		case !waiting[p.pid] && reads(p.pid):
			return capability.Printable(p.name) + " beside it", nil
		}
	}
	if !present {
		return "another job", nil
	}
	return "", nil
}

// processes reads all processes that can be seen.
func processes() map[int]process {
	all := map[int]process{}
	names, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			continue // it has ended
		}
		if p, ok := parseStat(string(text)); ok {
			all[p.pid] = p
		}
	}
	return all
}

func parseStat(text string) (p process, ok bool) {
	open, end := strings.IndexByte(text, '('), strings.LastIndexByte(text, ')')
	if open < 0 || end < open {
		return p, false
	}
	rest := strings.Fields(text[end+1:]) // state, ppid, pgrp, session, tty_nr
	if len(rest) < 5 {
		return p, false
	}
	p.name = text[open+1 : end]
	var bad [4]error
	var tty int
	p.pid, bad[0] = strconv.Atoi(strings.TrimSpace(text[:open]))
	p.parent, bad[1] = strconv.Atoi(rest[1])
	p.group, bad[2] = strconv.Atoi(rest[2])
	tty, bad[3] = strconv.Atoi(rest[4])
	p.terminal = uint64(uint32(tty))
	return p, bad == [4]error{}
}

// ancestors are the processes that a process descends from.
func ancestors(all map[int]process, pid int) map[int]bool {
	of := map[int]bool{}
	for p, ok := all[pid]; ok && p.parent != 0 && !of[p.parent]; p, ok = all[p.parent] {
		of[p.parent] = true
	}
	return of
}

// reads reports whether a process of this terminal seems to read its keys: it
// has a terminal open other than to write to, as a pager has whose input is a
// pipe.
func reads(pid int) bool {
	dir := "/proc/" + strconv.Itoa(pid) + "/fd/"
	names, err := os.ReadDir(dir)
	if err != nil {
		return false // somebody else's: sudo, for one, who waits
	}
	for _, n := range names {
		to, err := os.Readlink(dir + n.Name())
		written := n.Name() == "1" || n.Name() == "2"
		if err == nil && !written && (to == "/dev/tty" || filepath.Dir(to) == "/dev/pts") {
			return true
		}
	}
	return false
}
