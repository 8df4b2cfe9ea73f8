package store_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// holdTurn takes the turn to change the store at path, as another process does.
func holdTurn(t *testing.T, path string) (end func()) {
	t.Helper()
	f, err := os.OpenFile(path+".turn", os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	return func() { _ = f.Close() }
}

// turns are the lines of /proc/locks about the turns of path, in words.
func turns(t *testing.T, path string) (all [][]string) {
	t.Helper()
	var info syscall.Stat_t
	if err := syscall.Stat(path+".turn", &info); err != nil {
		if errors.Is(err, os.ErrNotExist) {
			return nil
		}
		t.Fatal(err)
	}
	locks, err := os.ReadFile("/proc/locks")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(locks)) {
		if strings.Contains(line, fmt.Sprintf(":%d ", info.Ino)) {
			all = append(all, strings.Fields(line))
		}
	}
	return all
}

// waitFor waits until that many processes wait for their turn.
func waitFor(t *testing.T, path string, n int) {
	t.Helper()
	for end := time.Now().Add(40 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		all := turns(t, path)
		waiting := 0
		for _, words := range all {
			if words[1] == "->" {
				waiting++
			}
		}
		if waiting == n {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%d wait for their turn, not %d: %q", waiting, n, all)
		}
	}
}

// TestTurn has a change wait while it is another's turn: it is not made by then, can be
// given up without a trace, and is made once the turn ends. Who reads does not wait.
func TestTurn(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ambit.db")
	s := open(t, path)
	end := holdTurn(t, path)
	ctx, giveUp := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.AddGrant(ctx, allow(t, "g-given-up", "fs.read:/home/u")) }()
	waitFor(t, path, 1)
	select {
	case err := <-done:
		t.Fatalf("it did not wait: %v", err)
	default:
	}
	if all, err := open(t, path).AllGrants(t.Context()); err != nil || len(all) != 0 {
		t.Errorf("read meanwhile: %v, %v", all, err)
	}
	giveUp()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("given up: %v", err)
	}
	other := open(t, path)
	go func() { done <- other.AddGrant(t.Context(), allow(t, "g-1", "fs.read:/home/u")) }()
	waitFor(t, path, 1)
	end()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if all, err := other.AllGrants(t.Context()); err != nil || len(all) != 1 || all[0].ID != "g-1" {
		t.Errorf("in the end: %v, %v", all, err)
	}
}

// TestTurnInOrder has processes that wait change the store in the order in which they
// came.
func TestTurnInOrder(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ambit.db")
	reader := open(t, path)
	end := holdTurn(t, path)
	const many = 6
	for i := range many {
		s, id := open(t, path), fmt.Sprintf("g-%d", i)
		done := make(chan error, 1)
		go func() { done <- s.AddGrant(t.Context(), allow(t, id, "fs.read:/home/u")) }()
		t.Cleanup(func() {
			if err := <-done; err != nil {
				t.Error(err)
			}
		})
		waitFor(t, path, i+1)
	}
	end()
	for had := 0; had < many; {
		all, err := reader.AllGrants(t.Context()) // by id, since all were made at noon
		if err != nil || len(all) < had {
			t.Fatalf("%v, %v", all, err)
		}
		had = len(all)
		for i, g := range all {
			if g.ID != fmt.Sprintf("g-%d", i) {
				t.Fatalf("%s was added before g-%d", g.ID, i)
			}
		}
	}
}

// TestTurnOfTheKilled has a process that is killed amid a change leave its turn to the
// next.
func TestTurnOfTheKilled(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ambit.db")
	first, second := open(t, path), open(t, path)
	release := hold(t, path, reserved)
	lost, done := make(chan error, 1), make(chan error, 1)
	go func() { lost <- first.AddGrant(t.Context(), allow(t, "g-lost", "fs.read:/home/u")) }()
	holder := turnOf(t, path)
	go func() { done <- second.AddGrant(t.Context(), allow(t, "g-1", "fs.read:/home/u")) }()
	waitFor(t, path, 1)
	if err := syscall.Kill(holder, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if err := <-lost; err == nil {
		t.Error("what a killed process was asked to do was done")
	}
	waitFor(t, path, 0)
	release()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if all, err := second.AllGrants(t.Context()); err != nil || len(all) != 1 || all[0].ID != "g-1" {
		t.Errorf("in the end: %v, %v", all, err)
	}
}

// TestTurnToRead has who reads take a turn where SQLite's lock is not free: among
// those who change the file one after the other there is hardly a moment to read in.
func TestTurnToRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ambit.db")
	s := open(t, path)
	release, end := hold(t, path, pending), holdTurn(t, path)
	done := make(chan error, 1)
	go func() {
		_, err := s.AllGrants(t.Context())
		done <- err
	}()
	waitFor(t, path, 1)
	release()
	end()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// Where SQLite's locks lie in a file, by its format: one process alone writes it, and
// nobody begins to read it.
const (
	reserved = 0x40000001
	pending  = 0x40000000
)

// hold takes one of SQLite's locks.
func hold(t *testing.T, path string, lock int64) (release func()) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	l := unix.Flock_t{Type: unix.F_WRLCK, Start: lock, Len: 1}
	if err := unix.FcntlFlock(f.Fd(), unix.F_OFD_SETLK, &l); err != nil {
		t.Fatal(err)
	}
	return func() { _ = f.Close() }
}

// turnOf waits until it is some process's turn, and returns its id.
func turnOf(t *testing.T, path string) (pid int) {
	t.Helper()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		for _, words := range turns(t, path) {
			if words[1] == "FLOCK" {
				if pid, err := strconv.Atoi(words[4]); err == nil {
					return pid
				}
			}
		}
	}
	t.Fatal("it is nobody's turn")
	return 0
}
