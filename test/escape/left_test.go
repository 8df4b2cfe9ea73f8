package escape_test

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// marked are the processes that have the field's mark in their environment. That of
// an init cannot be read by another user than root: it is there where its launcher
// or what it looks after is.
func (f *field) marked() (pids []int) {
	found, err := filepath.Glob("/proc/[0-9]*/environ")
	if err != nil {
		panic(err)
	}
	closed := map[int]int{} // inits and others that cannot be read, and their parents
	for _, p := range found {
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(p)))
		if err != nil || strconv.Itoa(pid) == f.Values["pid"] {
			continue // a victim, which Setup ends
		}
		text, err := os.ReadFile(p)
		switch {
		case err == nil && bytes.Contains(text, []byte("AMBIT_ESCAPE="+f.mark)):
			pids = append(pids, pid)
		case errors.Is(err, fs.ErrPermission) && isInit(pid):
			closed[pid] = parentOf(pid)
		}
	}
	for _, pid := range slices.Clone(pids) {
		if _, ok := closed[parentOf(pid)]; ok {
			pids = append(pids, parentOf(pid))
		}
	}
	for pid, parent := range closed {
		if slices.Contains(pids, parent) && !slices.Contains(pids, pid) {
			pids = append(pids, pid)
		}
	}
	slices.Sort(pids)
	return slices.Compact(pids)
}

func isInit(pid int) bool {
	words, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/cmdline")
	return err == nil && bytes.HasPrefix(words, []byte("ambit-init\x00"))
}

// parentOf is a process's parent; 0 where there is none any more.
func parentOf(pid int) int {
	text, _ := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat") // it may have ended
	fields := bytes.Fields(text[bytes.LastIndexByte(text, ')')+1:])
	if len(fields) < 2 {
		return 0
	}
	parent, _ := strconv.Atoi(string(fields[1])) // a number, as the kernel writes it
	return parent
}

// nothingLeft waits a moment for the end of all that was started in the field,
// and fails if something goes on.
func (f *field) nothingLeft(t *testing.T) {
	t.Helper()
	if left := f.within(longest, func() bool { return len(f.marked()) == 0 }); !left {
		for _, pid := range f.marked() {
			dir := "/proc/" + strconv.Itoa(pid)
			words, _ := os.ReadFile(dir + "/cmdline")
			status, _ := os.ReadFile(dir + "/status")
			t.Errorf("process %d is left: %q\n%s", pid, words, firstLines(status, 3))
		}
	}
}

// within waits for a condition.
func (*field) within(d time.Duration, holds func() bool) bool {
	for end := time.Now().Add(d); ; time.Sleep(5 * time.Millisecond) {
		if holds() {
			return true
		}
		if time.Now().After(end) {
			return false
		}
	}
}

func firstLines(text []byte, n int) string {
	lines := bytes.SplitAfter(text, []byte("\n"))
	return string(bytes.Join(lines[:min(n, len(lines))], nil))
}

// traces counts what a sandbox of the field could leave on this host. What lies in
// folders of other tests is theirs: they mount too, at any time.
func (f *field) traces(t *testing.T) string {
	t.Helper()
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for line := range strings.Lines(string(mounts)) {
		at := strings.Fields(line)[4] + "/"
		others := strings.HasPrefix(at, filepath.Dir(scratch)+"/") || strings.Contains(at, "/ambit-escape-")
		if strings.HasPrefix(at, f.Dir+"/") || !others {
			n++
		}
	}
	return fmt.Sprintf("%d mounts", n)
}

// groups are the control groups of a session.
func groups(session string) (found []string) {
	_ = filepath.WalkDir("/sys/fs/cgroup", func(path string, d os.DirEntry, err error) error {
		if err == nil && d.IsDir() && strings.Contains(d.Name(), session) {
			found = append(found, path)
		}
		return nil // a group may be gone by the time it is looked at
	})
	return found
}

// populated reports whether a process is in a control group.
func populated(group string) bool {
	if text, err := os.ReadFile(group + "/cgroup.events"); err == nil {
		return strings.Contains(string(text), "populated 1")
	}
	text, _ := os.ReadFile(group + "/cgroup.procs") // it may be gone by now
	return len(text) > 0
}

// ownTemporaries has the field's launchers put temporary files into a folder that
// nobody else has, and returns it.
func (f *field) ownTemporaries(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(f.Dir, "temporaries")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	f.env = append(f.env, "TMPDIR="+dir)
	return dir
}
