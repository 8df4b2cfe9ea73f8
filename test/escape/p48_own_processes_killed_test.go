package escape_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// ownProcesses are those that a session with a network has beside its program, by
// what they call themselves, and how the run ends when one is killed: with what
// status, in what words. "ambit" is the launcher.
var ownProcesses = map[string]map[string]struct {
	status int
	words  string
}{
	tierProcess: {
		"ambit":        {},
		"ambit-init":   {128 + 9, ""}, // process 1 of the sandbox ends by a signal, and the program with it
		"ambit-egress": {128 + 9, "the network of the sandbox has ended"},
	},
	tierGVisor: {
		"ambit":         {},
		"ambit-runsc":   {125, "ended before its program did: ambit-runsc was ended"},
		"runsc-sandbox": {125, "ended before its program did: its kernel was ended by SIGKILL"},
		"runsc-gofer":   {125, "ended before its program did: what opens its files was killed"},
		"ambit-egress":  {128 + 9, "the network of the sandbox has ended"},
	},
	tierMachine: {
		"ambit":              {},
		"ambit-init":         {125, "the machine ended before its program did"},
		"qemu-system-x86_64": {125, "the machine ended before its program did"},
		"ambit-egress":       {128 + 9, "the network of the sandbox has ended"},
	},
}

// P48: whichever of a session's own processes is killed, all of the session ends:
// no process, mount or control group stays, and whoever launched it is told why.
func TestP48OwnProcessesKilled(t *testing.T) {
	tiers := []string{tierUnderTest()}
	if tiers[0] == tierProcess && os.Getenv("AMBIT_GUEST") == "" {
		tiers = append(tiers, tierGVisor)
	}
	for _, tier := range tiers {
		for name := range ownProcesses[tier] {
			t.Run(tier+"/"+name, func(t *testing.T) {
				t.Parallel()
				killOne(t, tier, name)
			})
		}
	}
}

func killOne(t *testing.T, tier, name string) {
	f := newField(t)
	f.tier = tier
	f.flags = []string{"--allow", "net.connect:example.com:443"} // so that it has a network
	before := f.traces(t)
	defer f.aMachine()()
	s := f.begin(t, "echo $AMBIT_SESSION; echo ready; exec sleep 600")
	session := sessionIn(s.out.String())
	all := family(s.cmd.Process.Pid)
	victim := s.cmd.Process.Pid
	if name != "ambit" {
		victim = 0
		for pid := range all {
			if filepath.Base(calledItself(pid)) == name {
				victim = pid
			}
		}
	}
	if victim == 0 {
		t.Fatalf("P48: there is no %s among %v", name, all)
	}
	if err := unix.Kill(victim, unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	stop := time.AfterFunc(f.patient(longest), func() { _ = s.cmd.Process.Kill() })
	status := exitStatus(s.cmd.Wait())
	if !stop.Stop() {
		t.Errorf("P48: without %s it went on", name)
	}
	want := ownProcesses[tier][name]
	if name != "ambit" && (status != want.status || !strings.Contains(s.out.String(), want.words)) {
		t.Errorf("P48: without %s: status %d, want %d and %q: %s", name, status, want.status, want.words, s.out)
	}
	f.nothingLeft(t)
	for pid, began := range all {
		if !f.within(longest, func() bool { return family(pid)[pid] != began }) {
			t.Errorf("P48: without %s, process %d is left: %q", name, pid, calledItself(pid))
		}
	}
	if name == "ambit" {
		return // nobody is there to write it down, and to take the rest apart: the next one does
	}
	if log := f.answered(t, "audit", "ls", "-n", "0"); !strings.Contains(log, "session.end") || !strings.Contains(log, session) {
		t.Errorf("P48: without %s, the log does not have the end of %q: %s", name, session, log)
	}
	if left := groups(session); len(left) > 0 {
		t.Errorf("P48: without %s, %v are left", name, left)
	}
	if after := f.traces(t); after != before {
		t.Errorf("P48: without %s: before %s, after %s", name, before, after)
	}
}

// family is a process and all that came from it, with when each began.
func family(top int) map[int]string {
	children, began := map[int][]int{}, map[int]string{}
	found, _ := filepath.Glob("/proc/[0-9]*/stat") // the pattern is good
	for _, p := range found {
		text, _ := os.ReadFile(p) // it may have ended
		fields := bytes.Fields(text[bytes.LastIndexByte(text, ')')+1:])
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(p)))
		if err != nil || len(fields) < 20 || string(fields[0]) == "Z" {
			continue
		}
		parent, _ := strconv.Atoi(string(fields[1])) // a number, as the kernel writes it
		children[parent] = append(children[parent], pid)
		began[pid] = string(fields[19])
	}
	all := map[int]string{}
	for next := []int{top}; len(next) > 0; next = next[1:] {
		if when, ok := began[next[0]]; ok {
			all[next[0]] = when
		}
		next = append(next, children[next[0]]...)
	}
	return all
}

// calledItself is argv[0] of a process.
func calledItself(pid int) string {
	words, _ := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/cmdline") // it may have ended
	name, _, _ := strings.Cut(string(words), "\x00")
	return name
}
