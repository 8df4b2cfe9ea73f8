package microvm

import (
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"ambit.dev/ambit/internal/enforce"
)

// broken is a channel that ends in the middle of a file.
type broken struct{ io.Reader }

func (b broken) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

// TestSingleWhole: a file that was granted alone stays as it is until all of the new one
// is here, is changed in its place then, and keeps what else names it.
func TestSingleWhole(t *testing.T) {
	dir := t.TempDir()
	name := dir + "/file"
	if err := errors.Join(os.WriteFile(name, []byte("old and longer\n"), 0o640), os.Link(name, dir+"/other")); err != nil {
		t.Fatal(err)
	}
	tree, err := openTree(0, enforce.Entry{Op: enforce.OpBind, Path: name, Source: name, Write: true}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer tree.close()
	fi, err := os.Stat(name)
	if err != nil {
		t.Fatal(err)
	}
	_, tree.has["."] = node(".", fi)
	c := &collector{tally: newTally(1 << 20), t: tree}
	is := func(want string) {
		t.Helper()
		for _, n := range []string{name, dir + "/other"} {
			if text, err := os.ReadFile(n); err != nil || string(text) != want {
				t.Errorf("%s has %q %v, want %q", n, text, err, want)
			}
		}
	}
	if err := c.single(broken{strings.NewReader("half")}); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("half of it: %v", err)
	}
	is("old and longer\n")
	for _, text := range []string{"new\n", "new\n", "newer, and longer than it was\n"} {
		if err := errors.Join(c.single(strings.NewReader(text)), c.err()); err != nil {
			t.Errorf("%q: %v", text, err)
		}
		is(text)
	}
	left, err := os.Stat(name)
	if err != nil {
		t.Fatal(err)
	}
	for what, host := range map[string]struct {
		text string
		when time.Time
	}{
		"its time": {strings.Repeat("h", int(left.Size())), left.ModTime().Add(time.Second)},
		"its size": {"the host's\n", left.ModTime()},
	} {
		if err := errors.Join(os.WriteFile(name, []byte(host.text), 0o640), os.Chtimes(name, host.when, host.when)); err != nil {
			t.Fatal(err)
		}
		c := &collector{tally: newTally(1 << 20), t: tree}
		if err := c.single(strings.NewReader("the guest's\n")); err != nil || c.err() == nil {
			t.Errorf("changed on both sides, %s: %v %v", what, err, c.err())
		}
		is(host.text)
	}
}
