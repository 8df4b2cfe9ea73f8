package server

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"ambit.dev/ambit/internal/store"
)

// changing is a store whose content is a number.
type changing struct {
	n, reads, stamps atomic.Int64
	fails            atomic.Bool
}

func (c *changing) watched() *watched {
	return &watched{
		stamp: func(context.Context) (string, error) {
			c.stamps.Add(1)
			return "stamp " + strconv.FormatInt(c.n.Load(), 10), nil
		},
		read: func(context.Context, string) ([]store.Approval, error) {
			c.reads.Add(1)
			if c.fails.Load() {
				return nil, errors.New("no")
			}
			return []store.Approval{{ID: strconv.FormatInt(c.n.Load(), 10)}}, nil
		},
	}
}

// Many streams take one look, each is told of every change, and without streams nobody
// looks; who comes again is told again.
func TestWatched(t *testing.T) {
	t.Parallel()
	c := &changing{}
	w := c.watched()
	for range 2 {
		var all sync.WaitGroup
		const streams = 50
		told := make(chan string, streams*100)
		ctx, cancel := context.WithCancel(t.Context())
		var ready sync.WaitGroup
		ready.Add(streams)
		for range streams {
			all.Go(func() {
				defer w.join(ctx)()
				_, next := w.later()
				ready.Done()
				for was := ""; ; {
					select {
					case <-ctx.Done():
						return
					case <-next:
					}
					var now seen
					if now, next = w.later(); now.all[0].ID != was {
						was = now.all[0].ID
						told <- was
					}
				}
			})
		}
		ready.Wait()
		reads, began := c.reads.Load(), time.Now()
		want := strconv.FormatInt(c.n.Add(1), 10)
		for n := 0; n < streams; {
			select {
			case id := <-told:
				if id == want {
					n++
				}
			case <-time.After(time.Minute):
				t.Fatalf("%d of %d streams were told", n, streams)
			}
		}
		if most := int64(time.Since(began)/lookEvery) + 2; c.reads.Load()-reads > most {
			t.Errorf("%d reads for one change, at most %d looks", c.reads.Load()-reads, most)
		}
		cancel()
		all.Wait()
	}
	for end := time.Now().Add(time.Minute); ; {
		stamps := c.stamps.Load()
		if time.Sleep(3 * lookEvery); c.stamps.Load() == stamps {
			break
		}
		if time.Now().After(end) {
			t.Fatal("it is looked for nobody")
		}
	}
}

// What cannot be read is told.
func TestWatchedFails(t *testing.T) {
	t.Parallel()
	c := &changing{}
	c.fails.Store(true)
	w := c.watched()
	defer w.join(t.Context())()
	_, next := w.later()
	select {
	case <-next:
	case <-time.After(time.Minute):
		t.Fatal("nothing is told")
	}
	if now, _ := w.later(); now.err == nil {
		t.Errorf("%+v", now)
	}
}

// has waits until streams are told of exactly these questions.
func (w *watched) has(t *testing.T, want ...string) {
	t.Helper()
	var ids []string
	for end := time.After(time.Minute); ; {
		now, next := w.later()
		ids = nil
		for _, q := range now.all {
			ids = append(ids, q.ID)
		}
		if now.err == nil && slices.Equal(ids, want) {
			return
		}
		select {
		case <-next:
		case <-end:
			t.Fatalf("streams are told of %v, want %v", ids, want)
		}
	}
}

// What is answered here is over at once: before it is looked whether the store was changed,
// and for a read that goes on meanwhile. A later one is believed again.
func TestWatchedAnswered(t *testing.T) {
	t.Parallel()
	begun, goOn := make(chan int), make(chan struct{})
	var stamps atomic.Int64
	w := &watched{
		stamp: func(context.Context) (string, error) { return strconv.FormatInt(stamps.Add(1), 10), nil },
		read: func(ctx context.Context, _ string) ([]store.Approval, error) {
			select {
			case begun <- 1:
			case <-ctx.Done():
			}
			select {
			case <-goOn:
			case <-ctx.Done():
			}
			return []store.Approval{{ID: "one"}, {ID: "two"}}, nil
		},
	}
	w.answered("nobody watches")
	defer w.join(t.Context())()
	<-begun
	w.answered("one") // before anything was read
	goOn <- struct{}{}
	w.has(t, "two")
	<-begun
	_, next := w.later()
	w.answered("two")
	select {
	case <-next:
	default:
		t.Error("no stream is told before the store was read")
	}
	w.has(t)
	goOn <- struct{}{} // began before the answer, and has what is over
	<-begun
	if now, _ := w.later(); len(now.all) != 1 || now.all[0].ID != "one" {
		t.Errorf("a read from before the answer had %+v, want the one that was answered before it alone", now.all)
	}
	goOn <- struct{}{}
	w.has(t, "one", "two")
}
