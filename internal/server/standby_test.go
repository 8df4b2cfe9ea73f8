package server

import (
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"ambit.dev/ambit/internal/keep"
)

// TestMain is also what these tests have in the place of a keeper: it stands as soon as a
// folder has no file "making", and ends when nobody needs it.
func TestMain(m *testing.M) {
	if len(os.Args) != 5 || os.Args[1] != "--"+keep.StandByFlag {
		os.Exit(m.Run())
	}
	for {
		if _, err := os.Stat(filepath.Join(os.Args[3], "making")); err != nil {
			break
		}
		time.Sleep(time.Millisecond)
	}
	stands := os.NewFile(4, "what says that it stands")
	_, _ = stands.WriteString("\n")
	_ = stands.Close()
	_, _ = io.Copy(io.Discard, os.Stdin)
}

// A session is begun by a launcher that stands, and waits for none that is being made.
func TestStandingAlone(t *testing.T) {
	t.Parallel()
	own, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	b := &standby{keeper: own, launcher: "none", state: t.TempDir(), jobs: "none", many: 2}
	making := filepath.Join(b.state, "making")
	t.Cleanup(func() {
		_ = os.Remove(making) // or it would not end
		b.close()
	})
	until := func(what string, holds func() bool) {
		t.Helper()
		for end := time.Now().Add(time.Minute); !holds(); time.Sleep(time.Millisecond) {
			if time.Now().After(end) {
				t.Fatal(what)
			}
		}
	}
	there := func() (all []*ready) {
		b.mu.Lock()
		defer b.mu.Unlock()
		return append(all, b.ready...)
	}
	take := func() *ready {
		r := b.take(keep.Job{Args: []string{"run"}})
		t.Cleanup(r.discard)
		return r
	}
	busy := func() {
		if err := os.WriteFile(making, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}

	busy()
	b.next()
	until("none is begun", func() bool { return len(there()) == 1 })
	if r := take(); r != nil || b.standing() != 0 {
		t.Fatal("one is taken that does not stand")
	}
	if err := os.Remove(making); err != nil {
		t.Fatal(err)
	}
	until("two do not stand", func() bool { return b.standing() == 2 })
	busy()
	first := there()[0]
	if r := take(); r != first || r.launcher() != byStanding {
		t.Errorf("%+v is taken, not the one that stands the longest", r)
	}
	b.next()
	until("no other is made", func() bool { return len(there()) == 2 })
	if r := take(); r == nil || r == first {
		t.Error("none is taken, where one stands")
	}
	if r := take(); r != nil {
		t.Error("one is taken that is being made")
	}
}
