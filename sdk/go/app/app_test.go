package app_test

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ambit.dev/ambit/examples/apps/words/want"
	"ambit.dev/ambit/sdk/go/app"
)

// The example's manifest is what its values say, and what no host takes is refused.
func TestManifest(t *testing.T) {
	t.Parallel()
	there, err := os.ReadFile("../../../examples/apps/words/ambit.json")
	if err != nil {
		t.Fatal(err)
	}
	made, err := want.Manifest.JSON()
	if err != nil || string(made) != string(there) {
		t.Errorf("%v: %s\nrun go generate ./examples/apps/...", err, made)
	}
	for name, change := range map[string]func(*app.Manifest){
		"no id":            func(m *app.Manifest) { m.ID = "" },
		"an unknown kind":  func(m *app.Manifest) { m.Kind = "game" },
		"a want of naught": func(m *app.Manifest) { m.Wants = append(m.Wants, app.Want{Reason: "none"}) },
		"a wrong limit":    func(m *app.Manifest) { m.Limits = map[string]string{"memory": "much"} },
	} {
		m := want.Manifest
		change(&m)
		if text, err := m.JSON(); err == nil {
			t.Errorf("%s: %s", name, text)
		}
	}
}

// Outside a sandbox what was obtained is what the user may do; what is refused and not
// optional is an error that names it.
func TestObtain(t *testing.T) {
	t.Parallel()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	there, none := filepath.Join(dir, "there"), filepath.Join(dir, "none")
	if err := os.WriteFile(there, []byte("text"), 0o600); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	gone, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody := gone.Addr().String()
	gone.Close()
	wants := []app.Want{}
	states := []app.State{}
	for _, c := range []struct {
		text string
		want app.State
	}{
		{"fs.read:" + there, app.Held}, {"fs.read:" + dir, app.Held}, {"fs.read:" + none, app.Refused},
		{"fs.write:" + there, app.Held}, {"fs.write:" + none, app.Refused}, {"fs.write:" + dir, app.Held}, {"fs.append:" + filepath.Join(none, "x"), app.Refused},
		{"fs.read:" + dir + "/*.txt", app.Untried}, {"process.spawn:/usr/bin/git", app.Untried}, {"net.connect:*", app.Untried},
		{"net.connect:" + l.Addr().String(), app.Held}, {"net.connect:" + nobody, app.Refused},
	} {
		wants, states = append(wants, app.Want{Capability: app.Must(c.text), Optional: c.want == app.Refused}), append(states, c.want)
	}
	got, err := app.Obtain(t.Context(), wants...)
	if err != nil {
		t.Error(err)
	}
	for i, o := range got.Outcomes {
		if o.State != states[i] || o.Want != wants[i] || (o.Err != nil) != (o.State == app.Refused) || o.State != app.Refused && !got.Set.Covers(o.Want.Capability) {
			t.Errorf("%s: %v, %v", o.Want.Capability.Display(), o.State, o.Err)
		}
	}
	if n := len(got.Refused()); n != 4 {
		t.Errorf("%d are refused", n)
	}
	if text, err := os.ReadFile(there); err != nil || string(text) != "text" {
		t.Errorf("trying changed the file: %q %v", text, err)
	}
	if _, err := os.Stat(none); !os.IsNotExist(err) {
		t.Errorf("trying made a file: %v", err)
	}
	_, err = app.Obtain(t.Context(), app.Want{Capability: app.Must("fs.read:" + none)})
	if !errors.Is(err, app.ErrMissing) || !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), none) {
		t.Errorf("what is missing: %v", err)
	}
}

// A narrower set has nothing that the wider one has not, says so, and refuses the rest
// before anything is opened.
func TestNarrow(t *testing.T) {
	t.Parallel()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	file, other := filepath.Join(dir, "in", "file"), filepath.Join(dir, "other")
	if err := errors.Join(os.Mkdir(filepath.Dir(file), 0o700), os.WriteFile(file, nil, 0o600), os.WriteFile(other, nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	got, err := app.Obtain(t.Context(), app.Want{Capability: app.Must("fs.write:" + filepath.Dir(file))})
	if err != nil {
		t.Fatal(err)
	}
	narrow, beyond := got.Set.Narrow(app.Must("fs.read:"+file), app.Must("fs.read:"+other), app.Must("net.connect:example.org:443"))
	if len(narrow.Has()) != 1 || len(beyond) != 2 {
		t.Errorf("it has %v, and is tighter by %v", narrow.Has(), beyond)
	}
	if f, err := narrow.Open(file); err != nil {
		t.Error(err)
	} else {
		f.Close()
	}
	wider, more := narrow.Narrow(app.Must("fs.write:" + file))
	if len(more) != 1 || len(wider.Has()) != 0 {
		t.Errorf("a narrow set gives more than it has: %v", wider.Has())
	}
	for what, err := range map[string]error{
		"another file":    second(narrow.Open(other)),
		"a way out":       second(narrow.Open(filepath.Join(filepath.Dir(file), "..", "other"))),
		"writing":         second(narrow.Create(file)),
		"a connection":    second(narrow.Dial(context.Background(), "127.0.0.1:1")),
		"of the zero set": second(app.Set{}.Open(file)),
		"of two":          second(got.Set.Create(other)),
	} {
		if !errors.Is(err, app.ErrBeyond) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func second[T any](_ T, err error) error { return err }
