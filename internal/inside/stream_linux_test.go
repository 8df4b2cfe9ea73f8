//go:build linux

package inside

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// spotIn is a spot in a folder.
func spotIn(dir, name string) Spot {
	return func() (*os.File, string, error) {
		f, err := os.Open(dir)
		return f, name, err
	}
}

// frames puts together what a program in a session may say.
type frames struct{ bytes.Buffer }

func (f *frames) begin(t *testing.T, kind byte, name string) *frames {
	t.Helper()
	if err := (frameWriter{f}).begin(kind, name, 0o755); err != nil {
		t.Fatal(err)
	}
	return f
}

func (f *frames) put(t *testing.T, kind byte, text string) *frames {
	t.Helper()
	if err := (frameWriter{f}).put(kind, []byte(text)); err != nil {
		t.Fatal(err)
	}
	return f
}

// A session that says anything makes nothing outside of the spot that it was given, and
// what is refused is not made.
func TestTakeHostile(t *testing.T) {
	begin := func() *frames { return new(frames).begin(t, frameFolder, "f") }
	for name, say := range map[string]func() *frames{
		"up":       func() *frames { return begin().begin(t, frameFile, "../out").put(t, frameEnd, "") },
		"deep":     func() *frames { return begin().begin(t, frameFile, "a/../../out").put(t, frameEnd, "") },
		"absolute": func() *frames { return begin().begin(t, frameFolder, "/out") },
		"itself": func() *frames {
			return begin().begin(t, frameFolder, "..").begin(t, frameFile, "out").put(t, frameEnd, "")
		},
		"none":   func() *frames { return begin().begin(t, frameFile, "").put(t, frameEnd, "") },
		"NUL":    func() *frames { return begin().begin(t, frameFile, "out\x00").put(t, frameEnd, "") },
		"long":   func() *frames { return begin().begin(t, frameFile, strings.Repeat("x", 256)).put(t, frameEnd, "") },
		"kind":   func() *frames { return begin().put(t, 'k', "{}") },
		"no end": func() *frames { return begin().begin(t, frameFile, "cut").put(t, frameData, "half") },
		"not whole": func() *frames {
			return begin().begin(t, frameFile, "cut").put(t, frameData, "half").begin(t, frameFile, "x")
		},
		"no JSON":  func() *frames { return begin().put(t, frameFile, "{") },
		"large":    func() *frames { f := begin(); f.Write([]byte{frameFile, 0xff, 0xff, 0xff, 0xff}); return f },
		"nothing":  func() *frames { return new(frames) },
		"up first": func() *frames { return new(frames).put(t, frameUp, "") },
		"endless": func() *frames {
			f := begin()
			for range deepest + 1 {
				f.begin(t, frameFolder, "d")
			}
			return f
		},
	} {
		t.Run(name, func(t *testing.T) {
			root := t.TempDir()
			dir := filepath.Join(root, "a", "b")
			if err := os.MkdirAll(dir, 0o755); err != nil {
				t.Fatal(err)
			}
			c := &Copier{}
			if err := c.Take(say(), "shown", spotIn(dir, "made")); err == nil {
				t.Error("it was taken")
			}
			err := filepath.WalkDir(root, func(p string, d os.DirEntry, err error) error {
				if err == nil && !d.IsDir() {
					t.Errorf("%s was made", p)
				}
				return err
			})
			if err != nil {
				t.Error(err)
			}
			for _, p := range []string{root + "/out", root + "/a/out", root + "/a/b/out", "/out"} {
				if _, err := os.Lstat(p); err == nil {
					t.Errorf("%s was made", p)
				}
			}
		})
	}
}

// A link that is there where something is to be made is not followed.
func TestTakeLinks(t *testing.T) {
	root := t.TempDir()
	target := filepath.Join(root, "target")
	if err := errors.Join(os.MkdirAll(root+"/a/made", 0o755), os.MkdirAll(root+"/other", 0o755), os.WriteFile(target, []byte("as it was"), 0o600),
		os.Symlink(target, root+"/a/made/f"), os.Symlink(root+"/other", root+"/a/made/d")); err != nil {
		t.Fatal(err)
	}
	say := new(frames).begin(t, frameFolder, "x").begin(t, frameFile, "f").put(t, frameData, "new").put(t, frameEnd, "").
		begin(t, frameFile, "broken").put(t, frameBroken, "no").begin(t, frameFolder, "d").begin(t, frameFile, "in").put(t, frameEnd, "")
	c := &Copier{}
	if err := c.Take(say, "shown", spotIn(root+"/a", "made")); err == nil {
		t.Error("a folder was made where a link is")
	}
	if got, err := os.ReadFile(target); err != nil || string(got) != "as it was" {
		t.Errorf("the link's target has %q, %v", got, err)
	}
	if got, err := os.ReadFile(root + "/a/made/f"); err != nil || string(got) != "new" {
		t.Errorf("the file has %q, %v", got, err)
	}
	if all, err := os.ReadDir(root + "/other"); err != nil || len(all) > 0 {
		t.Errorf("there is %v, %v", all, err)
	}
	if len(c.Left) != 1 || !strings.Contains(c.Left[0], "shown/broken") {
		t.Errorf("left out: %q", c.Left)
	}
}

// What one side sends the other makes.
func TestSendTake(t *testing.T) {
	root := t.TempDir()
	large := strings.Repeat("0123456789", 20_000)
	if err := errors.Join(os.MkdirAll(root+"/from/d/e", 0o755), os.WriteFile(root+"/from/d/f", []byte(large), 0o640), os.WriteFile(root+"/from/empty", nil, 0o600),
		os.Symlink("/", root+"/from/l")); err != nil {
		t.Fatal(err)
	}
	src, err := os.Open(root + "/from")
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	var wire bytes.Buffer
	sent, taken := &Copier{}, &Copier{}
	if err := sent.Send(src, "from", &wire); err != nil {
		t.Fatal(err)
	}
	if err := taken.Take(&wire, "from", spotIn(root, "to")); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(root + "/to/d/f"); err != nil || string(got) != large {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	if fi, err := os.Stat(root + "/to/d/f"); err != nil || fi.Mode() != 0o640 {
		t.Errorf("%v, %v", fi, err)
	}
	if fi, err := os.Stat(root + "/to/d/e"); err != nil || !fi.IsDir() {
		t.Errorf("%v, %v", fi, err)
	}
	if taken.Files != 2 || taken.Bytes != int64(len(large)) || len(sent.Left) != 1 || wire.Len() > 0 {
		t.Errorf("%+v, %+v, %d bytes left", sent, taken, wire.Len())
	}
}

// A result is bounded, and what is not known of it is not passed on.
func TestReadResult(t *testing.T) {
	for _, text := range []string{"", "{", `{"errno": -1}`, `{"errno": 4096}`} {
		if r, err := ReadResult(strings.NewReader(text)); err == nil {
			t.Errorf("%q: %+v", text, r)
		}
	}
	if _, err := ReadResult(io.LimitReader(endless{}, 1<<40)); err == nil || !strings.Contains(err.Error(), "too much") {
		t.Errorf("of what does not end: %v", err)
	}
	r, err := ReadResult(strings.NewReader(`{"error": "\u001b[2J", "errno": 2, "entry": {"type": "\u001b"}, "page": {"entries": [{"type": "file"}, {"type": "x"}]}}`))
	if err != nil || r.Entry.Type != "unknown" || r.Page.Entries[0].Type != "file" || r.Page.Entries[1].Type != "unknown" {
		t.Errorf("%+v, %v", r, err)
	}
	failed := r.Failed(func(s string) string { return strings.ReplaceAll(s, "\x1b", "^") })
	if !errors.Is(failed, os.ErrNotExist) || failed.Error() != "^[2J" {
		t.Errorf("%v", failed)
	}
}

// endless never ends.
type endless struct{}

func (endless) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = ' '
	}
	return len(b), nil
}

// Whatever comes, nothing is made but beneath the spot.
func FuzzTake(f *testing.F) {
	f.Add([]byte{frameFolder, 0, 0, 0, 2, '{', '}'})
	f.Fuzz(func(t *testing.T, text []byte) {
		root := t.TempDir()
		if err := os.Mkdir(root+"/in", 0o755); err != nil {
			t.Fatal(err)
		}
		_ = (&Copier{}).Take(bytes.NewReader(text), "shown", spotIn(root+"/in", "made"))
		if all, err := os.ReadDir(root); err != nil || len(all) != 1 {
			t.Errorf("%v, %v", all, err)
		}
		if all, err := os.ReadDir(root + "/in"); err != nil || len(all) > 1 {
			t.Errorf("%v, %v", all, err)
		}
	})
}
