package request_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"ambit.dev/ambit/internal/egress/request"
)

// alone says requests on a connection of their own, which it ends, and returns the
// last answer.
func (w *world) alone(t *testing.T, requests ...string) (got string) {
	t.Helper()
	c := w.speak()
	in := bufio.NewReader(c)
	for _, text := range requests {
		_, got = exchange(t, c, in, text)
	}
	_ = c.Close()
	w.left.Wait()
	return got
}

// keyed puts a secret into some requests, where no server asks for one.
type keyed struct{}

func (keyed) Bound(string, uint16) bool { return true }

func (keyed) Fill(_ context.Context, _ request.Destination, r *http.Request) (request.Scrubber, error) {
	if r.URL.Path == "/secret" {
		return scrubber{}, nil
	}
	return nil, nil //nolint:nilnil // nothing is to be done
}

// TestShelf: a later connection of the sandbox's goes on with one to the server, if
// that leads to the same place and nobody is known by it.
func TestShelf(t *testing.T) {
	for _, secure := range []bool{false, true} {
		w := start(t, secure, func(rw http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			if r.URL.Path == "/who" {
				rw.Header().Set("WWW-Authenticate", "Negotiate")
				rw.WriteHeader(http.StatusUnauthorized)
			}
			_, _ = io.WriteString(rw, r.RemoteAddr)
		}, func(c *request.Config) { c.Filler = keyed{} })
		bare := get("/")
		post := "POST / HTTP/1.1\r\nHost: far.test\r\nContent-Length: 1\r\n\r\nx"
		first := w.alone(t, bare)
		same := func(why string, want bool, requests ...string) {
			t.Helper()
			got := w.alone(t, requests...)
			if (got == first) != want {
				t.Errorf("TLS %v, %s: the same connection to the server: %v, want %v", secure, why, got == first, want)
			}
			first = got
		}
		same("a second one", true, bare)
		same("one with two requests", true, bare, bare)
		same("a request that may not be sent twice", false, post)
		same("after one with a body", false, bare)
		same("HEAD first", true, bare)
		same("with credentials, by one that has none", true, strings.Replace(bare, "\r\n\r\n", "\r\nAuthorization: Negotiate x\r\n\r\n", 1))
		same("after one with credentials", false, bare)
		same("that the server wants to know of", true, bare, get("/who"))
		same("after one that the server wants to know of", false, bare)
		same("one with a secret, not the first", true, bare, get("/secret"))
		same("after one with a secret", false, bare)
		same("first one that is not plain", false, "GET / HTTP/1.0\r\nHost: far.test\r\n\r\n")
		same("and after it", false, bare)
		same("then one that is not plain", true, bare, "GET / HTTP/1.0\r\nHost: far.test\r\n\r\n")
		same("after one that was not plain", false, bare)
		w.to = request.Destination{Host: "far.test", Port: 8443}
		same("to another port of that name", false, bare)
		w.to = request.Destination{}
		w.engine.Recheck()
		same("after grants have changed", false, bare)
		c := w.speak()
		in := bufio.NewReader(c)
		_, first = exchange(t, c, in, bare)
		w.engine.Recheck()
		_ = c.Close()
		w.left.Wait()
		same("after one that was in use when they did", false, bare)
		same("once more", true, bare)
		w.engine.Close()
	}
}

// TestShelfAddress: what lies there for an address is not for another one of that name.
func TestShelfAddress(t *testing.T) {
	w := start(t, false, func(rw http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(rw, "one") }, nil)
	if got := w.alone(t, get("/")); got != "one" {
		t.Fatal(got)
	}
	w.serveRaw(func(c net.Conn, in *bufio.Reader) {
		if _, ok := take(in); ok {
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\ntwo")
		}
	})
	if got := w.alone(t, get("/")); got != "two" {
		t.Error(got)
	}
}

// TestShelfEnded: a server that ends a connection while it lies there, or says
// something, is connected to again.
func TestShelfEnded(t *testing.T) {
	for _, last := range []string{"", "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"} {
		w := start(t, false, func(http.ResponseWriter, *http.Request) {}, nil)
		over, said := make(chan struct{}), make(chan struct{}, 9)
		w.serveRaw(func(c net.Conn, in *bufio.Reader) {
			if _, ok := take(in); !ok {
				return
			}
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
			<-over
			_, _ = io.WriteString(c, last)
			if last != "" {
				defer func() { _, _ = take(in) }()
			} else {
				_ = c.Close()
			}
			said <- struct{}{}
		})
		if got := w.alone(t, get("/")); got != "ok" {
			t.Fatal(got)
		}
		close(over)
		<-said
		if got := w.alone(t, get("/")); got != "ok" || w.dials != 2 {
			t.Errorf("%q: %q by %d connections", last, got, w.dials)
		}
		w.engine.Close()
	}
}

// held writes what it is given in one piece, once told.
type held struct {
	net.Conn
	mu   sync.Mutex
	hold bool         // guarded by mu
	b    bytes.Buffer // guarded by mu
}

func (h *held) Write(p []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.hold {
		return h.b.Write(p)
	}
	return h.Conn.Write(p)
}

func (h *held) turn(hold bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.hold = hold; !hold {
		_, _ = h.b.WriteTo(h.Conn)
	}
}

// TestUnaskedRecords: what a server says unasked is no answer either where TLS has
// read it with the answer before: in the same record, in one behind it, or in what is
// left of one that did not fit.
func TestUnaskedRecords(t *testing.T) {
	const (
		status = "HTTP/1.1 200 OK\r\n"
		most   = 16 << 10 // of a record, and of what is read at once
		piece  = 100      // of the head, which comes first: what is read next does not fit by as much as is left of it
	)
	unasked := status + "Content-Length: 4\r\nX: " + strings.Repeat("x", 36) + "\r\n\r\nevil"
	if len(unasked) != piece-len(status) {
		t.Fatal(len(unasked))
	}
	answer := status + "Content-Length: 2\r\n\r\nok"
	full := fmt.Sprintf("%sX: %s\r\nContent-Length: %d\r\n\r\n", status, strings.Repeat("x", piece), most+len(status)-2*piece)
	full = strings.Replace(full, "X: ", "X: "+strings.Repeat("x", 2*piece-len(full)), 1)
	full += "ok" + strings.Repeat(".", most+len(status)-2-len(full))
	for name, says := range map[string][]string{
		"the same record":      {answer + unasked},
		"the next record":      {answer, unasked},
		"a piece of a record":  {answer, unasked[:piece/2]},
		"what did not fit":     {full[:piece], full[piece:] + unasked},
		"nothing that is said": {answer},
	} {
		w := start(t, true, func(http.ResponseWriter, *http.Request) {}, nil)
		w.serveTLS(t, func(c *tls.Conn, h *held, in *bufio.Reader) {
			for first := true; ; first = false {
				if _, ok := take(in); !ok {
					return
				}
				if !first { // by a connection that was kept
					_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nkept")
					continue
				}
				h.turn(true)
				for _, s := range says {
					_, _ = io.WriteString(c, s)
				}
				h.turn(false)
			}
		})
		want := "ok"
		if len(says) == 1 && says[0] == answer {
			want = "kept"
		}
		c := w.speak()
		in := bufio.NewReader(c)
		for i, want := range []string{"ok", want} {
			if _, got := exchange(t, c, in, get("/")); !strings.HasPrefix(got, want) {
				t.Errorf("%s: answer %d is %.10q, want %q", name, i, got, want)
			}
		}
		_ = c.Close()
		w.left.Wait()
		if got := w.alone(t, get("/")); !strings.HasPrefix(got, want) {
			t.Errorf("%s, by another connection: got %.10q, want %q", name, got, want)
		}
		w.engine.Close()
	}
}

// serveTLS has the world's server be answer, for each connection by TLS.
func (w *world) serveTLS(t *testing.T, answer func(c *tls.Conn, h *held, in *bufio.Reader)) {
	t.Helper()
	leaf, err := w.theirs.Leaf("far.test", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	w.serveRaw(func(c net.Conn, _ *bufio.Reader) {
		h := &held{Conn: c}
		s := tls.Server(h, &tls.Config{Certificates: []tls.Certificate{*leaf}, DynamicRecordSizingDisabled: true})
		answer(s, h, bufio.NewReader(s))
	})
}
