package request

import (
	"bytes"
	"errors"
	"io"
	"net"
	"sync"
	"testing"
	"time"
)

// TestCork: what is written arrives in order, also what was written before the end.
func TestCork(t *testing.T) {
	ours, theirs := net.Pipe()
	k := newCork(ours)
	var want bytes.Buffer
	var writers sync.WaitGroup
	writers.Go(func() {
		for i := range 3000 {
			p := bytes.Repeat([]byte{byte(i)}, i)
			want.Write(p)
			if n, err := k.Write(p); n != len(p) || err != nil {
				t.Errorf("%d: %d, %v", i, n, err)
				return
			}
		}
		// TLS ends so: what comes after this time is not written, what came before is.
		if err := k.SetWriteDeadline(time.Now()); err != nil {
			t.Error(err)
		}
		if err := k.Close(); err != nil {
			t.Error(err)
		}
	})
	got, err := io.ReadAll(theirs)
	writers.Wait()
	if err != nil || !bytes.Equal(got, want.Bytes()) {
		t.Errorf("%d bytes arrived of %d, %v", len(got), want.Len(), err)
	}
	if _, err := k.Write([]byte("a")); !errors.Is(err, net.ErrClosed) {
		t.Errorf("after the end: %v", err)
	}
}

// TestCorkFull: whoever writes to somebody who does not read waits, and hears when
// that one is gone.
func TestCorkFull(t *testing.T) {
	ours, theirs := net.Pipe()
	k := newCork(ours)
	over := make(chan int, 1)
	go func() {
		n := 0
		for {
			m, err := k.Write(make([]byte, 1<<10))
			if n += m; err != nil {
				over <- n
				return
			}
		}
	}()
	for full := false; !full; time.Sleep(time.Millisecond) {
		k.mu.Lock()
		full = len(k.held) >= maxCorked
		k.mu.Unlock()
	}
	_ = theirs.Close()
	if n := <-over; n > 3*maxCorked {
		t.Errorf("%d bytes were held", n)
	}
	_ = k.Close()
}
