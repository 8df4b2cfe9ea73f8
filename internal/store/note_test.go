package store_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"ambit.dev/ambit/internal/store"
)

func ended(id string) store.Session {
	return store.Session{ID: id, Principal: "user:u", Program: "/bin/\xff\n", PID: 7, Tier: "process", Started: noon, Ended: noon.Add(time.Second), Status: "exit 3"}
}

func listed(t *testing.T, path string) []store.Session {
	t.Helper()
	l, err := openListAt(path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	got, err := l.Sessions(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func TestNote(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sessions.db")
	for _, id := range []string{"s-1", "s-2"} {
		must(t, note(path, ended(id)))
	}
	if _, err := os.Stat(path); !os.IsNotExist(err) {
		t.Errorf("adding made the list: %v", err)
	}
	waiting := path + ".notes"
	text, err := os.ReadFile(waiting)
	must(t, err)
	want := []store.Session{ended("s-1"), ended("s-2")}
	for range 2 { // taken in, and as it is afterwards
		if got := listed(t, path); !reflect.DeepEqual(got, want) {
			t.Errorf("got %+v, want %+v", got, want)
		}
	}
	if info, err := os.Stat(waiting); err != nil || info.Size() != 0 || info.Mode().Perm() != 0o600 {
		t.Errorf("got %+v, %v, want an empty file of mode 0600", info, err)
	}
	// A process that ended between taking in and cutting off leaves lines that
	// are in the list; a full disk leaves a piece of one.
	piece := text[:len(text)/4]
	must(t, os.WriteFile(waiting, append(append([]byte{}, text...), piece...), 0o600), note(path, ended("s-3")))
	if got := listed(t, path); !reflect.DeepEqual(got, append(want, ended("s-3"))) {
		t.Errorf("after a crash: got %+v", got)
	}
}

func TestNoteRefuses(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sessions.db")
	for _, n := range []store.Session{{}, {ID: "s-1", Status: "exit 0"}, {ID: "s-1", Ended: noon}, {Status: "exit 0", Ended: noon}, {ID: "s-1", Status: store.Running, Ended: noon}} {
		if err := note(path, n); err == nil {
			t.Errorf("%+v was noted", n)
		}
	}
	must(t, note(path, ended("s-1")), os.Chmod(path+".notes", 0o622))
	if err := note(path, ended("s-2")); err == nil || !strings.Contains(err.Error(), "others may write it") {
		t.Errorf("a file that others may write: got %v", err)
	}
	if _, err := openListAt(path); err == nil || !strings.Contains(err.Error(), "others may write it") {
		t.Errorf("a file that others may write was taken in: got %v", err)
	}
	must(t, os.Remove(path+".notes"), os.Symlink(filepath.Join(t.TempDir(), "other"), path+".notes"))
	if err := note(path, ended("s-2")); err == nil {
		t.Error("a link was followed")
	}
}

// TestHammerNotes notes from many goroutines while others take in: nothing is
// lost and nothing is there twice.
func TestHammerNotes(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sessions.db")
	l := openList(t, path)
	long := ended("")
	long.Program = strings.Repeat("x", 4096)
	var wg sync.WaitGroup
	var took atomic.Int32
	for i := range 8 {
		wg.Go(func() {
			for j := range 40 {
				n := long
				n.ID = fmt.Sprintf("s-%d-%d", i, j)
				full, err := store.Note(path, n)
				if err == nil && full {
					took.Add(1)
					err = l.TakeIn(context.Background())
				}
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if took.Load() == 0 {
		t.Error("the file was never full: this proves little")
	}
	seen := map[string]int{}
	for _, n := range listed(t, path) {
		seen[n.ID]++
	}
	if len(seen) != 320 {
		t.Errorf("%d of 320 are listed", len(seen))
	}
	for id, n := range seen {
		if n != 1 {
			t.Errorf("%s is listed %d times", id, n)
		}
	}
}

func note(path string, n store.Session) error {
	_, err := store.Note(path, n)
	return err
}

func noteOne(t testing.TB, path string, n store.Session) {
	t.Helper()
	must(t, note(path, n))
}
