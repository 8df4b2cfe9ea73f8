package egress_test

import (
	"context"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"ambit.dev/ambit/internal/egress"
	"ambit.dev/ambit/internal/enforce/link/linktest"
)

var load = flag.Bool("load", false, "test the plane with as much as it is made for")

// crowd opens connections, some at once, has each say a word, keeps them for a
// while, and returns how long opening took.
func crowd(ctx context.Context, args []string) (string, error) {
	n, err := strconv.Atoi(args[1])
	if err != nil {
		return "", err
	}
	stay, err := time.ParseDuration(args[2])
	if err != nil {
		return "", err
	}
	a, err := net.ResolveTCPAddr("tcp", args[0])
	if err != nil {
		return "", err
	}
	begun := time.Now()
	conns := make([]net.Conn, n)
	errs := make([]error, n)
	var group sync.WaitGroup
	place := make(chan struct{}, 100)
	for i := range n {
		place <- struct{}{}
		group.Go(func() {
			defer func() { <-place }()
			if conns[i], errs[i] = (&net.Dialer{}).DialContext(ctx, "tcp", a.String()); errs[i] == nil {
				_, errs[i] = io.WriteString(conns[i], "x")
			}
		})
	}
	group.Wait()
	took := time.Since(begun)
	time.Sleep(stay)
	for i, c := range conns {
		if errs[i] != nil {
			return "", errs[i]
		}
		_ = c.Close()
	}
	return took.String(), nil
}

// resident is the memory of this process.
func resident(t *testing.T) int64 {
	t.Helper()
	debug.FreeOSMemory() // what could be given back is not counted
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if v, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			n, err := strconv.ParseInt(strings.Fields(v)[0], 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			return n << 10
		}
	}
	t.Fatal("no VmRSS")
	return 0
}

// TestCrowd has thousands of connections open at once, and what they cost.
func TestCrowd(t *testing.T) {
	n := 300
	if *load {
		n = 5000
	}
	var mu sync.Mutex
	var kept []net.Conn
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			kept = append(kept, c)
			mu.Unlock()
		}
	}()
	defer func() {
		mu.Lock()
		defer mu.Unlock()
		for _, c := range kept {
			_ = c.Close()
		}
	}()
	w, to := openTo(t, l.Addr(), func(c *egress.Config) { c.Recorder = nil })
	before := resident(t)
	done := make(chan string, 1)
	go func() {
		took, err := w.Do("crowd", to, strconv.Itoa(n), "1500ms")
		if err != nil {
			t.Error(err)
		}
		done <- took
	}()
	open := 0
	for begun := time.Now(); open < n && time.Since(begun) < time.Minute; time.Sleep(20 * time.Millisecond) {
		open = 0
		for _, f := range w.plane.Flows() {
			if f.Out > 0 {
				open++
			}
		}
	}
	after := resident(t)
	if open != n {
		t.Errorf("%d of %d connections are open", open, n)
	}
	t.Logf("%d connections in %s, %d bytes each, %d MiB in all", n, <-done, (after-before)/int64(n), after>>20)
	if *load && after-before > int64(n)*(64<<10) {
		t.Errorf("%d connections take %d bytes", n, after-before)
	}
	mu.Lock()
	for _, c := range kept {
		_ = c.Close()
	}
	mu.Unlock()
	until(t, "no flow lives", func() bool { return len(w.plane.Flows()) == 0 })
}

// TestRate makes many short connections, one after the other, and looks for what
// grows.
func TestRate(t *testing.T) {
	n := 500
	if *load {
		n = 5000
	}
	at := each(t, func(c *net.TCPConn) { _, _ = io.Copy(io.Discard, c) })
	w, to := openTo(t, at, func(c *egress.Config) { c.Recorder = nil })
	var grown []int64
	for range 3 {
		took, err := w.Do("crowd", to, strconv.Itoa(n), "0s")
		if err != nil {
			t.Fatal(err)
		}
		for len(w.plane.Flows()) > 0 {
			time.Sleep(10 * time.Millisecond)
		}
		d, _ := time.ParseDuration(took)
		grown = append(grown, resident(t))
		t.Logf("%.0f connections in a second, %d MiB, %d goroutines", float64(n)/d.Seconds(), grown[len(grown)-1]>>20, runtime.NumGoroutine())
	}
	if more := grown[2] - grown[1]; more > 32<<20 {
		t.Errorf("%d bytes more after as many connections again", more)
	}
}

// TestManyNames: a sandbox that looks up more names than there is room for is told
// so, and keeps what it has.
func TestManyNames(t *testing.T) {
	n := 300
	if *load {
		n = 10_000
	}
	w := start(t, linktest.Options{}, nil, func(c *egress.Config) {
		c.Known = func(string) bool { return true }
		c.Limits.Names = n
	})
	before := resident(t)
	if got, err := w.Do("names", strconv.Itoa(n), "test"); err != nil || got != strconv.Itoa(n) {
		t.Errorf("%s names were found, %v", got, err)
	}
	if got, err := w.Do("names", "20", "more.test"); err != nil || got != "0" {
		t.Errorf("%s names were found beyond the bound, %v", got, err)
	}
	if got, err := w.Do("names", "20", "test"); err != nil || got != "20" {
		t.Errorf("%s of the first names are still there, %v", got, err)
	}
	t.Logf("%d names: %d bytes each", n, (resident(t)-before)/int64(n))
}

// names looks up n names and returns how many were found.
func names(ctx context.Context, args []string) (string, error) {
	n, err := strconv.Atoi(args[0])
	if err != nil {
		return "", err
	}
	found := 0
	var mu sync.Mutex
	var group sync.WaitGroup
	place := make(chan struct{}, 8)
	for i := range n {
		place <- struct{}{}
		group.Go(func() {
			defer func() { <-place }()
			all, err := net.DefaultResolver.LookupNetIP(ctx, "ip4", fmt.Sprintf("n%d.%s.", i, args[1]))
			if err == nil && len(all) == 1 {
				mu.Lock()
				defer mu.Unlock()
				found++
			}
		})
	}
	group.Wait()
	return strconv.Itoa(found), nil
}

// TestWithdrawCrowd ends thousands of connections whose grant is withdrawn, soon.
func TestWithdrawCrowd(t *testing.T) {
	n := 300
	if *load {
		n = 5000
	}
	at := each(t, func(c *net.TCPConn) { _, _ = io.Copy(io.Discard, c) })
	w, to := openTo(t, at, func(c *egress.Config) { c.Recorder = nil })
	go func() { _, _ = w.Do("crowd", to, strconv.Itoa(n), "20s") }()
	for open := 0; open < n; time.Sleep(20 * time.Millisecond) {
		open = 0
		for _, f := range w.plane.Flows() {
			if f.Out > 0 {
				open++
			}
		}
	}
	w.gate.grant()
	before := len(w.gate.requests())
	begun := time.Now()
	w.plane.Recheck()
	took := time.Since(begun)
	until(t, "no flow lives", func() bool { return len(w.plane.Flows()) == 0 })
	t.Logf("%d connections were ended in %v, and were gone after %v", n, took, time.Since(begun))
	if asked := len(w.gate.requests()) - before; asked > 10 {
		t.Errorf("%d requests for what rests on two grants", asked)
	}
	if !*load && took > time.Minute {
		t.Errorf("it took %v", took)
	}
}
