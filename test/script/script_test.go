// Package script_test runs the command line as people do: the real binary, its
// output and its exit status. Each file in testdata is a session at a shell
// (see github.com/rogpeppe/go-internal/testscript); what a script cannot say,
// such as a terminal or a path that is not UTF-8, is a test in Go beside it.
package script_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// binary is the ambit that is tested.
var binary string

func TestMain(m *testing.M) {
	status := withBinary(m)
	removeFetched()
	os.Exit(status)
}

// withBinary runs the tests with AMBIT_BIN, or with a binary that it builds.
func withBinary(m *testing.M) int {
	if binary = os.Getenv("AMBIT_BIN"); binary != "" {
		return m.Run()
	}
	dir, err := os.MkdirTemp("", "ambit-script-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	if err := os.Chmod(dir, 0o755); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	binary = filepath.Join(dir, "ambit")
	build := exec.Command("go", "build", "-ldflags=ambit.dev/ambit/cmd/ambit=-E=ambit.dev/ambit/internal/entry.Entry", "-o", dir, "ambit.dev/ambit/cmd/...")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build ambit: %v\n%s", err, out)
		return 1
	}
	return m.Run()
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(env *testscript.Env) error {
			home := filepath.Join(env.WorkDir, "home")
			if err := os.MkdirAll(home, 0o755); err != nil {
				return err
			}
			for _, kv := range environment(home, filepath.Join(env.WorkDir, "state")) {
				name, value, _ := strings.Cut(kv, "=")
				env.Setenv(name, value)
			}
			return nil
		},
		Condition: func(name string) (bool, error) {
			switch name {
			case "root":
				return os.Getuid() == 0, nil
			case "fuse":
				return opensDevice("/dev/fuse"), nil
			case "cgroup":
				return limitsTheWhole(), nil
			}
			return false, fmt.Errorf("unknown condition %q", name)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"status": status,
			"id":     saveID,
		},
	})
}

// environment is that of every ambit that is tested: nothing of the person who
// runs the tests.
func environment(home, state string) []string {
	return []string{
		"HOME=" + home, "AMBIT_STATE_DIR=" + state, "USER=tester", "LANG=C.UTF-8", "TERM=dumb", "TZ=UTC", "NO_COLOR=1",
		"PATH=" + filepath.Dir(binary) + ":/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", "TMPDIR=" + os.TempDir(),
	}
}

// status runs a command and wants this exit status: `status 125 ambit run`.
func status(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: status N program [args...]")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	err = ts.Exec(args[1], args[2:]...)
	got := 0
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		got = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if got != want {
		ts.Fatalf("exit status %d, want %d", got, want)
	}
}

// saveID puts the first id with a prefix that the last command printed into a
// variable: `id d ID`.
func saveID(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: id prefix VARIABLE")
	}
	text := ts.ReadFile("stdout") + ts.ReadFile("stderr")
	for _, word := range strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune(" \n[]():,\"", r) }) {
		if strings.HasPrefix(word, args[0]+"-") && len(word) == len(args[0])+11 {
			ts.Setenv(args[1], word)
			return
		}
	}
	ts.Fatalf("no id with the prefix %s- was printed", args[0])
}

// limitsTheWhole reports whether bounds are kept by control group here: the plan
// then names none that is kept in the weaker way.
var limitsTheWhole = sync.OnceValue(func() bool {
	dir, err := os.MkdirTemp("", "ambit-script-")
	if err != nil {
		return false
	}
	defer os.RemoveAll(dir)
	out, err := exec.Command(binary, "--state-dir", dir, "run", "--limit", "memory=64M", "--plan", "--", "true").Output()
	return err == nil && !strings.Contains(string(out), `"weaker"`)
})

// bench is one place to try things at: a home and a state of its own.
type bench struct {
	t    *testing.T
	dir  string // the working directory
	home string
	env  []string
}

func newBench(t *testing.T) *bench {
	t.Helper()
	root, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{t: t, dir: filepath.Join(root, "work"), home: filepath.Join(root, "home")}
	for _, d := range []string{b.dir, b.home} {
		if err := os.Mkdir(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	b.env = environment(b.home, filepath.Join(root, "state"))
	t.Cleanup(func() { removeLater(t, root) })
	return b
}

// patience is how long a busy machine may take for anything here.
const patience = time.Minute

// removeLater removes a folder where something may still be written: what a killed
// launcher has beside it closes its files a moment later.
func removeLater(t *testing.T, root string) {
	t.Helper()
	err := os.RemoveAll(root)
	for end := time.Now().Add(patience); err != nil && time.Now().Before(end); err = os.RemoveAll(root) {
		time.Sleep(20 * time.Millisecond)
	}
	if err != nil {
		t.Error(err)
	}
}

// command is an ambit with these arguments.
func (b *bench) command(args ...string) *exec.Cmd {
	ctx, cancel := context.WithTimeout(context.Background(), 3*patience) // what hangs is ended before the test program is
	b.t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, binary, args...)
	cmd.Dir, cmd.Env = b.dir, b.env
	return cmd
}

// ran is what a command came to.
type ran struct {
	status   int
	out, err string
}

func (b *bench) run(args ...string) ran {
	b.t.Helper()
	return b.finish(b.command(args...))
}

func (b *bench) finish(cmd *exec.Cmd) ran {
	b.t.Helper()
	var out, errOut strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &errOut
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		b.t.Fatalf("%q: %v", cmd.Args, err)
	}
	return ran{cmd.ProcessState.ExitCode(), out.String(), errOut.String()}
}

// write makes a file in the working directory.
func (b *bench) write(name, content string) string {
	b.t.Helper()
	path := filepath.Join(b.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		b.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		b.t.Fatal(err)
	}
	return path
}

// want fails unless the command ended so, and printed this.
func (r ran) want(t *testing.T, status int, parts ...string) {
	t.Helper()
	if r.status != status {
		t.Fatalf("exit status %d, want %d\n%s", r.status, status, r.out+r.err)
	}
	for _, part := range parts {
		if !strings.Contains(r.out+r.err, part) {
			t.Fatalf("got\n%s\nwant %q in it", r.out+r.err, part)
		}
	}
}
