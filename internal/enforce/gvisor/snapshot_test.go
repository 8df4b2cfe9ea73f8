//go:build linux

package gvisor_test

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/enforce"
)

// counter is a program whose state is in its memory alone.
const counter = `n=0; while read word; do n=$((n+1)); echo "$word $n"; done; exit $n`

// talk is a session that is spoken to by lines.
type talk struct {
	enforce.Session
	in   *os.File
	from *os.File
	out  *bufio.Reader // of what comes from there
}

func (x talk) say(t testing.TB, word, want string) {
	t.Helper()
	if _, err := x.in.WriteString(word + "\n"); err != nil {
		t.Fatal(err)
	}
	if got, err := x.out.ReadString('\n'); err != nil || got != want+"\n" {
		t.Fatalf("got %q %v, want %q", got, err, want)
	}
}

func (x talk) end(t testing.TB, want int) {
	t.Helper()
	_ = x.in.Close()
	if r, err := x.Wait(); err != nil || r.Exit != want {
		t.Errorf("got %+v %v, want exit %d", r, err, want)
	}
}

// converse starts a plan, from a snapshot if there is one.
func converse(t testing.TB, p enforce.Plan, from []*os.File) talk {
	t.Helper()
	in, feed, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	out, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	g := tier(t)
	g.From = from
	s, err := g.Start(t.Context(), p, enforce.Stdio{In: in, Out: w, Err: w})
	_ = errors.Join(in.Close(), w.Close())
	if err != nil {
		t.Fatal(err)
	}
	if b := s.Report().Broken(); b != nil {
		t.Error(b)
	}
	t.Cleanup(func() {
		_ = s.Kill() // it may have ended
		_ = errors.Join(feed.Close(), out.Close())
	})
	return talk{s, feed, out, bufio.NewReader(out)}
}

func (x talk) release(t testing.TB) talk {
	t.Helper()
	if err := x.Release(); err != nil {
		t.Fatal(err)
	}
	return x
}

// A session goes on after its snapshot, and others begin where it was, as often as
// one likes, not before they are released, with the same confinement.
func TestSnapshot(t *testing.T) {
	dir := t.TempDir()
	plan := func() enforce.Plan { return box(t, dir, "echo x > "+dir+"/started; "+counter, nil) }
	x := converse(t, plan(), nil).release(t)
	x.say(t, "a", "a 1")
	x.say(t, "b", "b 2")
	parts, err := enforce.Snapshot(x.Session, enforce.TierGVisor)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range parts {
		defer f.Close()
		if _, err := f.WriteAt([]byte("x"), 0); err == nil {
			t.Error("it can be changed")
		}
	}
	x.say(t, "c", "c 3")
	if err := os.Remove(filepath.Join(dir, "started")); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		y := converse(t, plan(), parts)
		if _, err := y.in.WriteString("d\n"); err != nil {
			t.Fatal(err)
		}
		// It would have answered meanwhile.
		if n, err := unix.Poll([]unix.PollFd{{Fd: int32(y.from.Fd()), Events: unix.POLLIN}}, 50); err == nil && n != 0 {
			t.Error("it went on before it was released")
		}
		y.release(t)
		if got, err := y.out.ReadString('\n'); err != nil || got != "d 3\n" {
			t.Errorf("got %q %v", got, err)
		}
		if text, r := inside(t, y.Session, nil, "sh", "-c", "grep CapEff /proc/self/status; uname -r"); r.Exit != 0 || !strings.Contains(text, "0000000000000000") {
			t.Errorf("got %+v %q", r, text)
		}
		y.end(t, 3)
	}
	if _, err := os.Stat(filepath.Join(dir, "started")); err == nil {
		t.Error("it began anew")
	}
	x.end(t, 3)
	other := converse(t, box(t, t.TempDir(), counter, nil), parts)
	if err := other.Release(); err == nil {
		t.Error("it went on under another plan")
	}
	_, _ = other.Wait() // it was ended
}

// What is not the tier's own snapshot begins nothing.
func TestSnapshotForeign(t *testing.T) {
	p := box(t, t.TempDir(), counter, nil)
	g := tier(t)
	for range 3 {
		f, err := os.CreateTemp(t.TempDir(), "part")
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if _, err := f.WriteString(strings.Repeat("nothing of the kind ", 1000)); err != nil {
			t.Fatal(err)
		}
		g.From = append(g.From, f)
	}
	s, err := g.Start(t.Context(), p, enforce.Stdio{In: null(t), Out: null(t), Err: null(t)})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Release(); err == nil {
		t.Error("it went on")
	}
	if r, err := s.Wait(); err != nil || r.Exit == 0 {
		t.Errorf("got %+v %v", r, err)
	}
}

// python is a program that takes a while to begin.
const python = `import asyncio, email, http.client, json, sqlite3, ssl, xml.dom, unittest, decimal
table = {i: str(i) for i in range(200000)}
print("ready", flush=True)
for line in open(0): print(len(table), flush=True)`

// BenchmarkRestore is from the start of a session to its first line, of a program
// that begins anew, and of one that begins where another was.
func BenchmarkRestore(b *testing.B) {
	if _, err := exec.LookPath("python3"); err != nil {
		b.Skip("requires: python3")
	}
	dir := b.TempDir()
	plan := func() enforce.Plan {
		return box(b, dir, fmt.Sprintf("exec python3 -c '%s'", python), nil)
	}
	var parts []*os.File
	b.Run("cold", func(b *testing.B) {
		for b.Loop() {
			x := converse(b, plan(), nil).release(b)
			if got, err := x.out.ReadString('\n'); err != nil || got != "ready\n" {
				b.Fatalf("got %q %v", got, err)
			}
			x.say(b, "x", "200000")
			if parts == nil {
				b.StopTimer()
				var err error
				if parts, err = enforce.Snapshot(x.Session, enforce.TierGVisor); err != nil {
					b.Fatal(err)
				}
				b.StartTimer()
			}
			x.end(b, 0)
		}
	})
	b.Run("restored", func(b *testing.B) {
		for b.Loop() {
			x := converse(b, plan(), parts).release(b)
			x.say(b, "x", "200000")
			x.end(b, 0)
		}
	})
}
