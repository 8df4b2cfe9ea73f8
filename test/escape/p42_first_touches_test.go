package escape_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// Many first touches, through the real binary: what is asked, recorded, kept in
// memory and left.

// touchAll opens the files 0 to COUNT-1 in OUTSIDE from 32 threads, and some of
// them again, and says what came of the first and the second opening. It goes on when GO is there.
const touchAll = `echo ready; until [ -e "$WORK/begin" ]; do sleep 0.02; done
python3 - <<'END'
import errno, os, threading, time
out, n = os.environ["OUTSIDE"], int(os.environ["COUNT"])
def touch(i):
    try:
        with open(f"{out}/{i}") as f: return f.read()
    except OSError as e: return errno.errorcode[e.errno]
for step in (1, 7):
    got = [set() for _ in range(32)]
    def work(k):
        for i in range(k * step, n, 32 * step): got[k].add(touch(i))
    threads = [threading.Thread(target=work, args=(k,)) for k in range(32)]
    for t in threads: t.start()
    for t in threads: t.join()
    print("touched", sorted(set.union(*got)), flush=True)
while not os.path.exists(os.environ["WORK"] + "/go"): time.sleep(0.02)
print("then", touch("canary").strip() != "", sorted({touch(i) for i in range(0, n, 97)}))
END`

// touching is a program that has touched many files, and still runs.
func (f *field) touching(t *testing.T, count int, script string, before func()) *started {
	t.Helper()
	for i := range count {
		if err := os.WriteFile(filepath.Join(f.Outside, itoa(i)), []byte("x"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	f.flags = append(f.flags, "--env", "COUNT="+itoa(count))
	s := f.begin(t, script)
	before()
	f.put(t, f.work("begin"), "")
	return s
}

// waits until the program has said something.
func (f *field) says(t *testing.T, s *started, what string, times int) {
	t.Helper()
	if !f.within(4*longest, func() bool { return strings.Count(s.out.String(), what) >= times }) {
		t.Fatalf("it does not say %q %d times: %s", what, times, lastLines(s.out.String(), 20))
	}
}

func lastLines(text string, n int) string {
	lines := strings.SplitAfter(text, "\n")
	return strings.Join(lines[max(len(lines)-n, 0):], "")
}

// small fails if a launcher has grown with what its program touched.
func small(t *testing.T, pid int) {
	t.Helper()
	dir := "/proc/" + itoa(pid)
	kib, err := strconv.Atoi(strings.TrimSuffix(status(dir, "VmHWM"), " kB"))
	fds, e := os.ReadDir(dir + "/fd")
	if err != nil || e != nil {
		t.Fatal(err, e)
	}
	threads, _ := strconv.Atoi(status(dir, "Threads"))
	t.Logf("%d KiB at most, %d descriptors, %d threads", kib, len(fds), threads)
	if kib > 200<<10 || len(fds) > 100 || threads > 200 {
		t.Errorf("it has grown: %d KiB, %d descriptors, %d threads", kib, len(fds), threads)
	}
}

// The bounds on questions of a session: open at once, and in a minute.
const (
	mostOpen  = 16
	mostAsked = 30
)

// P42: ten thousand files are touched, and nobody answers. A bounded number of
// questions is put and of records written, all are refused and it is said, the
// launcher stays small, and what is granted then is there.
func TestP42ManyTouches(t *testing.T) {
	t.Parallel()
	eachWayToAsk(t, func(t *testing.T, f *field) {
		f.flags = append(f.flags, "--ask-timeout", "1s")
		began := time.Now()
		s := f.touching(t, 10_000, touchAll, func() {})
		// Questions are there for moments: how many were put says the log.
		open := 0
		if !f.within(4*longest, func() bool {
			open = max(open, len(f.questions(t)))
			return strings.Count(s.out.String(), "touched ['EACCES']") == 2
		}) {
			t.Fatalf("P42: it does not touch all: %s", lastLines(s.out.String(), 20))
		}
		t.Logf("%d questions were seen at once", open)
		if open > mostOpen {
			t.Errorf("P42: %d questions are open, want at most %d", open, mostOpen)
		}
		small(t, s.cmd.Process.Pid)
		f.answered(t, "grants", "add", "fs.read:"+f.Canary)
		f.put(t, f.work("go"), "")
		f.ends(t, s)
		ended, text := time.Now(), s.out.String()
		if !strings.Contains(text, "then True ['EACCES']") {
			t.Errorf("P42: what is granted after the flood is not there: %s", lastLines(text, 5))
		}
		said := 1000 + int(ended.Sub(began).Seconds()) + 1 // at once, and then one a second
		if lines := strings.Count(text, "ambit: denied "); lines == 0 || lines > said || !strings.Contains(text, "questions") {
			t.Errorf("P42: %d denials are said, want 1 to %d, and that it is not asked any more", lines, said)
		}
		log := f.answered(t, "audit", "ls", "-n", "0")
		if records := strings.Count(log, "\n"); records > 3*said {
			t.Errorf("P42: %d records", records)
		}
		asked := regexp.MustCompile(`(\d+) asked`).FindStringSubmatch(log)
		if asked == nil {
			t.Fatalf("P42: the log does not say how often it was asked: %s", lastLines(log, 3))
		}
		most := mostAsked * (1 + int(ended.Sub(began).Minutes()))
		if n, _ := strconv.Atoi(asked[1]); n < mostOpen || n > most {
			t.Errorf("P42: asked %d times, want at most %d", n, most)
		}
		f.answered(t, "audit", "verify")
		f.gone(t, 0)
	})
}

// A thousand files are granted one by one. The next look is at each as it is,
// what was granted is taken away at once when it is revoked, and nothing is left.
func TestP42ManyMounts(t *testing.T) {
	t.Parallel()
	eachWayToAsk(t, func(t *testing.T, f *field) {
		f.flags = append(f.flags, "--ask-timeout", "0")
		s := f.touching(t, 1000, touchAll, func() { f.answered(t, "grants", "add", "fs.read:"+f.Outside+"/*") })
		f.says(t, s, "touched ['x']", 2)
		small(t, s.cmd.Process.Pid)
		pid := f.inner(t, "python3")
		if n := mountsIn(t, pid, f.Outside); n < 1000 {
			t.Errorf("%d files are mounted, want 1000", n)
		}
		begin := time.Now()
		f.answered(t, "grants", "revoke", "--all")
		if !f.within(longest, func() bool { return mountsIn(t, pid, f.Outside) == 0 }) {
			t.Errorf("%d files are still mounted", mountsIn(t, pid, f.Outside))
		}
		t.Logf("taken away within %v", time.Since(begin))
		f.put(t, f.work("go"), "")
		f.ends(t, s)
		if text := s.out.String(); !strings.Contains(text, "then True ['EACCES']") {
			t.Errorf("it says %s", lastLines(text, 5))
		}
		f.answered(t, "audit", "verify")
		f.gone(t, 0)
		if harm := f.harm(); harm != "" {
			t.Error(harm)
		}
	})
}

// inner is the process of the field that runs a program inside.
func (f *field) inner(t *testing.T, name string) int {
	t.Helper()
	for _, pid := range f.marked() {
		if status("/proc/"+itoa(pid), "Name") == name {
			return pid
		}
	}
	t.Fatalf("no %s runs", name)
	return 0
}

// mountsIn counts the mounts in a folder that a process sees.
func mountsIn(t *testing.T, pid int, dir string) int {
	t.Helper()
	text, err := os.ReadFile("/proc/" + itoa(pid) + "/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	return strings.Count(string(text), " "+dir+"/")
}

// Two hundred processes touch the same file at once, and each one of its own: one
// question about the same, and each gets its own.
func TestP42ManyProcesses(t *testing.T) {
	t.Parallel()
	const n = 200
	eachWayToAsk(t, func(t *testing.T, f *field) {
		script := fmt.Sprintf(`echo ready; until [ -e "$WORK/begin" ]; do sleep 0.02; done
for i in $(seq 0 %d); do cat "$CANARY" "$OUTSIDE/$i" > "$WORK/got$i" & done; wait; sort "$WORK"/got* | uniq -c`, n-1)
		s := f.touching(t, n, script, func() { f.answered(t, "grants", "add", "fs.read:"+f.Outside+"/[0-9]*") })
		q := f.asked(t)
		if !f.within(longest, func() bool { return len(f.marked()) >= n }) {
			t.Errorf("%d processes run", len(f.marked()))
		}
		if all := f.questions(t); len(all) != 1 {
			t.Errorf("%d questions are put, want one: %+v", len(all), all)
		}
		f.answered(t, "approve", q.ID)
		f.ends(t, s)
		text := s.out.String()
		if got := strings.Fields(lastLines(text, 3)); !strings.Contains(text, f.token) || len(got) != 4 || got[0] != itoa(n) || got[2] != itoa(n) {
			t.Errorf("it says %s", lastLines(text, 10))
		}
		if one := f.answered(t, "audit", "ls", "-n", "0"); !strings.Contains(one, "1 asked") {
			t.Errorf("the log says %s", lastLines(one, 5))
		}
		f.gone(t, 0)
	})
}

// P25: a 32-bit program that is hidden is asked about, starts, and dies with its
// first call, which the filter does not know.
func TestP25ForeignProgramAsked(t *testing.T) {
	t.Parallel()
	eachWayToAsk(t, func(t *testing.T, f *field) {
		// mov eax, 5 (open of i386); int 0x80; mov eax, 1; xor ebx, ebx; int 0x80
		writeELF32(t, f.Outside+"/program", []byte{0xb8, 5, 0, 0, 0, 0xcd, 0x80, 0xb8, 1, 0, 0, 0, 0x31, 0xdb, 0xcd, 0x80})
		s := f.begin(t, `echo ready; "$OUTSIDE/program"; echo status $?`)
		f.answered(t, "approve", f.asked(t).ID)
		f.ends(t, s)
		if text := s.out.String(); !strings.Contains(text, "status 159") {
			t.Errorf("P25: it says %s, want death by SIGSYS", text)
		}
		f.gone(t, 0)
	})
}
