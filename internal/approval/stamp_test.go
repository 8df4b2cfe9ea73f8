package approval_test

import (
	"testing"
	"testing/synctest"
	"time"

	"ambit.dev/ambit/internal/approval"
)

// stamped is a queue that tells whether it was changed.
type stamped struct {
	*queue
	stamp string // guarded by queue.mu
}

func (u *stamped) Stamp() string {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.stamp
}

func (u *stamped) change(stamp string, do func()) {
	do()
	u.mu.Lock()
	defer u.mu.Unlock()
	u.stamp = stamp
}

// A question that waits is looked at when its queue was changed, and now and then all the
// same: an answer counts soon, and at the latest after some seconds where no stamp tells of it.
func TestQueueStamp(t *testing.T) {
	for name, c := range map[string]struct {
		before, after string
		looks         int // in ten seconds without an answer, at most
		within        time.Duration
	}{
		"changed":   {"a", "b", 10, 200 * time.Millisecond},
		"not told":  {"a", "a", 10, 3 * time.Second},
		"no stamps": {"", "", 101, 200 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				u := &stamped{queue: newQueue(), stamp: c.before}
				d := approval.New(approval.Config{Queue: u, Timeout: time.Minute})
				go func() {
					time.Sleep(10*time.Second + time.Millisecond)
					u.mu.Lock()
					looks := u.looks
					u.mu.Unlock()
					if looks > c.looks {
						t.Errorf("%d looks while nothing was changed", looks)
					}
					u.change(c.after, func() {
						a := allow(t, "/home/u/proj/a")
						a.By = "another"
						u.answer("d-1", a)
					})
				}()
				began := time.Now()
				a, err := d.Ask(t.Context(), question(t, "d-1", "/home/u/proj/a"))
				if took := time.Since(began) - 10*time.Second; err != nil || a.By != "another" || took > c.within {
					t.Errorf("%+v, %v, %v after it was given", a, err, took)
				}
			})
		})
	}
}
