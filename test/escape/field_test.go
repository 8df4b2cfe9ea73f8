package escape_test

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A field is where one try happens: a part of the host, with what is granted
// and what is not. It is handed to the attempting process as JSON.
type field struct {
	Dir     string            `json:"dir"`     // all of it
	Outside string            `json:"outside"` // nothing grants it
	Canary  string            `json:"canary"`  // a file in Outside
	Home    string            `json:"home"`    // the person's home; nothing grants it
	Work    string            `json:"work"`    // granted for writing; holds "file"
	Read    string            `json:"read"`    // granted for reading; holds "file"
	Inside  bool              `json:"inside"`
	Values  map[string]string `json:"values"` // what Setup wants to tell the tries

	token string // what the canary says; the attempting process never knows it
	mark  string // a variable in the environment of everything started here
	note  strings.Builder
	flags []string
	env   []string              // further variables of the launcher
	extra []*os.File            // descriptors from 3 on of the launcher
	stdin *os.File              // nil: /dev/null
	pack  string                // a pack to run instead of the attacker
	base  func() []string       // instead of the usual grants
	start func(t *testing.T)    // the end of Setup
	came  *counter              // who reached a server of the host
	stage *stage                // nil: the host's own network
	tier  string                // that its programs run in
	were  map[string]fileStatus // what must stay as it was
}

func newField(t *testing.T) *field {
	t.Helper()
	return newFieldIn(t, t.TempDir())
}

func newFieldIn(t *testing.T, dir string) *field {
	t.Helper()
	differs(t, tierUnderTest()).skip(t)
	dir, err := filepath.EvalSymlinks(dir)
	if err != nil {
		t.Fatal(err)
	}
	f := &field{Dir: dir, Values: map[string]string{}, token: "token-" + random(), mark: random(), came: &counter{}}
	// What a killed launcher has beside it has no mark, and closes its files a
	// moment later.
	t.Cleanup(func() { f.within(longest, func() bool { return os.RemoveAll(dir) == nil }) })
	for _, d := range []struct {
		to   *string
		name string
	}{{&f.Outside, "outside"}, {&f.Home, "home"}, {&f.Work, "work"}, {&f.Read, "read"}} {
		*d.to = filepath.Join(dir, d.name)
		if err := os.Mkdir(*d.to, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	f.Canary = filepath.Join(f.Outside, "canary")
	f.put(t, f.Canary, f.token+"\n")
	f.put(t, filepath.Join(f.Home, ".ssh", "id"), f.token+"\n")
	f.put(t, filepath.Join(f.Work, "file"), "work\n")
	f.put(t, filepath.Join(f.Read, "file"), "read\n")
	f.guard(t, f.Canary)
	f.guard(t, filepath.Join(f.Read, "file"))
	f.entered(t, tierUnderTest())
	return f
}

func random() string {
	b := make([]byte, 8)
	if _, err := rand.Read(b); err != nil {
		panic(err)
	}
	return hex.EncodeToString(b)
}

// put writes a file and makes the directories above it.
func (f *field) put(t *testing.T, path, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

// secret writes a file beneath Work that says the token and must stay as it is.
func (f *field) secret(t *testing.T, name string) string {
	t.Helper()
	path := filepath.Join(f.Work, name)
	f.put(t, path, f.token+"\n")
	f.guard(t, path)
	return path
}

func (f *field) work(name string) string { return filepath.Join(f.Work, name) }
func (f *field) read(name string) string { return filepath.Join(f.Read, name) }

// fileStatus is what must not change.
type fileStatus struct {
	content, attributes string
	mode                uint32
	uid, gid            uint32
	ino                 uint64
	mtime               unix.Timespec
}

func look(path string) (s fileStatus, err error) {
	var st unix.Stat_t
	if err := unix.Lstat(path, &st); err != nil {
		return s, err
	}
	s = fileStatus{mode: st.Mode, uid: st.Uid, gid: st.Gid, ino: st.Ino, mtime: st.Mtim}
	content, err := os.ReadFile(path)
	s.content = string(content)
	names := make([]byte, 4096)
	if n, err := unix.Llistxattr(path, names); err == nil {
		s.attributes = string(names[:n])
	}
	return s, err
}

// guard remembers how the file at path is now.
func (f *field) guard(t *testing.T, path string) {
	t.Helper()
	s, err := look(path)
	if err != nil {
		t.Fatal(err)
	}
	if f.were == nil {
		f.were = map[string]fileStatus{}
	}
	f.were[path] = s
}

// harm says what happened to what was guarded.
func (f *field) harm() string {
	for path, was := range f.were {
		if is, err := look(path); err != nil || is != was {
			return fmt.Sprintf("%s was %+v and is %+v (%v)", path, was, is, err)
		}
	}
	return ""
}

// environ is the environment of what is started here.
func (f *field) environ() []string {
	return append([]string{"PATH=/usr/bin:/bin:/usr/sbin:/sbin", "HOME=" + f.Home, "LANG=C.UTF-8", "USER=u",
		"AMBIT_STATE_DIR=" + filepath.Join(f.Dir, "state"), "TMPDIR=" + filepath.Dir(scratch), "AMBIT_ESCAPE=" + f.mark,
		race}, f.env...)
}

// race is for attempting processes that are built with the race detector: it
// waits a second at the end of each, and races there are meant.
const race = "GORACE=atexit_sleep_ms=0 exitcode=0"

// box is a command that runs argv inside.
func (f *field) box(t testing.TB, argv ...string) *exec.Cmd {
	t.Helper()
	args := append([]string{"run", "--env", "AMBIT_ESCAPE", "--env", race}, f.tierFlags()...)
	if f.base != nil {
		args = append(args, f.base()...)
	} else {
		args = append(args, "--allow", "fs.write:"+f.Work, "--allow", "fs.read:"+f.Read)
	}
	args = append(append(args, f.flags...), "--")
	cmd := exec.Command(ambit(t), append(args, argv...)...)
	f.fit(cmd)
	return cmd
}

// fit gives a command its surroundings.
func (f *field) fit(cmd *exec.Cmd) {
	cmd.Dir, cmd.Env, cmd.ExtraFiles = f.Work, f.environ(), f.extra
	if f.stdin != nil {
		cmd.Stdin = f.stdin
	}
	if f.stage != nil {
		f.stage.wrap(cmd, filepath.Join(scratch, "attacker"))
	}
}

// words are the command line of the attempting process.
func (f *field) words(t *testing.T, y try) []string {
	t.Helper()
	name, _, _ := strings.Cut(t.Name(), "/")
	text, err := json.Marshal(f)
	if err != nil {
		t.Fatal(err)
	}
	words := []string{attacker(t), "attempt", name, y.Name, string(text)}
	if y.Sh != "" {
		words = []string{"/bin/sh", "-c", y.Sh}
	}
	return words
}

// variables tells scripts what the field is.
func (f *field) variables() (env []string) {
	env = []string{"OUTSIDE=" + f.Outside, "CANARY=" + f.Canary, "WORK=" + f.Work, "READ=" + f.Read, "PERSON=" + f.Home}
	for name, value := range f.Values {
		env = append(env, strings.ToUpper(name)+"="+value)
	}
	return env
}

func (f *field) outside(t *testing.T, y try) outcome {
	t.Helper()
	words := f.words(t, y)
	cmd := exec.Command(words[0], words[1:]...)
	f.fit(cmd)
	cmd.Env = append(append(cmd.Env, f.variables()...), "PATIENCE=60")
	return f.finish(t, y, cmd)
}

func (f *field) inside(t *testing.T, y try) outcome {
	t.Helper()
	f.Inside = true
	flags := f.flags
	defer func() { f.flags = flags }()
	for _, v := range f.variables() {
		f.flags = append(f.flags, "--env", v)
	}
	words := f.words(t, y)
	if f.pack != "" {
		words = words[1:]
		f.flags = append(f.flags, "--pack", f.pack)
	}
	o := f.finish(t, y, f.box(t, words...))
	f.nothingLeft(t)
	return o
}

// longest is how long anything here may take that has to happen: no test waits for
// that long where it does.
const longest = time.Minute

// finish runs a command and reads what it says.
func (f *field) finish(t *testing.T, y try, cmd *exec.Cmd) (o outcome) {
	t.Helper()
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	cmd.WaitDelay = longest
	done := f.aMachine()
	begin := time.Now()
	err := endedWithin(cmd, f.patient(longest))
	took := time.Since(begin)
	done()
	if took > f.patient(longest) {
		t.Errorf("it hung: %s", out.String())
	}
	o.said = out.String()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) && !errors.Is(err, exec.ErrWaitDelay) {
		t.Fatal(err)
	}
	if y.Sh != "" {
		o.Done, o.exit = err == nil, exitStatus(err)
		if f.Inside && (o.exit == 125 || o.exit == 126) && y.Want.launch == "" {
			t.Fatalf("it was not started, which proves nothing: %s", o.said)
		}
		o.Detail, o.Took = fmt.Sprint(err), 0
		return o
	}
	for line := range strings.Lines(o.said) {
		if strings.HasPrefix(line, `{"done"`) {
			if err := json.Unmarshal([]byte(line), &o); err != nil {
				t.Fatal(err)
			}
			return o
		}
	}
	if exit != nil && exit.Sys().(interface{ Signaled() bool }).Signaled() {
		o.ended = unix.Signal(exit.Sys().(interface{ Signal() unix.Signal }).Signal())
	} else if exit != nil && exit.ExitCode() > 128 {
		o.ended = unix.Signal(exit.ExitCode() - 128)
	} else if exit != nil && exit.ExitCode() == 125 && y.Want.launch != "" {
		o.exit = 125
	} else {
		t.Fatalf("it said nothing (%v):\n%s", err, o.said)
	}
	return o
}

// ended runs cmd and kills it if it hangs.
func ended(cmd *exec.Cmd) error { return endedWithin(cmd, longest) }

func endedWithin(cmd *exec.Cmd, longest time.Duration) error {
	if err := cmd.Start(); err != nil {
		return err
	}
	stop := time.AfterFunc(longest, func() { _ = cmd.Process.Kill() })
	defer stop.Stop()
	return cmd.Wait()
}
