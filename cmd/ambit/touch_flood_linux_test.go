package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"ambit.dev/ambit/internal/approval"
	"ambit.dev/ambit/internal/audit"
	"ambit.dev/ambit/internal/core/decision"
	"ambit.dev/ambit/internal/core/grant"
	"ambit.dev/ambit/internal/enforce"
)

// Many threads touch one thing: one question, one grant, and all go on.
func TestTouchHammer(t *testing.T) {
	to := newTouching(t, &person{answer: yes(1, grant.Once)}, time.Minute)
	touches := []enforce.Touch{to.touch(enforce.TouchRead, "proj/a.txt"), to.touch(enforce.TouchRead, "proj/b.txt")}
	var wg sync.WaitGroup
	for i := range 40 {
		wg.Go(func() {
			if a := to.Touched(t.Context(), touches[i%2]); !a.Allow {
				t.Errorf("refused: %s", to.said())
			}
		})
	}
	wg.Wait()
	if n, g := to.p.asked.Load(), len(to.stored()); n > 2 || g > 2 {
		t.Errorf("%d questions, %d grants", n, g)
	}
}

// A grant for once that many of one session use at once is used once.
func TestTouchOnceHammer(t *testing.T) {
	to := newTouching(t, &person{answer: no(grant.Once)}, time.Minute)
	to.store("fs.read:~/proj/a.txt", grant.Allow, grant.Once)
	touch := to.touch(enforce.TouchRead, "proj/a.txt")
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			if a := to.Touched(t.Context(), touch); !a.Allow {
				t.Errorf("refused: %s", to.said())
			}
		})
	}
	wg.Wait()
	if n := len(to.records(audit.GrantRevoke)); n != 1 {
		t.Errorf("used %d times", n)
	}
}

// The program is gone before the answer: nothing is shown, told or remembered.
func TestTouchGone(t *testing.T) {
	to := newTouching(t, &person{}, time.Minute)
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	touch := to.touch(enforce.TouchRead, "proj/a.txt")
	if a := to.Touched(ctx, touch); a.Allow || to.said() != "" {
		t.Errorf("allowed %v, said %q", a.Allow, to.said())
	}
	before := to.p.asked.Load()
	to.p.answer = yes(0, grant.Once)
	if a := to.Touched(t.Context(), touch); !a.Allow || to.p.asked.Load() != before+1 {
		t.Errorf("allowed %v after %d questions", a.Allow, to.p.asked.Load())
	}
}

// A program that tries everything fills neither the disk nor the memory.
func TestTouchFlood(t *testing.T) {
	to := newTouching(t, &person{answer: no(grant.Once)}, time.Minute)
	now := time.Now()
	to.room = room{at: now, left: 5}
	to.s.app.now = func() time.Time { return now }
	for i := range 20 {
		name := fmt.Sprintf("proj/f%d", i)
		if err := os.WriteFile(filepath.Join(to.home, name), nil, 0o644); err != nil {
			t.Fatal(err)
		}
		to.Touched(t.Context(), to.touch(enforce.TouchRead, name))
	}
	if n := to.p.asked.Load(); n != 5 {
		t.Errorf("%d questions", n)
	}
	if got := to.tally.Counts(); len(got) != 1 || got[0].Denied != 20 {
		t.Errorf("counted %+v", got)
	}
	now = now.Add(2 * time.Second)
	to.Touched(t.Context(), to.touch(enforce.TouchRead, "proj/f19"))
	if n := to.p.asked.Load(); n != 6 {
		t.Errorf("%d questions, later", n)
	}
}

// Those that come at once find no more room than those that come one after the
// other: it is kept for each until it is decided.
func TestTouchFloodAtOnce(t *testing.T) {
	to := newTouching(t, &person{}, time.Minute)
	now := time.Now()
	to.room = room{at: now, left: 5}
	to.s.app.now = func() time.Time { return now }
	const touches = 20
	var asked, came atomic.Int64
	all := make(chan struct{})
	arrive := func() {
		if came.Add(1) == touches {
			close(all)
		}
	}
	to.answer = func(context.Context, enforce.Touch, decision.Request, enforce.Object) (approval.Answer, error) {
		asked.Add(1)
		arrive()
		<-all
		return approval.Answer{Text: "nobody answers"}, nil
	}
	var wg sync.WaitGroup
	for i := range touches {
		name := fmt.Sprintf("proj/f%d", i)
		if err := os.WriteFile(filepath.Join(to.home, name), nil, 0o644); err != nil {
			t.Fatal(err)
		}
		wg.Go(func() {
			to.Touched(t.Context(), to.touch(enforce.TouchRead, name))
			select {
			case <-all: // it was asked about, or is the last
			default:
				arrive()
			}
		})
	}
	wg.Wait()
	if n := asked.Load(); n != 5 {
		t.Errorf("%d are decided, and there is room for 5", n)
	}
}
