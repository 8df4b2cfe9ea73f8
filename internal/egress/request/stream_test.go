package request_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"ambit.dev/ambit/internal/egress/request"
)

// TestStreaming: bodies pass as they come, in both directions at once.
func TestStreaming(t *testing.T) {
	ways(t, func(t *testing.T, secure, two bool) {
		w := start(t, secure, func(rw http.ResponseWriter, r *http.Request) {
			rc := http.NewResponseController(rw)
			_ = rc.EnableFullDuplex()
			rw.WriteHeader(200)
			_ = rc.Flush()
			lines := bufio.NewScanner(r.Body)
			for lines.Scan() {
				fmt.Fprintln(rw, "echo", lines.Text())
				_ = rc.Flush()
			}
		}, nil)
		in, out := io.Pipe()
		r, err := http.NewRequestWithContext(t.Context(), "POST", w.url()+"/", in)
		if err != nil {
			t.Fatal(err)
		}
		go func() { _, _ = io.WriteString(out, "one\n") }()
		resp, err := w.client(two).Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		lines := bufio.NewScanner(resp.Body)
		for _, word := range []string{"one", "two", "three"} {
			if word != "one" {
				if _, err := io.WriteString(out, word+"\n"); err != nil {
					t.Fatal(err)
				}
			}
			if !lines.Scan() || lines.Text() != "echo "+word {
				t.Fatalf("got %q, %v", lines.Text(), lines.Err())
			}
		}
		_ = out.Close()
		if lines.Scan() {
			t.Errorf("got %q more", lines.Text())
		}
	})
}

// TestTrailers: trailers pass both ways, announced or not, and so do early
// responses, status without body, and what has no type.
func TestTrailers(t *testing.T) {
	ways(t, func(t *testing.T, secure, two bool) {
		var trailer http.Header
		w := start(t, secure, func(rw http.ResponseWriter, r *http.Request) {
			switch r.URL.Path {
			case "/empty":
				rw.WriteHeader(204)
				return
			case "/untyped":
				rw.Header()["Content-Type"], rw.Header()["Date"] = nil, nil
				_, _ = io.WriteString(rw, "<html>")
				return
			}
			rw.Header().Set("Link", "</style>")
			rw.WriteHeader(103)
			rw.Header().Set("Trailer", "X-Sum")
			_, _ = io.Copy(io.Discard, r.Body)
			trailer = r.Trailer
			_, _ = io.WriteString(rw, "text")
			rw.Header().Set("X-Sum", "4")
			rw.Header().Set(http.TrailerPrefix+"X-Late", "5")
		}, nil)
		c := w.client(two)
		r, err := http.NewRequestWithContext(t.Context(), "POST", w.url()+"/", io.MultiReader(strings.NewReader("a"), strings.NewReader("b")))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Expect", "100-continue")
		r.Trailer = http.Header{"X-Mine": {"6"}}
		resp, err := c.Do(r)
		if text := body(t, resp, err); text != "text" || resp.Trailer.Get("X-Sum") != "4" || resp.Trailer.Get("X-Late") != "5" {
			t.Errorf("%q, trailer %v", text, resp.Trailer)
		}
		if trailer.Get("X-Mine") != "6" {
			t.Errorf("the server saw the trailer %v", trailer)
		}
		resp, err = c.Get(w.url() + "/empty")
		if text := body(t, resp, err); resp.StatusCode != 204 || text != "" {
			t.Errorf("%d %q", resp.StatusCode, text)
		}
		resp, err = c.Get(w.url() + "/untyped")
		if text := body(t, resp, err); text != "<html>" || resp.Header["Content-Type"] != nil || resp.Header["Date"] != nil {
			t.Errorf("%q %v", text, resp.Header)
		}
		resp, err = c.Head(w.url() + "/untyped")
		if body(t, resp, err); resp.StatusCode != 200 {
			t.Errorf("HEAD: %d", resp.StatusCode)
		}
	})
}

// TestEarlyAndContinue: a program that waits until it may send its body is told to,
// also where the server has another response before the one that counts.
func TestEarlyAndContinue(t *testing.T) {
	ways(t, func(t *testing.T, secure, two bool) {
		w := start(t, secure, func(rw http.ResponseWriter, r *http.Request) {
			rw.WriteHeader(103)
			_, _ = io.Copy(rw, r.Body)
		}, nil)
		c := w.client(two)
		for range 100 { // whichever of both comes first
			ctx, cancel := context.WithTimeout(t.Context(), 50*time.Second) // the client itself waits longer
			r, err := http.NewRequestWithContext(ctx, "POST", w.url()+"/", strings.NewReader("text"))
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Expect", "100-continue")
			resp, err := c.Do(r)
			if text := body(t, resp, err); text != "text" {
				t.Errorf("%q", text)
			}
			cancel()
		}
	})
}

// TestBroken: a response that breaks off is not whole to the program either.
func TestBroken(t *testing.T) {
	ways(t, func(t *testing.T, secure, two bool) {
		w := start(t, secure, func(rw http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(rw, "part")
			_ = http.NewResponseController(rw).Flush()
			panic(http.ErrAbortHandler)
		}, nil)
		resp, err := w.client(two).Get(w.url())
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if b, err := io.ReadAll(resp.Body); err == nil {
			t.Errorf("%q was whole", b)
		}
	})
}

// TestUpgrade: a WebSocket goes through as a stream, what no WebSocket is does not.
func TestUpgrade(t *testing.T) {
	for _, allow := range []bool{true, false} {
		w := start(t, false, func(rw http.ResponseWriter, _ *http.Request) {
			c, rest, err := http.NewResponseController(rw).Hijack()
			if err != nil {
				return
			}
			defer c.Close()
			_, _ = io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nX-A: b\r\n\r\n")
			_, _ = io.Copy(c, rest)
		}, nil)
		w.deny = func(a request.Ask) bool { return a.Stream && !allow }
		c := w.connect()
		if _, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: far.test\r\nConnection: upgrade\r\nUpgrade: WebSocket\r\n\r\nfirst"); err != nil {
			t.Fatal(err)
		}
		r := bufio.NewReader(c)
		resp, err := http.ReadResponse(r, nil)
		if err != nil {
			t.Fatal(err)
		}
		if !allow {
			if resp.StatusCode != 403 || w.served() != nil {
				t.Errorf("%d", resp.StatusCode)
			}
			continue
		}
		for _, word := range []string{"first", "later"} {
			if word == "later" {
				_, _ = io.WriteString(c, word)
			}
			b := make([]byte, 5)
			if _, err := io.ReadFull(r, b); err != nil || string(b) != word {
				t.Errorf("%d: %q, %v", resp.StatusCode, b, err)
			}
		}
		if resp.Header.Get("X-A") != "b" {
			t.Errorf("header %v", resp.Header)
		}
		_ = c.Close()
		w.left.Wait()
		if len(w.told) != 1 || w.told[0].Status != 101 || w.told[0].In != 10 || w.told[0].Out != 10 {
			t.Errorf("told %+v", w.told)
		}
	}
}

// TestEvents: a stream of events is decided again, as a stream.
func TestEvents(t *testing.T) {
	ways(t, func(t *testing.T, secure, two bool) {
		w := start(t, secure, func(rw http.ResponseWriter, _ *http.Request) {
			rw.Header().Set("Content-Type", "Text/Event-Stream; charset=utf-8")
			_, _ = io.WriteString(rw, "data: x\n\n")
		}, nil)
		w.deny = func(a request.Ask) bool { return a.Stream }
		resp, err := w.client(two).Get(w.url())
		if text := body(t, resp, err); resp.StatusCode != 403 || strings.Contains(text, "data: x") {
			t.Errorf("%d %q", resp.StatusCode, text)
		}
	})
}
