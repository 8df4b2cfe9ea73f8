package companion_test

import (
	"bytes"
	"errors"
	"io"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"ambit.dev/ambit/internal/companion"
)

// A line keeps what is written, and how often.
type line struct {
	mu     sync.Mutex
	text   bytes.Buffer // guarded by mu
	writes int          // guarded by mu
}

func (l *line) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.writes++
	return l.text.Write(p)
}

func (l *line) Read(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Read(p)
}

// TestLater: what may wait goes with what may not, before it, or by itself soon.
func TestLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &line{}
		c := companion.NewConn(l, 64<<10)
		wants := func(writes int, all ...uint64) {
			t.Helper()
			l.mu.Lock()
			got := l.writes
			l.mu.Unlock()
			if got != writes {
				t.Errorf("%d writes, want %d", got, writes)
			}
			for _, id := range all {
				var got uint64
				if err := c.Receive(&got); err != nil || got != id {
					t.Errorf("got %d, %v; want %d", got, err, id)
				}
			}
			var more uint64
			if err := c.Receive(&more); !errors.Is(err, io.EOF) {
				t.Errorf("got %d, %v behind", more, err)
			}
		}
		later := func(id uint64) {
			t.Helper()
			if err := c.Later(id); err != nil {
				t.Error(err)
			}
		}
		later(1)
		later(2)
		wants(0)
		if err := c.Send(uint64(3)); err != nil {
			t.Error(err)
		}
		wants(1, 1, 2, 3)
		later(4)
		time.Sleep(time.Second)
		synctest.Wait()
		wants(2, 4)
		for range 64 << 10 { // more than waits
			later(5)
		}
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.writes < 3 || l.writes > 30 {
			t.Errorf("%d writes", l.writes)
		}
	})
}
