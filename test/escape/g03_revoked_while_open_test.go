package escape_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// holds opens a file in each way that outlives a name: a descriptor, one of the
// directory, a mapping, a working directory, a child with all of them.
const holds = `
import mmap, os, sys, time
G = os.environ["GRANTED"]
os.chdir(G)
f = os.open("file", os.O_RDWR)
d = os.open(".", os.O_PATH)
m = mmap.mmap(f, 0)
child = os.fork()
who = "parent" if child else "child"
print(who, os.pread(f, 3, 0), bytes(m[:3]), flush=True)
time.sleep(0.3)
print("ready", flush=True)
def reaches(how):
    try: got = how()
    except OSError: return None
    if got > f: os.close(got)
    return got
ways = {
    "path": lambda: os.open(G + "/file", 0), "relative": lambda: os.open("file", 0), "directory": lambda: os.open("file", 0, dir_fd=d),
    "reopen": lambda: os.open(f"/proc/self/fd/{f}", 0), "new": lambda: os.open("new", os.O_CREAT | os.O_RDWR),
    "rename": lambda: os.rename("file", "renamed") or 1,
}
begin = time.monotonic()
while any(reaches(way) is not None for way in (ways["path"], ways["relative"], ways["directory"])):
    if time.monotonic() - begin > 60: sys.exit("nothing is taken away")
    time.sleep(0.01)
print(who, "lost", [n for n, way in ways.items() if reaches(way) is not None], flush=True)
os.pwrite(f, b"kept", 0); os.ftruncate(f, 4); os.fsync(f)
print(who, "keeps", os.pread(f, 9, 0), bytes(m[:4]), flush=True)
time.sleep(600)
`

// G3: a grant is revoked while a program has a descriptor, a mapping, a working
// directory and a child with them. What leads anywhere by a name is over within a
// second, for all of them. What is open stays open, is listed, and ends with
// --kill. F19: so a descriptor that was opened for writing before goes on writing
// to that one file, and to nothing else. While one is open for writing, modes and
// times of what its mount has can still be changed: the mount cannot be made
// read-only then, and Landlock does not look at those.
func TestG3RevokedWhileOpen(t *testing.T) {
	t.Parallel()
	test := func(t *testing.T, f *field) {
		granted := filepath.Join(f.Dir, "granted")
		f.put(t, filepath.Join(granted, "file"), "old text\n")
		f.put(t, filepath.Join(granted, "other"), "other\n")
		f.guard(t, filepath.Join(granted, "other"))
		f.answered(t, "grants", "add", "fs.write:"+granted)
		f.flags = append(f.flags, "--ask-timeout", "0", "--env", "GRANTED="+granted, "--env", "HOLDS="+holds)
		s := f.begin(t, `exec python3 -c "$HOLDS"`)
		f.answered(t, "grants", "revoke", "--all")
		if !f.within(longest, func() bool { return strings.Count(s.out.String(), " keeps ") == 2 }) {
			t.Fatalf("G3: %s", s.out)
		}
		// What is listed is recorded first, and the program does not wait for that.
		f.within(longest, func() bool { return strings.Contains(s.out.String(), "descriptor 4 of python3") })
		for _, want := range []string{"parent lost []", "child lost []", "parent keeps b'kept' b'kept'", "child keeps b'kept' b'kept'",
			"working directory of python3", "mapping of python3", "descriptor 3 of python3", "descriptor 4 of python3"} {
			if !strings.Contains(s.out.String(), want) {
				t.Errorf("G3: %q is not said: %s", want, s.out)
			}
		}
		if text, err := os.ReadFile(filepath.Join(granted, "file")); err != nil || string(text) != "kept" {
			t.Errorf("G3: the file says %q, %v", text, err)
		}
		if harm := f.harm(); harm != "" {
			t.Errorf("G3: %s", harm)
		}
		// Who wants an end of that too says so.
		f.answered(t, "grants", "add", "fs.read:"+f.Outside)
		time.Sleep(600 * time.Millisecond)
		f.answered(t, "grants", "revoke", "--kill", "--all")
		_ = s.cmd.Process.Kill()
		_ = s.cmd.Wait() // killed
		f.gone(t, 0)
	}
	eachWayToAsk(t, test)
	t.Run("without asking", func(t *testing.T) {
		t.Parallel()
		test(t, newFieldIn(t, hiddenDir(t)))
	})
}
