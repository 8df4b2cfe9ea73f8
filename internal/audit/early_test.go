package audit_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"ambit.dev/ambit/internal/audit"
	"ambit.dev/ambit/internal/core/trace"
)

// A log that was opened early is that of the folder: what others wrote meanwhile is before its
// next record, which belongs to the trace that is known then.
func TestEarly(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "audit")
	if _, err := audit.OpenEarly(dir, audit.Options{}); !errors.Is(err, os.ErrNotExist) {
		t.Fatalf("a log that is not there: %v", err)
	}
	if _, err := os.Lstat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Fatalf("it was made: %v", err)
	}
	fill(t, dir, audit.Options{}, 3, 3)
	e, err := audit.OpenEarly(dir, audit.Options{})
	if err != nil {
		t.Fatal(err)
	}
	fill(t, dir, audit.Options{}, 2, 2)
	e.Ready()
	of := trace.Make([16]byte{1}, [8]byte{2}, true)
	other := t.TempDir()
	fill(t, other, audit.Options{}, 3, 3)
	if _, ok := e.Log(other, of); ok {
		t.Error("it is the log of another folder")
	}
	l, ok := e.Log(dir, of)
	if !ok {
		t.Fatal("it is not the log of its folder")
	}
	defer l.Close()
	got, err := l.Append(t.Context(), decision(t, 1))
	if err != nil || len(got) != 1 || got[0].Seq != 7 || got[0].Trace != of { // the first one says that the log was opened
		t.Errorf("got %+v, %v; want number 7 of %v", got, err, of)
	}
	verify(t, dir)
}

// Where another log lies in the folder meanwhile, it is not that one: what is recorded is
// signed by the key that is there.
func TestEarlyAnother(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(dir string) error{
		"removed": os.RemoveAll,
		"another": func(dir string) error {
			if err := os.RemoveAll(dir); err != nil {
				return err
			}
			fill(t, dir, audit.Options{}, 3, 3)
			return nil
		},
		"readable": func(dir string) error { return os.Chmod(filepath.Join(dir, "key"), 0o644) },
	} {
		dir := filepath.Join(t.TempDir(), "audit")
		fill(t, dir, audit.Options{}, 3, 3)
		e, err := audit.OpenEarly(dir, audit.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if err := change(dir); err != nil {
			t.Fatal(err)
		}
		if _, ok := e.Log(dir, trace.Parent{}); ok {
			t.Errorf("%s: it is taken for the log that was opened", name)
		}
	}
	var none *audit.Early
	none.Ready()
	if _, ok := none.Log(t.TempDir(), trace.Parent{}); ok {
		t.Error("none is one")
	}
}

// Who follows a long log begins behind its last record, also where the last commit is
// long or did not end.
func TestFollowLong(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		per  int
		torn int // bytes of a commit that did not end
	}{"short commits": {10, 0}, "one commit": {1500, 0}, "torn": {10, 20}, "much of it": {10, 300 << 10}, "one commit, torn": {1500, 300 << 10}} {
		dir := t.TempDir()
		fill(t, dir, audit.Options{}, 1500, c.per)
		if c.torn > 0 {
			f, err := os.OpenFile(filepath.Join(dir, "00000001.log"), os.O_WRONLY|os.O_APPEND, 0)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := f.WriteString(`{"seq":1502,` + strings.Repeat("x", c.torn)); err != nil {
				t.Fatal(err)
			}
			_ = f.Close()
		}
		f, err := audit.Follow(dir)
		if err != nil {
			t.Fatal(err)
		}
		if all, err := f.Next(); err != nil || len(all) > 0 {
			t.Errorf("%s: at the end there are %v, %v", name, numbers(all), err)
		}
		fill(t, dir, audit.Options{}, 2, 2)
		want := []uint64{1502, 1503}
		if c.torn > 0 {
			want = append(want, 1504) // the first one says what was repaired
		}
		if all, err := f.Next(); err != nil || !slices.Equal(numbers(all), want) {
			t.Errorf("%s: followed %v, %v; want %v", name, numbers(all), err, want)
		}
	}
}

// BenchmarkFollow begins to follow a log whose last segment is long.
func BenchmarkFollow(b *testing.B) {
	dir := b.TempDir()
	fill(b, dir, audit.Options{}.WithDisk(noSync{audit.OSDisk}), 15_000, 10)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := audit.Follow(dir); err != nil {
			b.Fatal(err)
		}
	}
}
