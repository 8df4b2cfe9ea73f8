package two_test

import (
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/http2"

	"ambit.dev/ambit/internal/egress/request/two"
)

// ends waits until the connection ends, with an error if it says one: who floods may
// find it closed before it hears why.
func (p *peer) ends(code http2.ErrCode) {
	p.t.Helper()
	for {
		f, err := p.ReadFrame()
		if timeout, ok := errors.AsType[net.Error](err); ok && timeout.Timeout() {
			p.t.Fatal("it goes on")
		}
		if err != nil {
			return
		}
		if g, ok := f.(*http2.GoAwayFrame); ok {
			if g.ErrCode != code {
				p.t.Error(g.ErrCode)
			}
			return
		}
	}
}

// TestFloods: streams that are begun to be reset, more streams than there may be, and
// headers without an end, each end with the connection or before they begin, and no
// more is done for them at once than a bound says.
func TestFloods(t *testing.T) {
	var running, most atomic.Int64
	held := make(chan struct{})
	slow := func(*two.Reply, *http.Request) bool {
		most.Store(max(most.Load(), running.Add(1)))
		<-held
		running.Add(-1)
		return true
	}
	t.Run("resets", func(t *testing.T) {
		p := program(t, slow)
		defer sync.OnceFunc(func() { close(held) })()
		go func() {
			for id := uint32(1); ; id += 2 {
				if p.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: []byte{0x82, 0x87, 0x84}, EndStream: true, EndHeaders: true}) != nil || p.WriteRSTStream(id, http2.ErrCodeCancel) != nil {
					return
				}
			}
		}()
		p.ends(http2.ErrCodeEnhanceYourCalm)
		if n := most.Load(); n > 256 {
			t.Errorf("%d at once", n)
		}
	})
	t.Run("what is malformed", func(t *testing.T) {
		p := program(t, fine)
		go func() {
			for id := uint32(1); ; id += 2 {
				if p.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: []byte{0x82}, EndStream: true, EndHeaders: true}) != nil {
					return
				}
			}
		}()
		p.ends(http2.ErrCodeEnhanceYourCalm)
	})
	t.Run("resets that are fast", func(t *testing.T) {
		p := program(t, func(*two.Reply, *http.Request) bool { return true })
		go func() {
			for id := uint32(1); ; id += 2 {
				if p.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: []byte{0x82, 0x87, 0x84}, EndHeaders: true}) != nil || p.WriteRSTStream(id, http2.ErrCodeCancel) != nil {
					return
				}
			}
		}()
		p.ends(http2.ErrCodeEnhanceYourCalm)
	})
	t.Run("streams", func(t *testing.T) {
		p := program(t, func(_ *two.Reply, r *http.Request) bool {
			<-r.Context().Done()
			return false
		})
		for i := range uint32(129) {
			p.head(2*i+1, true, get("/")...)
		}
		if got := p.outcome(257); got != "stream REFUSED_STREAM" {
			t.Error(got)
		}
	})
	t.Run("headers", func(t *testing.T) {
		p := program(t, fine)
		go func() {
			part := bytes.Repeat([]byte{0, 1, 'a', 1, 'b'}, 3000) // a header of that name, and again
			if p.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: p.encode(get("/")), EndStream: true}) != nil {
				return
			}
			for p.WriteContinuation(1, false, part) == nil {
			}
		}()
		p.ends(http2.ErrCodeProtocol)
	})
}

// TestAsksAndDoesNotRead: who asks for answers and does not read them is not read
// either.
func TestAsksAndDoesNotRead(t *testing.T) {
	p := program(t, fine)
	n := 0
	for ; n < 64<<20; n += 17 * 1000 { // more than any system keeps of a connection
		_ = p.c.SetWriteDeadline(time.Now().Add(5 * time.Second))
		pings := make([]byte, 0, 17*1000)
		for range 1000 {
			pings = append(pings, 0, 0, 8, 6, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8)
		}
		if _, err := p.c.Write(pings); err != nil {
			return
		}
	}
	t.Errorf("%d bytes of pings were taken", n)
}

// TestWindows: a program can send no more than its windows say of what nobody reads,
// and gets them back as it is read; and what it reads no more of is not written.
func TestWindows(t *testing.T) {
	const window = 256 << 10
	t.Run("in", func(t *testing.T) {
		read := make(chan int)
		p := program(t, func(_ *two.Reply, r *http.Request) bool {
			for n := range read {
				if _, err := io.ReadFull(r.Body, make([]byte, n)); err != nil {
					t.Error(err)
				}
			}
			return true
		})
		p.head(1, false, get("/")...)
		for sent := 0; sent < window; sent += 16 << 10 {
			p.must(p.WriteData(1, false, make([]byte, 16<<10)))
		}
		p.must(p.WritePing(false, [8]byte{1}))
		p.until(func(f http2.Frame) bool {
			if w, ok := f.(*http2.WindowUpdateFrame); ok && w.StreamID == 1 {
				t.Errorf("a window of %d before anything was read", w.Increment)
			}
			return f.Header().Type == http2.FramePing
		})
		read <- window / 2
		given := 0
		for given < window/2 {
			f := p.until(func(f http2.Frame) bool {
				w, ok := f.(*http2.WindowUpdateFrame)
				return ok && w.StreamID == 1
			})
			given += int(f.(*http2.WindowUpdateFrame).Increment)
		}
		if given != window/2 {
			t.Errorf("a window of %d for %d that were read", given, window/2)
		}
		for range given / (16 << 10) {
			p.must(p.WriteData(1, false, make([]byte, 16<<10)))
		}
		p.must(p.WriteData(1, false, []byte("x")))
		if got := p.outcome(1); got != "stream FLOW_CONTROL_ERROR" {
			t.Error(got)
		}
		close(read)
	})
	t.Run("out", func(t *testing.T) {
		wrote := make(chan int, 1)
		p := program(t, func(w *two.Reply, _ *http.Request) bool {
			n, err := w.Write(make([]byte, 100))
			wrote <- n
			return err == nil
		}, http2.Setting{ID: http2.SettingInitialWindowSize, Val: 10})
		p.head(1, true, get("/")...)
		got := 0
		for got < 100 {
			f := p.until(func(f http2.Frame) bool { return f.Header().Type == http2.FrameData })
			if got += int(f.Header().Length); got%10 != 0 {
				t.Errorf("%d bytes for a window of 10", f.Header().Length)
			}
			select {
			case <-wrote:
				if got < 100 {
					t.Error("it was written beyond the window")
				}
			default:
			}
			p.must(p.WriteWindowUpdate(1, 10))
		}
	})
}
