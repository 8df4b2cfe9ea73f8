package request_test

import (
	"bufio"
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

// serveRaw has the world's server be answer, for each connection.
func (w *world) serveRaw(answer func(c net.Conn, in *bufio.Reader)) {
	w.t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		w.t.Fatal(err)
	}
	var work sync.WaitGroup
	work.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			work.Go(func() {
				defer c.Close()
				answer(c, bufio.NewReader(c))
			})
		}
	})
	w.server = l.Addr().String()
	w.t.Cleanup(func() {
		w.engine.Close() // and with it connections to the server
		_ = l.Close()
		work.Wait()
	})
}

// take reads one request of a server, and reports whether there was one.
func take(in *bufio.Reader) (*http.Request, bool) {
	r, err := http.ReadRequest(in)
	if err != nil {
		return nil, false
	}
	_, err = io.Copy(io.Discard, r.Body)
	return r, err == nil
}

// exchange says a request on a connection and returns the answer's body.
func exchange(t *testing.T, c net.Conn, in *bufio.Reader, text string) (status int, got string) {
	t.Helper()
	if _, err := io.WriteString(c, text); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(in, nil)
	if err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	return resp.StatusCode, body(t, resp, nil)
}

func get(path string) string { return "GET " + path + " HTTP/1.1\r\nHost: far.test\r\n\r\n" }

// TestUnasked: what a server says that nobody asked for is no answer to the next
// request, whenever it comes.
func TestUnasked(t *testing.T) {
	w := start(t, false, func(http.ResponseWriter, *http.Request) {}, nil)
	said := make(chan bool)
	const unasked = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"
	w.serveRaw(func(c net.Conn, in *bufio.Reader) {
		for {
			r, ok := take(in)
			if !ok {
				return
			}
			answer := fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(r.URL.Path), r.URL.Path)
			if r.URL.Path == "/with" {
				answer += unasked // at once: what comes when the next request is out is its answer, as far as anybody can tell
			}
			_, _ = io.WriteString(c, answer)
			if r.URL.Path == "/after" {
				go func() {
					_, _ = io.WriteString(c, unasked)
					close(said)
				}()
			}
		}
	})
	c := w.connect()
	in := bufio.NewReader(c)
	for _, path := range []string{"/one", "/with", "/two", "/after"} {
		if _, got := exchange(t, c, in, get(path)); got != path {
			t.Errorf("%s: got %q", path, got)
		}
	}
	<-said
	if _, got := exchange(t, c, in, get("/three")); got != "/three" {
		t.Errorf("/three: got %q", got)
	}
}

// TestKeptEnds: a server that has ended a kept connection is connected to again,
// and nothing that may not be done twice is sent twice.
func TestKeptEnds(t *testing.T) {
	w := start(t, false, func(http.ResponseWriter, *http.Request) {}, nil)
	var mu sync.Mutex
	posts := 0
	w.serveRaw(func(c net.Conn, in *bufio.Reader) {
		for first := true; ; first = false {
			r, ok := take(in)
			if !ok {
				return
			}
			if r.Method == http.MethodPost {
				mu.Lock()
				posts++
				mu.Unlock()
			}
			if !first {
				return // at the second request of each connection
			}
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
		}
	})
	c := w.connect()
	in := bufio.NewReader(c)
	for range 4 {
		if code, got := exchange(t, c, in, get("/")); code != 200 || got != "ok" {
			t.Errorf("GET: %d %q", code, got)
		}
	}
	for _, post := range []string{"Content-Length: 1\r\n\r\nx", "Content-Length: 0\r\n\r\n"} {
		if code, _ := exchange(t, c, in, "POST / HTTP/1.1\r\nHost: far.test\r\n"+post); code != 502 {
			t.Errorf("POST: %d", code)
		}
		_, _ = exchange(t, c, in, get("/"))
	}
	mu.Lock()
	defer mu.Unlock()
	if posts != 2 {
		t.Errorf("%d POSTs were sent", posts)
	}
}

// TestPlainAndOther: requests that are plain and those that are not follow each
// other on one connection, and on one to the server, and are answered in order.
func TestPlainAndOther(t *testing.T) {
	for _, secure := range []bool{false, true} {
		w := start(t, secure, func(rw http.ResponseWriter, r *http.Request) {
			text, _ := io.ReadAll(r.Body)
			_, _ = fmt.Fprintf(rw, "%s %s", r.URL.Path, text)
		}, nil)
		c := w.speak()
		in := bufio.NewReader(c)
		for i, text := range []string{get("/0"), "POST /1 HTTP/1.1\r\nHost: far.test\r\nContent-Length: 3\r\n\r\nabc",
			"POST /2 HTTP/1.1\r\nHost: far.test\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n", get("/3")} {
			if code, got := exchange(t, c, in, text); code != 200 || !strings.HasPrefix(got, fmt.Sprintf("/%d ", i)) {
				t.Errorf("%q: %d %q", text, code, got)
			}
		}
		if w.dials != 1 {
			t.Errorf("%d connections to the server", w.dials)
		}
		c = w.speak()
		in = bufio.NewReader(c)
		if _, err := io.WriteString(c, get("/a")+get("/b")+"GET /c HTTP/1.0\r\nHost: far.test\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{"/a ", "/b ", "/c "} {
			resp, err := http.ReadResponse(in, nil)
			if got := body(t, resp, err); got != want {
				t.Errorf("got %q, want %q", got, want)
			}
		}
	}
}

// TestGone: the end of a program's connection is the end of what it asked for: of
// the question, of the request, and of the rest of the response.
func TestGone(t *testing.T) {
	for _, secure := range []bool{false, true} {
		begun, ended := make(chan bool, 1), make(chan bool, 1)
		w := start(t, secure, func(rw http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			if r.URL.Path == "/body" {
				_, _ = io.WriteString(rw, "some")
				_ = http.NewResponseController(rw).Flush()
			}
			begun <- true
			<-r.Context().Done()
			ended <- true
		}, nil)
		for _, text := range []string{get("/"), get("/body"), "POST / HTTP/1.1\r\nHost: far.test\r\nContent-Length: 1\r\n\r\nx"} {
			c := w.speak()
			if _, err := io.WriteString(c, text); err != nil {
				t.Fatal(err)
			}
			<-begun
			_ = c.Close()
			select {
			case <-ended:
			case <-time.After(time.Minute):
				t.Fatalf("%q goes on", text)
			}
		}
	}
}

// TestEngineEnds: an engine that is closed ends what its connections wait for.
func TestEngineEnds(t *testing.T) {
	begun := make(chan bool, 1)
	w := start(t, false, func(_ http.ResponseWriter, r *http.Request) {
		begun <- true
		<-r.Context().Done()
	}, nil)
	c := w.connect()
	if _, err := io.WriteString(c, get("/")); err != nil {
		t.Fatal(err)
	}
	<-begun
	w.engine.Close()
	w.left.Wait()
	if len(w.told) != 1 {
		t.Errorf("told %+v", w.told)
	}
}

// TestResponses: however a server says how long its response is, the program hears
// the same, and the connection goes on.
func TestResponses(t *testing.T) {
	w := start(t, false, func(http.ResponseWriter, *http.Request) {}, nil)
	answers := map[string]string{
		"/length":  "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc",
		"/chunks":  "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n2\r\nbc\r\n0\r\n\r\n",
		"/close":   "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nabc",
		"/old":     "HTTP/1.0 200 OK\r\n\r\nabc",
		"/early":   "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc",
		"/both":    "HTTP/1.1 200 OK\r\nContent-Length: 9\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
		"/switch":  "HTTP/1.1 101 Switching Protocols\r\nUpgrade: other\r\nConnection: Upgrade\r\n\r\nabc",
		"/lengths": "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
		"/long":    "HTTP/1.1 200 OK\r\nX: " + strings.Repeat("a", 1<<20) + "\r\n\r\n",
		"/none":    "nothing of HTTP\r\n\r\n",
	}
	w.serveRaw(func(c net.Conn, in *bufio.Reader) {
		for {
			r, ok := take(in)
			if !ok {
				return
			}
			_, _ = io.WriteString(c, answers[r.URL.Path])
			if r.URL.Path == "/close" || r.URL.Path == "/old" {
				return
			}
		}
	})
	c := w.connect()
	in := bufio.NewReader(c)
	for _, path := range []string{"/length", "/chunks", "/close", "/old", "/early", "/both", "/length", "/switch", "/lengths", "/long", "/none", "/length"} {
		code, got := exchange(t, c, in, get(path))
		if path == "/early" && code == 103 {
			resp, err := http.ReadResponse(in, nil)
			code, got = 200, body(t, resp, err)
		}
		switch path {
		case "/switch", "/lengths", "/long", "/none":
			if code != 502 || !strings.Contains(got, "refused by Ambit") {
				t.Errorf("%s: %d %q", path, code, got)
			}
		default:
			if code != 200 || got != "abc" {
				t.Errorf("%s: %d %q", path, code, got)
			}
		}
	}
}

// TestDeniedEarly: a request that is refused before its body was read does not have
// that body taken for the next one.
func TestDeniedEarly(t *testing.T) {
	w := start(t, false, func(rw http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(rw, r.URL.Path) }, nil)
	w.deny = func(a request.Ask) bool { return a.Method == http.MethodPost }
	c := w.connect()
	in := bufio.NewReader(c)
	hidden := get("/hidden")
	if code, _ := exchange(t, c, in, fmt.Sprintf("POST /no HTTP/1.1\r\nHost: far.test\r\nContent-Length: %d\r\n\r\n%s", len(hidden), hidden)); code != 403 {
		t.Errorf("%d", code)
	}
	if code, got := exchange(t, c, in, get("/next")); code != 200 || got != "/next" {
		t.Errorf("%d %q", code, got)
	}
	for _, seen := range w.served() {
		if strings.Contains(seen, "hidden") {
			t.Errorf("the server saw %q", seen)
		}
	}
}
