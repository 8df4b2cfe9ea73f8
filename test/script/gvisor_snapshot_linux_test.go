package script_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// waiting is a session whose program counts what it is told, and how it is spoken to.
func (b *bench) waiting(flags ...string) (x *background, session string, feed io.WriteCloser) {
	b.t.Helper()
	args := append(append([]string{"run"}, flags...), "--", "sh", "-c", `echo ready; n=0; while read w; do n=$((n+1)); echo "$w $n"; done; exit $n`)
	f, err := os.Create(filepath.Join(b.t.TempDir(), "output"))
	if err != nil {
		b.t.Fatal(err)
	}
	x = &background{Cmd: b.command(args...), t: b.t, file: f}
	x.Stdout, x.Stderr = f, f
	if feed, err = x.StdinPipe(); err != nil {
		b.t.Fatal(err)
	}
	if err := x.Start(); err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() {
		_ = x.Process.Kill() // it may have ended
		_ = x.Wait()
		_ = f.Close() // it was read by its name
	})
	x.until("ready")
	for end := time.Now().Add(time.Minute); session == ""; time.Sleep(20 * time.Millisecond) {
		for line := range strings.Lines(b.run("ps").out) {
			if strings.HasPrefix(line, "s-") && b.run("session", "show", strings.Fields(line)[0]).status == 0 {
				session = strings.Fields(line)[0]
			}
		}
		if time.Now().After(end) {
			b.t.Fatal("the session is not listed")
		}
	}
	return x, session, feed
}

// A session goes on from a snapshot, under the same plan only, from a file that
// nobody has changed; its files are those of now.
func TestGVisorSnapshot(t *testing.T) {
	b := newBench(t)
	dir, file := filepath.Join(b.dir, "granted"), filepath.Join(b.dir, "snapshot")
	if err := errors.Join(os.MkdirAll(dir, 0o755), os.WriteFile(filepath.Join(dir, "file"), []byte("x"), 0o644)); err != nil {
		t.Fatal(err)
	}
	b.run("grants", "add", "fs.read:"+dir).want(t, 0)
	x, session, feed := b.waiting("--tier", "gvisor")
	if _, err := feed.Write([]byte("a\n")); err != nil {
		t.Fatal(err)
	}
	x.until("a 1")
	b.run("snapshot", session, file).want(t, 0)
	b.run("snapshot", session, file).want(t, 125, "is there already")
	if st, err := os.Stat(file); err != nil || st.Mode() != 0o600 {
		t.Errorf("got %v %v", st, err)
	}
	_ = feed.Close()
	x.ends("it did not go on")

	goOn := func(path string) ran {
		cmd := b.command("restore", path)
		cmd.Stdin = strings.NewReader("b\nc\n")
		return b.finish(cmd)
	}
	if r := goOn(file); r.status != 3 || r.out != "b 2\nc 3\n" {
		t.Errorf("got %d %q %q", r.status, r.out, r.err)
	}
	b.run("audit", "ls", "--kind", "session.restore").want(t, 0, "goes on from a snapshot of "+session)
	b.run("audit", "ls", "--kind", "session.snapshot").want(t, 0, "its state is kept")

	refused := func(why string, path string) {
		t.Helper()
		if r := goOn(path); r.status == 3 || r.out != "" || !strings.Contains(r.err, why) {
			t.Errorf("%s: got %d %q %q", why, r.status, r.out, r.err)
		}
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	changed := func(name string, text []byte) string {
		path := filepath.Join(b.dir, name)
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	end := bytes.Clone(text)
	end[len(end)-1] ^= 1
	refused("it was changed", changed("end", end))
	refused("or was changed since", changed("head", bytes.Replace(text, []byte(`"watch":"auto"`), []byte(`"watch":"off"`), 1)))
	refused("is not a snapshot", changed("text", []byte("hello\n")))
	refused("it was cut off", changed("cut", text[:len(text)-10]))
	refused("there is more in", changed("more", append(bytes.Clone(text), 'x')))

	// The folder is another one now.
	if err := errors.Join(os.Rename(dir, dir+".was"), os.Mkdir(dir, 0o755)); err != nil {
		t.Fatal(err)
	}
	refused("the plan is no longer the snapshot's", file)
	if err := errors.Join(os.Remove(dir), os.Rename(dir+".was", dir)); err != nil {
		t.Fatal(err)
	}
	b.run("grants", "revoke", "--all").want(t, 0)
	refused("the plan is no longer the snapshot's", file)
	b.run("grants", "add", "fs.read:"+dir).want(t, 0)
	if r := goOn(file); r.status != 3 {
		t.Errorf("got %d %q", r.status, r.err)
	}
	// Another installation's key.
	if err := os.Remove(filepath.Join(b.state(), "snapshot.key")); err != nil {
		t.Fatal(err)
	}
	refused("the key of snapshots", file)
}

// What has no way to be kept is refused by its name.
func TestSnapshotRefused(t *testing.T) {
	b := newBench(t)
	x, session, feed := b.waiting()
	b.run("snapshot", session, filepath.Join(b.dir, "file")).want(t, 125, "a snapshot of a session that runs cannot be enforced here: the process tier")
	_ = feed.Close()
	x.ends("it goes on")
	b.run("snapshot", session, filepath.Join(b.dir, "file")).want(t, 125)
}
