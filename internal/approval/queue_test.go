package approval_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"ambit.dev/ambit/internal/approval"
	"ambit.dev/ambit/internal/core/grant"
)

// queue is one in memory.
type queue struct {
	mu       sync.Mutex
	open     map[string]approval.Question // guarded by mu
	answered map[string]approval.Answer   // guarded by mu
	closed   map[string]approval.Answer   // guarded by mu
	puts     int                          // guarded by mu
	looks    int                          // guarded by mu
	fails    error
}

func newQueue() *queue {
	return &queue{open: map[string]approval.Question{}, answered: map[string]approval.Answer{}, closed: map[string]approval.Answer{}}
}

func (u *queue) Put(_ context.Context, q approval.Question) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.puts++
	u.open[q.ID] = q
	return u.fails
}

func (u *queue) Answer(_ context.Context, id string) (approval.Answer, bool, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.looks++
	a, ok := u.answered[id]
	return a, ok, nil
}

func (u *queue) Close(_ context.Context, id string, a approval.Answer, _ time.Time) (approval.Answer, bool, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	delete(u.open, id)
	if earlier, ok := u.answered[id]; ok {
		u.closed[id] = earlier
		return earlier, true, nil
	}
	u.closed[id] = a
	return approval.Answer{}, false, nil
}

func (u *queue) answer(id string, a approval.Answer) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.answered[id] = a
}

func (u *queue) waiting(id string) approval.Question {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.open[id]
}

func TestQueueAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u, f, k := newQueue(), newFront("terminal"), &kept{}
		d := approval.New(approval.Config{Fronts: fronts(f), Queue: u, Timeout: time.Minute, Keep: k.keep})
		go func() {
			time.Sleep(time.Second)
			if q := u.waiting("d-1"); q.Expires.Sub(q.Asked) != time.Minute || !q.Asked.Equal(time.Now().Add(-time.Second)) {
				t.Errorf("asked %v, expires %v", q.Asked, q.Expires)
			}
			a := allow(t, "/home/u/proj/a")
			a.By = "ambit approve"
			u.answer("d-1", a)
		}()
		start := time.Now()
		a, err := d.Ask(t.Context(), question(t, "d-1", "/home/u/proj/a"))
		if err != nil || !a.Allowed() || a.By != "ambit approve" || k.count() != 1 {
			t.Errorf("got %+v, %v, kept %d", a, err, k.count())
		}
		if took := time.Since(start); took > 1100*time.Millisecond {
			t.Errorf("the answer was seen after %v", took-time.Second)
		}
		d.Wait()
		looks := u.looks
		time.Sleep(time.Minute)
		if len(u.open) != 0 || f.gone.Load() != 1 || u.looks != looks {
			t.Errorf("%d open, %d fronts told, looked %d times after the answer", len(u.open), f.gone.Load(), u.looks-looks)
		}
	})
}

// Another process answered between the last look and the close: a person was
// told that it counts, so it does.
func TestQueueWasFaster(t *testing.T) {
	for _, tc := range []struct {
		name string
		end  func(f *front, cancel func())
	}{
		{"than the terminal", func(f *front, _ func()) { f.says <- approval.Answer{} }},
		{"than the time that was over", func(*front, func()) { time.Sleep(90 * time.Millisecond) }},
		{"than those who left", func(_ *front, cancel func()) { cancel() }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				u, f, k := newQueue(), newFront("terminal"), &kept{}
				d := approval.New(approval.Config{Fronts: fronts(f), Queue: u, Timeout: 90 * time.Millisecond, Keep: k.keep})
				ctx, cancel := context.WithCancel(t.Context())
				go func() { _, _ = d.Ask(ctx, question(t, "d-1", "/home/u/proj/a")) }()
				synctest.Wait()
				a := allow(t, "/home/u/proj/a")
				a.By = "ambit approve"
				u.answer("d-1", a)
				tc.end(f, cancel)
				synctest.Wait()
				d.Wait()
				if k.count() != 1 || !k.all[0].Allowed() {
					t.Errorf("kept %+v", k.all)
				}
				cancel()
			})
		})
	}
}

// A queue that cannot be written hides a question: it is not put.
func TestQueueFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u, f := newQueue(), newFront("terminal")
		u.fails = errors.New("no space left")
		d := approval.New(approval.Config{Fronts: fronts(f), Queue: u, Timeout: time.Minute})
		a, err := d.Ask(t.Context(), question(t, "d-1", "/home/u/proj/a"))
		if err == nil || a != (approval.Answer{}) || f.asked.Load() != 0 {
			t.Errorf("got %+v, %v, asked %d", a, err, f.asked.Load())
		}
	})
}

// Somebody who can write the queue grants no more than what was offered.
func TestQueueGrantsMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u, k := newQueue(), &kept{}
		d := approval.New(approval.Config{Queue: u, Timeout: time.Minute, Keep: k.keep})
		a := allow(t, "/home/u")
		a.By = "ambit approve"
		u.answer("d-1", a)
		got, err := d.Ask(t.Context(), question(t, "d-1", "/home/u/proj/a"))
		if err == nil || got.Outcome == grant.Allow || k.count() != 0 || !strings.Contains(err.Error(), "was not offered") {
			t.Errorf("got %+v, %v, kept %d", got, err, k.count())
		}
	})
}

func TestQueueWithdrawn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := newQueue()
		d := approval.New(approval.Config{Queue: u, Timeout: time.Hour})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := d.Ask(ctx, question(t, "d-1", "/home/u/proj/a")); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		d.Wait()
		if a, ok := u.closed["d-1"]; !ok || a.By != "" || !strings.Contains(a.Text, "withdrawn") {
			t.Errorf("closed with %+v", a)
		}
	})
}
