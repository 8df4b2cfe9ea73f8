package script_test

import (
	"bufio"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// service answers whoever connects to a socket of the host, and counts them.
func service(t *testing.T, path string) (came *atomic.Int32) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	came = &atomic.Int32{}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			came.Add(1)
			_, _ = io.WriteString(c, "served")
			_ = c.Close()
		}
	}()
	return came
}

// connecting connects to each path that it reads, and prints what came of it.
const connecting = `
import socket, sys
for path in sys.stdin:
    path = path.rstrip("\n")
    s = socket.socket(socket.AF_UNIX)
    try:
        s.connect(path)
        print(path, s.recv(9).decode(), flush=True)
    except OSError as e:
        print(path, e.strerror, flush=True)
`

// A connector is connecting inside a sandbox.
type connector struct {
	*asking
	b   *bench
	to  io.WriteCloser
	out *bufio.Reader
}

func (b *bench) connector(t *testing.T, flags ...string) *connector {
	t.Helper()
	a := &asking{Cmd: b.command(append(append([]string{"run", "--ask", "queue"}, flags...), "--", "/usr/bin/python3", "-c", connecting)...)}
	a.Stderr = &a.err
	c := &connector{asking: a, b: b}
	out, err := a.StdoutPipe()
	if err == nil {
		c.to, err = a.StdinPipe()
	}
	if err == nil {
		err = a.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(a.end)
	c.out = bufio.NewReader(out)
	return c
}

// connect says what came of it.
func (c *connector) connect(t *testing.T, path string) string {
	t.Helper()
	if _, err := io.WriteString(c.to, path+"\n"); err != nil {
		t.Fatalf("%v: %s", err, c.err.String())
	}
	line, err := c.out.ReadString('\n')
	if err != nil {
		t.Fatalf("%v: %s", err, c.err.String())
	}
	return strings.TrimSpace(strings.TrimPrefix(line, path+" "))
}

// byEach runs a test in a view with a trap and in one without.
func byEach(t *testing.T, test func(t *testing.T, b *bench, by string)) {
	t.Run("by trap", func(t *testing.T) {
		t.Parallel()
		test(t, newAskingBench(t), "trap")
	})
	t.Run("by notification", func(t *testing.T) {
		t.Parallel()
		test(t, newHiddenBench(t), "notification")
	})
}

// TestAskSocket: who connects to a socket of the host is asked about, wherever
// that lies, and a folder does not give the sockets in it.
func TestAskSocket(t *testing.T) {
	byEach(t, func(t *testing.T, b *bench, by string) {
		temporary, err := os.MkdirTemp("/tmp", "s") //nolint:usetesting // where the view has a place of its own; short: a socket's path has 108 bytes
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { os.RemoveAll(temporary) })
		hidden, granted, refused := filepath.Join(b.dir, "s.sock"), filepath.Join(b.dir, "proj/g.sock"), filepath.Join(b.dir, "proj/r.sock")
		own := filepath.Join(temporary, "agent")
		paths := []string{hidden, granted, own}
		if os.Getuid() == 0 { // where programs look around, and nobody is asked about files
			run, err := os.MkdirTemp("/run", "s") //nolint:usetesting // as above
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { os.RemoveAll(run) })
			paths = append(paths, filepath.Join(run, "bus"))
		}
		for _, p := range paths {
			service(t, p)
		}
		came := service(t, refused)
		a := b.answering(t, func(q waiting) []string {
			if strings.HasSuffix(q.Question.Capability, "r.sock") {
				return []string{"deny"}
			}
			return []string{"approve", "--broad"}
		})
		c := b.connector(t, "--ask-by", by, "--allow", "fs.write:proj")
		for range 2 { // the second time nobody is asked
			for _, p := range paths {
				if got := c.connect(t, p); got != "served" {
					t.Errorf("%s: %s", p, got)
				}
			}
			if got := c.connect(t, refused); got != "Permission denied" {
				t.Errorf("refused: %s", got)
			}
		}
		if got := c.connect(t, filepath.Join(b.dir, "absent")); got != "No such file or directory" {
			t.Errorf("absent: %s", got)
		}
		if came.Load() != 0 {
			t.Error("the service behind the socket that was refused was reached")
		}
		a.stop()
		a.mu.Lock()
		defer a.mu.Unlock()
		var put []string
		for _, q := range a.all {
			put = append(put, strings.TrimPrefix(q.Question.Capability, "fs.read:"))
			if q.Question.Sensitive == "" || len(q.Question.Offers) != 1 || !q.Question.Offers[0].Broad {
				t.Errorf("%+v: want a strong question about this socket alone", q)
			}
		}
		want := append(slices.Clone(paths), refused)
		slices.Sort(put)
		slices.Sort(want)
		if !slices.Equal(put, want) {
			t.Errorf("asked %q, want %q", put, want)
		}
	})
}

// TestAskSocketRevoked: what a grant of a socket gave ends with it, also where
// the folder stays granted.
func TestAskSocketRevoked(t *testing.T) {
	byEach(t, func(t *testing.T, b *bench, by string) {
		socket := filepath.Join(b.dir, "proj/g.sock")
		service(t, socket)
		b.run("grants", "add", "fs.read:"+socket).want(t, 0)
		c := b.connector(t, "--ask-by", by, "--ask-timeout", "0", "--allow", "fs.read:proj")
		if got := c.connect(t, socket); got != "served" {
			t.Fatalf("granted: %s %s", got, c.err.String())
		}
		list := b.run("grants", "ls").out
		at := strings.Index(list, "g-")
		b.run("grants", "revoke", list[at:at+len("g-xxxxxxxxxx")]).want(t, 0)
		for end := time.Now().Add(patience); c.connect(t, socket) == "served"; time.Sleep(20 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatal("it can still be connected to")
			}
		}
	})
}
