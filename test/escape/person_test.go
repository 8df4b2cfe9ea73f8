package escape_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// Attacks on whoever is asked, and on what was answered: a program waits in its
// call, and a person answers from another process.

// newAskingField is one where the first touch of what was not granted is a
// question, in each way that this user has.
func eachWayToAsk(t *testing.T, attack func(t *testing.T, f *field)) {
	for _, way := range []string{"trap", "notification"} {
		t.Run("by "+way, func(t *testing.T) {
			t.Parallel()
			if way == "trap" && !trapOpens() {
				t.Skip("requires: /dev/fuse that this user can open")
			}
			f := newFieldIn(t, hiddenDir(t))
			f.flags = append(f.flags, "--ask", "queue", "--home", "ephemeral")
			if way != "trap" {
				f.flags = append(f.flags, "--ask-by", way)
			}
			for _, v := range f.variables() {
				f.flags = append(f.flags, "--env", v)
			}
			attack(t, f)
		})
	}
}

// person runs a command of whoever is asked.
func (f *field) person(t *testing.T, args ...string) (out string, status int) {
	t.Helper()
	cmd := exec.Command(ambit(t), args...)
	f.fit(cmd)
	cmd.ExtraFiles, cmd.Stdin = nil, nil
	text, err := cmd.CombinedOutput()
	return string(text), exitStatus(err)
}

// answered runs a command of whoever is asked, which must succeed.
func (f *field) answered(t *testing.T, args ...string) string {
	t.Helper()
	out, status := f.person(t, args...)
	if status != 0 {
		t.Fatalf("ambit %s: exit %d %s", strings.Join(args, " "), status, out)
	}
	return out
}

// A question is one that waits, as `ambit approvals --json` lists it.
type question struct {
	ID, Capability, Program string
	PID                     int
}

// questions are those that wait.
func (f *field) questions(t *testing.T) (all []question) {
	t.Helper()
	var listed []struct {
		State    string
		Question question
	}
	text := f.answered(t, "approvals", "--json")
	if err := json.Unmarshal([]byte(text), &listed); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	for _, q := range listed {
		if q.State == "waiting" {
			all = append(all, q.Question)
		}
	}
	return all
}

// asked waits for a question that is none of those that were known.
func (f *field) asked(t *testing.T, known ...question) (q question) {
	t.Helper()
	found := f.within(longest, func() bool {
		for _, q = range f.questions(t) {
			if !slices.ContainsFunc(known, func(k question) bool { return k.ID == q.ID }) {
				return true
			}
		}
		return false
	})
	if !found {
		for _, pid := range f.marked() {
			dir := "/proc/" + strconv.Itoa(pid)
			words, _ := os.ReadFile(dir + "/cmdline")
			call, _ := os.ReadFile(dir + "/syscall")
			t.Logf("process %d %q is %s, in call %s", pid, words, status(dir, "State"), call)
		}
		t.Fatalf("no question was put, of %s", f.answered(t, "approvals", "--json"))
	}
	return q
}

// connection is the FUSE connection that the root of a process's view is served
// by, 0 where it has none. Its number is that of the file system's device.
func connection(pid int) int {
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/mountinfo")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(text)) {
		if f := strings.Fields(line); f[4] == "/" && strings.Contains(line, " - fuse ") {
			_, minor, _ := strings.Cut(f[2], ":")
			n, _ := strconv.Atoi(minor)
			return n
		}
	}
	return 0
}

// connected reports whether there is such a connection. Who is not root cannot
// see that, where its list is not mounted.
func connected(t *testing.T, number int) bool {
	t.Helper()
	list := "ls /sys/fs/fuse/connections"
	cmd := exec.Command("sh", "-c", list)
	if os.Getuid() == 0 {
		cmd = exec.Command("unshare", "-m", "sh", "-c", "mount -t fusectl none /sys/fs/fuse/connections && "+list)
	}
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	return number != 0 && slices.Contains(strings.Fields(string(out)), strconv.Itoa(number))
}

// viewed reports whether a process has its view by the connection of a number: of
// another test then, which was given a number that was free.
func viewed(number int) bool {
	found, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		panic(err)
	}
	for _, dir := range found {
		if pid, err := strconv.Atoi(filepath.Base(dir)); err == nil && connection(pid) == number {
			return true
		}
	}
	return false
}

// gone fails if something of a sandbox is left a moment after its end: processes,
// its connection, mounts, questions.
func (f *field) gone(t *testing.T, number int) {
	t.Helper()
	f.nothingLeft(t)
	if !f.within(longest, func() bool { return !connected(t, number) || viewed(number) }) {
		t.Errorf("connection %d is left", number)
	}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(mounts)) {
		inside := strings.Contains(line, f.Dir+"/") && !strings.Contains(line, f.Dir+"/state") && !strings.Contains(line, f.Dir+"/log ")
		if inside || strings.Contains(line, " - fuse none") {
			t.Errorf("a mount is left: %s", line)
		}
	}
	if left := f.questions(t); len(left) > 0 {
		t.Errorf("questions are left: %+v", left)
	}
	if found, err := filepath.Glob(filepath.Join(f.Dir, "state", "*.tmp")); err != nil || len(found) > 0 {
		t.Errorf("files are left: %q %v", found, err)
	}
}

// stuck says which process waits in a way that nothing ends.
func (f *field) stuck() string {
	for _, pid := range f.marked() {
		if state := status("/proc/"+strconv.Itoa(pid), "State"); strings.HasPrefix(state, "D") {
			return fmt.Sprintf("process %d is %s", pid, state)
		}
	}
	return ""
}
