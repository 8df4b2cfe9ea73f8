package keep_test

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"ambit.dev/ambit/internal/keep"
)

// launcher makes a program that says what it was told while it stood by, and what
// its arguments are where it did not stand by.
func launcher(t *testing.T) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "launcher")
	text := "#!/bin/sh\nif [ \"$2\" = --standby ]; then echo >&5; exec 5>&-; told=$(cat <&3); if [ -z \"$(cat <&4 | tr '\\n' c)\" ]; then told=\"not $told\"; fi; echo \"$told\" | tee -a $0.told; echo bad >&2; exit 3; fi\ncat\necho alone \"$@\"\n"
	if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

// telling is where a text stands, and no more comes.
func telling(t *testing.T, text string) *os.File {
	t.Helper()
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = read.Close() })
	if _, err := write.WriteString(text); err != nil {
		t.Fatal(err)
	}
	if err := write.Close(); err != nil {
		t.Fatal(err)
	}
	return read
}

// stand is what a keeper has whose host says name, and tells the launcher of a job.
func stand(t *testing.T, name string, j keep.Job) (s keep.Stand, stands *os.File) {
	t.Helper()
	text := []byte{}
	if l, ok := j.Launch(); ok {
		text, _ = json.Marshal(l)
	}
	stands, own, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = stands.Close() })
	return keep.Stand{Name: telling(t, name), Launch: telling(t, string(text)), Stands: own}, stands
}

func TestStandBy(t *testing.T) {
	dir, path := t.TempDir(), launcher(t)
	for _, c := range []struct {
		name, out, bad string
		job            keep.Job
		exit           int
		told           bool
	}{
		{"told", `{"args":["run","--","a b"],"dir":"/usr"}` + "\n", "bad\n", keep.Job{Path: path, Args: []string{"run", "--", "a b"}, Dir: "/usr"}, 3, true},
		{"input", "in\nalone run\n", "", keep.Job{Path: path, Args: []string{"run"}, Dir: "/", Stdin: []byte("in\n")}, 0, false},
		{"another", "run\n", "", keep.Job{Path: "/bin/echo", Args: []string{"run"}, Dir: "/"}, 0, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			at := filepath.Join(dir, c.name)
			if err := keep.Put(at, c.job); err != nil {
				t.Fatal(err)
			}
			name := c.name + "\n"
			if c.told {
				name = c.name + " " + keep.Told + "\n"
			}
			s, stands := stand(t, name, c.job)
			if err := keep.StandBy(s, path, "/state", dir, bound); err != nil {
				t.Fatal(err)
			}
			if said, err := io.ReadAll(stands); err != nil || string(said) != "\n" {
				t.Errorf("that it stands was said by %q, %v", said, err)
			}
			if out, bad := all(t, at); out != c.out || bad != c.bad {
				t.Errorf("kept %q and %q, want %q and %q", out, bad, c.out, c.bad)
			}
			if end := wantState(t, at, keep.Ended); end.Exit != c.exit {
				t.Errorf("it ended with %d, want %d", end.Exit, c.exit)
			}
			s, _ = stand(t, name, c.job)
			if err := keep.StandBy(s, path, "/state", dir, bound); !errors.Is(err, keep.ErrBegun) {
				t.Errorf("a second time: %v, want %v", err, keep.ErrBegun)
			}
			if was, _ := os.ReadFile(path + ".told"); c.name == "told" && string(was) != c.out+"not "+c.out {
				t.Errorf("the two launchers were told %q: only the first job is its launcher's own", was)
			}
		})
	}
	dead := filepath.Join(t.TempDir(), "dead")
	if err := os.WriteFile(dead, []byte("#!/bin/sh\nexit 0\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	s, _ := stand(t, "", keep.Job{})
	told, tell, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer tell.Close()
	defer told.Close()
	s.Name = told
	if err := keep.StandBy(s, dead, "/state", dir, bound); err != nil { // it returns, though nothing was told
		t.Errorf("the launcher has ended: %v", err)
	}
	s, _ = stand(t, "", keep.Job{})
	if err := keep.StandBy(s, path, "/state", dir, bound); err != nil {
		t.Errorf("nothing was to be run: %v", err)
	}
}
