package escape_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// F39: what is asked about is replaced while the person reads the question. What
// was shown is attached, or nothing. A later touch is another one, and decided by
// its path (F44).
func TestF39ReplacedWhileAsked(t *testing.T) {
	t.Parallel()
	for name, replace := range map[string]func(f *field, asked string) error{
		"by a link": func(f *field, asked string) error {
			return firstError(os.Remove(asked), os.Symlink(f.Canary, asked))
		},
		"by a link, renamed over it": func(f *field, asked string) error {
			return firstError(os.Symlink(f.Canary, asked+".new"), os.Rename(asked+".new", asked))
		},
		"by the file": func(f *field, asked string) error { return os.Rename(f.Canary, asked) },
		"by a hard link": func(f *field, asked string) error {
			return firstError(os.Remove(asked), os.Link(f.Canary, asked))
		},
		"by a directory": func(f *field, asked string) error {
			return firstError(os.Remove(asked), os.Rename(f.Outside, asked))
		},
		"its directory by a link": func(f *field, asked string) error {
			dir := filepath.Dir(asked)
			return firstError(os.Rename(dir, dir+".old"), os.Symlink(f.Outside, dir), os.Link(f.Canary, filepath.Join(f.Outside, filepath.Base(asked))))
		},
		"its directory by another": func(f *field, asked string) error {
			dir := filepath.Dir(asked)
			return firstError(os.Rename(dir, dir+".old"), os.Rename(f.Outside, dir), os.Link(filepath.Join(dir, "canary"), asked))
		},
		"by nothing": func(_ *field, asked string) error { return os.Remove(asked) },
	} {
		for way, touch := range map[string]string{
			"read":  `cat "$ASKED"`,
			"write": `sh -c 'echo changed >> "$ASKED"'`,
			"run":   `"$ASKED"`,
		} {
			t.Run(name+", "+way, func(t *testing.T) {
				eachWayToAsk(t, func(t *testing.T, f *field) {
					asked := filepath.Join(f.Dir, "asked", "file")
					f.put(t, asked, "asked\n")
					if err := os.Chmod(asked, 0o755); err != nil {
						t.Fatal(err)
					}
					f.flags = append(f.flags, "--env", "ASKED="+asked)
					s := f.begin(t, "echo ready; "+touch+"; true")
					q := f.asked(t)
					if err := replace(f, asked); err != nil {
						t.Fatal(err)
					}
					if out, status := f.person(t, "approve", q.ID); status != 0 && status != 125 {
						t.Errorf("approve: %d %s", status, out)
					}
					for _, more := range f.questions(t) { // of what is there now, by its own name
						f.person(t, "deny", more.ID) // it may be over by then
					}
					f.deny(t, s)
					if text := s.out.String(); strings.Contains(text, f.token) {
						t.Errorf("F39: what was put in its place was read: %s", text)
					}
					f.unharmed(t, q.Capability)
				})
			})
		}
	}
}

// deny answers no to whatever a program still asks, until it ends.
func (f *field) deny(t *testing.T, s *started) {
	t.Helper()
	ended := make(chan struct{}, 1)
	go func() {
		_ = s.cmd.Wait() // as it was refused something
		ended <- struct{}{}
	}()
	if !f.within(longest, func() bool {
		for _, q := range f.questions(t) {
			f.person(t, "deny", q.ID) // it may be over by then
		}
		return len(ended) > 0
	}) {
		t.Errorf("it does not end: %s", s.out)
		_ = s.cmd.Process.Kill()
	}
	<-ended
}

// unharmed looks for the canary wherever it was moved to.
func (f *field) unharmed(t *testing.T, what string) {
	t.Helper()
	found := 0
	err := filepath.WalkDir(f.Dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		if text, err := os.ReadFile(path); err == nil && strings.Contains(string(text), f.token) && !strings.HasPrefix(path, f.Home) {
			found++
			if string(text) != f.token+"\n" {
				t.Errorf("F39: %s was asked about, and %s was changed: %q", what, path, text)
			}
		}
		return nil
	})
	if err != nil || found == 0 {
		t.Errorf("the canary is nowhere: %v", err)
	}
}

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
