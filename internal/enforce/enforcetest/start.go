package enforcetest

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"ambit.dev/ambit/internal/enforce"
)

// mark is in the environment of everything that is started here.
const mark = "AMBIT_ENFORCETEST"

// longest is how long a program may take, in an emulated machine too.
const longest = 5 * time.Minute

// ended is a program that has.
type ended struct {
	enforce.Result
	out, err string
	denials  []enforce.Denial
	report   enforce.Report
}

// run starts the plan of in, feeds it, and waits for its end.
func (s suite) run(t testing.TB, in enforce.Input, input []byte) ended {
	t.Helper()
	r := s.start(t, in, input)
	return r.wait(t)
}

// running is a program that was released.
type running struct {
	enforce.Session
	out, err *stream
	denials  chan []enforce.Denial
}

func (s suite) start(t testing.TB, in enforce.Input, input []byte) *running {
	t.Helper()
	p, err := s.compile(in)
	if err != nil {
		t.Fatal(err)
	}
	stdin, feed := pipe(t)
	r := &running{out: newStream(t), err: newStream(t), denials: make(chan []enforce.Denial, 1)}
	inside, err := s.tier.Start(t.Context(), p, enforce.Stdio{In: stdin, Out: r.out.w, Err: r.err.w})
	for _, f := range []*os.File{stdin, r.out.w, r.err.w} {
		if e := f.Close(); e != nil {
			t.Error(e)
		}
	}
	if err != nil {
		_ = feed.Close()
		t.Fatal(err)
	}
	r.Session = inside
	go func() {
		_, _ = feed.Write(input) // the program need not read it
		_ = feed.Close()
	}()
	go func() {
		var all []enforce.Denial
		for d := range inside.Denials() {
			all = append(all, d)
		}
		r.denials <- all
	}()
	if err := inside.Release(); err != nil {
		t.Error(err)
	}
	return r
}

func (r *running) wait(t testing.TB) ended {
	t.Helper()
	stop := time.AfterFunc(longest, func() { _ = r.Kill() }) // it may have ended
	defer stop.Stop()
	result, err := r.Wait()
	if err != nil {
		t.Error(err)
	}
	return ended{Result: result, out: r.out.all(), err: r.err.all(), denials: <-r.denials, report: r.Report()}
}

// stream collects what is written to w.
type stream struct {
	w    *os.File
	text bytes.Buffer
	done chan struct{}
}

func newStream(t testing.TB) *stream {
	t.Helper()
	r, w := pipe(t)
	s := &stream{w: w, done: make(chan struct{})}
	go func() {
		defer close(s.done)
		_, _ = io.Copy(&s.text, r) // it ends with the last writer
		_ = r.Close()
	}()
	return s
}

func (s *stream) all() string {
	<-s.done
	return s.text.String()
}

func pipe(t testing.TB) (r, w *os.File) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	return r, w
}

// left are processes that were started for p.
func (p place) left() (pids []int) {
	found, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		panic(err) // of the pattern
	}
	for _, dir := range found {
		variables, err := os.ReadFile(dir + "/environ")
		started := err == nil && bytes.Contains(variables, []byte(mark+"="+p.dir))
		arguments, err := os.ReadFile(dir + "/cmdline")
		if started || err == nil && bytes.Contains(arguments, []byte(p.session())) {
			if pid, err := strconv.Atoi(filepath.Base(dir)); err == nil {
				pids = append(pids, pid)
			}
		}
	}
	return pids
}

// gone waits a moment until nothing is left.
func (p place) gone(t testing.TB) {
	t.Helper()
	if !eventually(func() bool { return len(p.left()) == 0 }) {
		t.Errorf("processes are left: %v", p.left())
	}
}
