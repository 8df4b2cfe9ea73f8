package sdk_test

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	ambit "ambit.dev/ambit/sdk/go"
)

// lines is what a program writes, for who waits for some of it.
type lines struct {
	mu    sync.Mutex
	text  strings.Builder // guarded by mu
	wrote chan struct{}
}

func newLines() *lines { return &lines{wrote: make(chan struct{}, 1)} }

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text.Write(p)
	select {
	case l.wrote <- struct{}{}:
	default: // somebody is told already
	}
	return len(p), nil
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func (l *lines) wait(t *testing.T, want string) {
	t.Helper()
	for late := time.After(patience); !strings.Contains(l.String(), want); {
		select {
		case <-l.wrote:
		case <-late:
			t.Fatalf("it wrote %q, want %q", l.String(), want)
		}
	}
}

// message is one message of a stream.
func message(flags byte, text string) string {
	return string(binary.BigEndian.AppendUint32([]byte{flags}, uint32(len(text)))) + text
}

const whole = `{"caughtUp":true}`

// Of an answer that is cut, or is none, a stream ends with an error after what came
// whole, and never waits.
func TestWrongStreams(t *testing.T) {
	t.Parallel()
	cases := []struct {
		what, sent string
		aborted    bool // the connection is cut
		want       string
	}{
		{"cut behind a message", message(0, whole), true, "seen\ncode unavailable\n"},
		{"cut in a message", message(0, whole) + message(0, whole)[:9], true, "seen\ncode unavailable\n"},
		{"cut in what stands before one", message(0, whole) + "\x00\x00", true, "seen\ncode unavailable\n"},
		{"ended without its end", message(0, whole), false, "seen\ncode unavailable\n"},
		{"ended in a message", message(0, whole) + message(0, whole)[:9], false, "seen\ncode unavailable\n"},
		{"ended", message(0, whole) + message(2, `{}`), false, "seen\ncode none\n"},
		{"an error at the end", message(0, whole) + message(2, `{"error":{"code":"resource_exhausted","message":"x"}}`), false, "seen\ncode resource_exhausted\n"},
		{"an error that nobody knows", message(2, `{"error":{"code":"x","details":[7,{"type":"ambit.v1.Denial","value":"/w"}]}}`), false, "code unknown\n"},
		{"a message of 4 GB", message(0, whole) + "\x00\xff\xff\xff\xff", false, "seen\ncode internal\n"},
		{"a compressed one", message(1, whole), false, "code internal\n"},
		{"no JSON", message(0, `{"caughtUp":`), false, "code internal\n"},
		{"no message", message(0, `[]`), false, "code internal\n"},
		{"another type", message(0, `{"caughtUp":"yes"}`), false, "code internal\n"},
		{"more than is known", message(0, `{"caughtUp":true,"put":null,"later":{"x":[1]}}`) + message(2, `{"metadata":{}}`), false, "seen\ncode none\n"},
	}
	hosts := make([]place, len(cases))
	for i, c := range cases {
		_, hosts[i] = fake(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/connect+json")
			if _, err := w.Write([]byte(c.sent)); err != nil {
				return
			}
			if c.aborted {
				_ = http.NewResponseController(w).Flush()
				panic(http.ErrAbortHandler)
			}
		})
	}
	for _, l := range languages(t) {
		for i, got := range l.each(t, "watch", hosts) {
			if c := cases[i]; got != c.want {
				t.Errorf("%s: %s: %q, want %q", l.name, c.what, got, c.want)
			}
		}
	}
}

// each is what a script says of each host.
func (l language) each(t *testing.T, what string, hosts []place) (all []string) {
	t.Helper()
	args := []string{what}
	for _, h := range hosts {
		args = append(args, strings.Join(h.env, "\n"))
	}
	text := l.said(t, place{}, "trouble", args...)
	said := ""
	for line := range strings.Lines(text) {
		said += line
		if strings.Contains(line, "code ") {
			all, said = append(all, said), ""
		}
	}
	if len(all) != len(hosts) || said != "" {
		t.Fatalf("%s: of %d hosts it says %s", l.name, len(hosts), text)
	}
	return all
}

const late = "code deadline_exceeded\n"

// What answers in place of a host is refused, what does not answer is not waited for,
// and nothing is sent on.
func TestWrongAnswers(t *testing.T) {
	t.Parallel()
	var elsewhere atomic.Int32
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { elsewhere.Add(1) }))
	defer other.Close()
	cases := []struct {
		what   string
		answer http.HandlerFunc
		want   string
	}{
		{"a page", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			fmt.Fprint(w, "<p>{}")
		}, "code unknown\n"},
		{"sent elsewhere", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, other.URL, http.StatusTemporaryRedirect)
		}, "code unknown\n"},
		{"overloaded", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) }, "code unavailable\n"},
		{"cut", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.Header().Set("Content-Length", "100")
			fmt.Fprint(w, `{"checks":[`)
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		}, "code unavailable\n"},
		{"silent", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, late},
		{"silent behind its beginning", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			fmt.Fprint(w, `{"checks":[`)
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
		}, late},
	}
	hosts := make([]place, len(cases))
	for i, c := range cases {
		_, hosts[i] = fake(t, c.answer)
	}
	for _, l := range languages(t) {
		for i, got := range l.each(t, "late", hosts) {
			// On a busy machine half a second may be too short also where there is an answer.
			if c := cases[i]; got != c.want && got != late {
				t.Errorf("%s: %s: %q, want %q", l.name, c.what, got, c.want)
			}
		}
	}
	if n := elsewhere.Load(); n != 0 {
		t.Errorf("another host had %d requests", n)
	}
}

// fake is a socket at which GetVersion is answered as by a host, and all else by answer.
func fake(t *testing.T, answer http.HandlerFunc) (state string, at place) {
	t.Helper()
	state = t.TempDir()
	dir, err := os.Open(state)
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	// By the folder's descriptor, since the name of a socket has its bounds.
	l, err := net.ListenUnix("unix", &net.UnixAddr{Net: "unix", Name: fmt.Sprintf("/proc/self/fd/%d/host.sock", dir.Fd())})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	s := httptest.NewUnstartedServer(hostOf(answer))
	s.Listener.Close()
	s.Listener = l
	s.Config.ErrorLog = log.New(io.Discard, "", 0) // it tells of each connection that is cut
	s.Start()
	t.Cleanup(s.CloseClientConnections)
	return state, place{"", []string{"AMBIT_STATE_DIR=" + state}}
}

func hostOf(answer http.HandlerFunc) http.Handler {
	m := http.NewServeMux()
	m.HandleFunc("/ambit.v1.HostService/GetVersion", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", r.Header.Get("Content-Type"))
		if r.Header.Get("Content-Type") == "application/json" {
			fmt.Fprint(w, `{"version":"1"}`)
		} // an empty one, in binary form
	})
	m.HandleFunc("/", answer)
	return m
}

// A token goes to nobody who shows another certificate than the one that is meant.
func TestTokenStays(t *testing.T) {
	t.Parallel()
	var asked atomic.Int32
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") == "Bearer ambit_mine" {
			asked.Add(1)
		}
		hostOf(http.NotFound).ServeHTTP(w, r)
	}))
	s.Config.ErrorLog = log.New(io.Discard, "", 0) // it tells of each handshake that is left
	s.StartTLS()
	defer s.Close()
	sum := sha256.Sum256(s.Certificate().Raw)
	own := hex.EncodeToString(sum[:])
	at := place{"", []string{"AMBIT_HOST=" + s.URL, "AMBIT_TOKEN=ambit_mine"}}
	places := []place{at, at.but("AMBIT_FINGERPRINT=" + strings.Repeat("ab", 32)), at.but("AMBIT_FINGERPRINT=" + own)}
	for _, l := range languages(t) {
		said := l.each(t, "dial", places)
		if got := strings.Join(said, ""); got != "code unavailable\ncode unavailable\ncode none\n" {
			t.Errorf("%s: two strangers, and the one that is meant: %q", l.name, got)
		}
		if n := asked.Swap(0); n != 1 {
			t.Errorf("%s: it had the token %d times, want once", l.name, n)
		}
	}
}

// The Go client too ends with an error where an answer is cut.
func TestGoCut(t *testing.T) {
	t.Parallel()
	for _, sent := range []string{message(0, ""), message(0, "") + "\x00\x00", message(0, "") + "\x00\x00\x00\x00\x05ab", message(0, "") + "\x00\xff\xff\xff\xff"} {
		for _, aborted := range []bool{false, true} {
			at := fakeGo(t, sent, aborted)
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			c, err := ambit.Dial(ctx, at)
			if err != nil {
				t.Fatal(err)
			}
			for _, got := range c.Waiting(ctx) {
				err = got
			}
			if err == nil || ctx.Err() != nil {
				t.Errorf("%q, aborted %v: %v, %v", sent, aborted, err, ctx.Err())
			}
			c.Close()
			cancel()
		}
	}
}

// fakeGo speaks the binary form, as the Go client does.
func fakeGo(t *testing.T, sent string, aborted bool) (state string) {
	t.Helper()
	state, _ = fake(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/connect+proto")
		if _, err := w.Write([]byte(sent)); err != nil {
			return
		}
		if aborted {
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		}
	})
	return state
}
