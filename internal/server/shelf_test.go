package server

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"ambit.dev/ambit/internal/keep"
)

// shelfOf makes a shelf whose one kind has sessions that ended so many hours ago each, the
// first one an hour and so on.
func shelfOf(t *testing.T, many int) (*shelf, []string) {
	t.Helper()
	dir, now := t.TempDir(), time.Now()
	var ids []string
	for n := range many {
		id := fmt.Sprintf("s-aaaaaaaa%c%c", 'a'+n/26, 'a'+n%26)
		job := filepath.Join(dir, id)
		at := now.Add(-time.Duration(n+1) * time.Hour)
		if err := errors.Join(keep.Put(job, keep.Job{Principal: "uid:1"}), os.WriteFile(filepath.Join(job, "end.json"), []byte(`{"exit":0}`), 0o600), os.Chtimes(job, at, at)); err != nil {
			t.Fatal(err)
		}
		ids = append(ids, id)
	}
	return &shelf{kinds: []shelfKind{{dir, sessionID}}, lasts: 1000 * time.Hour, most: 1000, now: func() time.Time { return now },
		runs: func(context.Context) (map[string]bool, error) { return map[string]bool{}, nil }, held: map[string]int{}}, ids
}

func TestShelf(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]struct {
		with func(*shelf, []string)
		gone []int
	}{
		"nothing is old": {func(*shelf, []string) {}, nil},
		"by age":         {func(h *shelf, _ []string) { h.lasts = 4*time.Hour - time.Minute }, []int{5, 4, 3}},
		"by number":      {func(h *shelf, _ []string) { h.most = 4 }, []int{5, 4}},
		"one is read": {func(h *shelf, ids []string) {
			h.most = 4
			h.hold(ids[5])
		}, []int{4, 3}},
		"one was read": {func(h *shelf, ids []string) {
			h.most = 4
			h.hold(ids[5])()
		}, []int{5, 4}},
		"one is on the list": {func(h *shelf, ids []string) {
			h.lasts = 4*time.Hour - time.Minute
			h.runs = func(context.Context) (map[string]bool, error) { return map[string]bool{ids[4]: true}, nil }
		}, []int{5, 3}},
		"the list cannot be read": {func(h *shelf, _ []string) {
			h.lasts = time.Hour
			h.runs = func(context.Context) (map[string]bool, error) { return nil, os.ErrClosed }
		}, nil},
		"one is to begin": {func(h *shelf, ids []string) {
			h.lasts = time.Minute
			h.now = func() time.Time { return time.Now().Add(-5 * time.Hour) }
			if err := os.Remove(filepath.Join(h.kinds[0].dir, ids[5], "end.json")); err != nil {
				t.Error(err)
			}
			at := h.now().Add(-10 * time.Minute)
			if err := os.Chtimes(filepath.Join(h.kinds[0].dir, ids[5]), at, at); err != nil {
				t.Error(err)
			}
		}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h, ids := shelfOf(t, 6)
			change.with(h, ids)
			var want []string
			for _, n := range change.gone {
				want = append(want, ids[n])
			}
			gone, more, _ := h.tidy(t.Context()) // what it says of a list that cannot be read is not the question
			if !slices.Equal(gone, want) || more {
				t.Errorf("gone: %v, %v; want %v", gone, more, want)
			}
			left, err := os.ReadDir(h.kinds[0].dir)
			if err != nil || len(left) != len(ids)-len(want) {
				t.Errorf("left: %v, %v", left, err)
			}
		})
	}
}
