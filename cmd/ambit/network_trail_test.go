package main

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"ambit.dev/ambit/internal/audit"
)

// disk is a log in memory.
type disk struct {
	mu     sync.Mutex
	groups [][]string // guarded by mu; ids
	broken error      // guarded by mu
}

func (d *disk) Append(_ context.Context, records ...audit.Record) ([]audit.Record, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.broken != nil {
		return nil, d.broken
	}
	var ids []string
	for _, r := range records {
		ids = append(ids, r.ID)
	}
	d.groups = append(d.groups, ids)
	return records, nil
}

func (d *disk) fail(err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.broken = err
}

func (d *disk) want(t *testing.T, groups ...[]string) {
	t.Helper()
	d.mu.Lock()
	defer d.mu.Unlock()
	if !slices.EqualFunc(d.groups, groups, slices.Equal[[]string]) {
		t.Errorf("got %q, want %q", d.groups, groups)
	}
}

func record(id string) audit.Record { return audit.Record{ID: id} }

func TestTrail(t *testing.T) {
	for name, tc := range map[string]func(t *testing.T, d *disk, r *trail){
		"with the next decision": func(t *testing.T, d *disk, r *trail) {
			if err := errors.Join(r.add(record("f-1")), r.add(record("f-2"))); err != nil {
				t.Error(err)
			}
			d.want(t)
			got, err := r.Append(t.Context(), record("d-1"))
			if err != nil || len(got) != 1 || got[0].ID != "d-1" {
				t.Errorf("got %v, %v", got, err)
			}
			time.Sleep(time.Second)
			d.want(t, []string{"d-1", "f-1", "f-2"})
		},
		"by itself": func(t *testing.T, d *disk, r *trail) {
			if err := r.add(record("f-1")); err != nil {
				t.Error(err)
			}
			time.Sleep(trailPause)
			synctest.Wait()
			d.want(t, []string{"f-1"})
		},
		"at the end": func(t *testing.T, d *disk, r *trail) {
			if err := errors.Join(r.add(record("f-1")), r.flush(), r.flush()); err != nil {
				t.Error(err)
			}
			d.want(t, []string{"f-1"})
		},
		"after a decision that could not be written": func(t *testing.T, d *disk, r *trail) {
			d.fail(errors.New("full"))
			if err := r.add(record("f-1")); err != nil {
				t.Error(err)
			}
			if _, err := r.Append(t.Context(), record("d-1")); err == nil {
				t.Error("a decision that could not be written was answered")
			}
			d.fail(nil)
			if err := r.flush(); err != nil {
				t.Error(err)
			}
			d.want(t, []string{"f-1"})
		},
		"many": func(t *testing.T, d *disk, r *trail) {
			for range maxTrail {
				if err := r.add(record("f")); err != nil {
					t.Error(err)
				}
			}
			d.want(t, slices.Repeat([]string{"f"}, maxTrail))
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := &disk{}
				tc(t, d, &trail{log: d, ctx: t.Context(), fail: func(err error) { t.Error(err) }})
				time.Sleep(time.Second)
			})
		})
	}
}

// TestTrailFails: what cannot be written is told of, whenever that is seen.
func TestTrailFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, told := &disk{broken: errors.New("full")}, 0
		r := &trail{log: d, ctx: t.Context(), fail: func(error) { told++ }}
		if err := r.add(record("f-1")); err != nil {
			t.Error(err)
		}
		time.Sleep(trailPause)
		synctest.Wait()
		if told != 1 {
			t.Errorf("told %d times, want once", told)
		}
		var err error
		for range maxTrail {
			err = errors.Join(err, r.add(record("f")))
		}
		if err == nil {
			t.Error("more and more waits for a log that cannot be written")
		}
	})
}
