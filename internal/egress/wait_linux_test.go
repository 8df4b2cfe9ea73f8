package egress_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"ambit.dev/ambit/internal/egress"
	"ambit.dev/ambit/internal/enforce/link/linktest"
)

// A person answers questions when a test says so.
type person struct {
	mu        sync.Mutex
	questions []egress.Question // guarded by mu
	withdrawn int               // guarded by mu
	answers   chan error
}

func newPerson() *person { return &person{answers: make(chan error)} }

func (p *person) Ask(ctx context.Context, q egress.Question) error {
	p.mu.Lock()
	p.questions = append(p.questions, q)
	p.mu.Unlock()
	select {
	case err := <-p.answers:
		return err
	case <-ctx.Done():
		p.mu.Lock()
		p.withdrawn++
		p.mu.Unlock()
		return ctx.Err()
	}
}

// asked waits until there were n questions.
func (p *person) asked(t *testing.T, n int) []egress.Question {
	t.Helper()
	until(t, fmt.Sprintf("there are %d questions", n), func() bool { return len(p.all()) >= n })
	return p.all()
}

func (p *person) all() []egress.Question {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.questions)
}

// asking makes a world in which somebody can be asked, who has granted nothing.
func asking(t *testing.T, grants []string, change func(*egress.Config)) (*world, *person) {
	t.Helper()
	p := newPerson()
	w := start(t, linktest.Options{}, grants, func(c *egress.Config) {
		c.Asker = p
		c.Known = func(string) bool { return true }
		if change != nil {
			change(c)
		}
	})
	return w, p
}

// TestJoinedQuestions: equal questions are one, whose answer all get; others are
// others.
func TestJoinedQuestions(t *testing.T) {
	server := echo(t, "tcp", "127.0.0.1:0")
	port := fmt.Sprint(server.Port())
	loopback := "net.connect:127.0.0.1:" + port
	w, p := asking(t, []string{loopback}, nil)
	w.hosts.set("a.test", "127.0.0.1")
	w.hosts.set("b.test", "127.0.0.1")
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			if got := w.see(t, "tcp", "a.test:"+port, "hello"); got.Text != "echo hello" || got.Took < 300*time.Millisecond {
				t.Errorf("%+v", got)
			}
		})
	}
	for len(w.plane.Flows()) < 20 {
		time.Sleep(5 * time.Millisecond)
	}
	time.Sleep(300 * time.Millisecond)
	q := p.asked(t, 1)
	if len(q) != 1 || q[0].Request.Capability.String() != "net.connect:a.test:"+port || q[0].Request.ID == "" || q[0].Flow.Program.PID != w.PID || q[0].Flow.Name != "a.test" {
		t.Fatalf("%+v", q)
	}
	w.gate.grant(loopback, "net.connect:a.test:"+port)
	p.answers <- nil
	all.Wait()
	all.Go(func() {
		if got := w.see(t, "tcp", "b.test:"+port, "x"); !strings.Contains(got.Err, refused) {
			t.Errorf("refused by a person: %+v", got)
		}
	})
	p.asked(t, 2)
	answered := time.Now()
	p.answers <- nil // an answer that is no
	all.Wait()
	stop := make(chan struct{})
	all.Go(func() { // a machine that is too slow may ask again
		select {
		case p.answers <- nil:
		case <-stop:
		}
	})
	if got := w.see(t, "tcp", "b.test:"+port, "x"); !strings.Contains(got.Err, refused) {
		t.Errorf("asked again: %+v", got)
	}
	late := time.Since(answered) > remembered
	close(stop)
	all.Wait()
	if n := len(p.all()); n != 2 && !late {
		t.Errorf("%d questions", n)
	}
	ends := map[egress.End]int{}
	for _, f := range w.tape.ended(t, 21) {
		ends[f.End]++
	}
	if ends[egress.Done] != 20 || ends[egress.Refused] != 1 && !late {
		t.Errorf("%v", ends)
	}
}

// TestNoAnswer: when nobody answers it is a refusal.
func TestNoAnswer(t *testing.T) {
	w, p := asking(t, nil, nil)
	go func() { p.answers <- errors.New("nobody is there") }()
	if got := w.see(t, "tcp", "a.test:80", "x"); !strings.Contains(got.Err, refused) {
		t.Errorf("%+v", got)
	}
	if f := w.tape.ended(t, 1)[0]; f.End != egress.NoAnswer || f.Why != "nobody is there" {
		t.Errorf("%+v", f)
	}
}

// TestGiveUp: a program that does not wait takes its question back, and nothing
// is dialled on its behalf, whatever is answered later. The next try finds what
// was granted meanwhile.
func TestGiveUp(t *testing.T) {
	server := echo(t, "tcp", "127.0.0.1:0")
	port := fmt.Sprint(server.Port())
	loopback := "net.connect:127.0.0.1:" + port
	w, p := asking(t, []string{loopback}, nil)
	w.hosts.set("a.test", "127.0.0.1")
	done := make(chan outcome, 1)
	go func() { done <- w.see(t, "tcp", "a.test:"+port, "x") }()
	p.asked(t, 1)
	if _, err := w.Do("give up", "a.test:"+port); err != nil {
		t.Fatal(err)
	}
	if got := <-done; !strings.Contains(got.Err, "canceled") {
		t.Errorf("%+v", got)
	}
	if f := w.tape.ended(t, 1)[0]; f.End != egress.GaveUp {
		t.Errorf("%+v", f)
	}
	until(t, "the question is withdrawn", func() bool {
		p.mu.Lock()
		defer p.mu.Unlock()
		return p.withdrawn == 1
	})
	if n := len(p.all()); n != 1 {
		t.Errorf("%d questions", n)
	}
	w.hosts.mu.Lock()
	if w.hosts.n != 0 {
		t.Error("the name was resolved")
	}
	w.hosts.mu.Unlock()
	w.gate.grant(loopback, "net.connect:a.test:"+port)
	if got := w.see(t, "tcp", "a.test:"+port, "x"); got.Text != "echo x" {
		t.Errorf("%+v", got)
	}
}

// TestManyQuestions: so many connections wait and no more; the others are refused
// at once.
func TestManyQuestions(t *testing.T) {
	w, p := asking(t, nil, func(c *egress.Config) { c.Limits.Asking = 8 })
	var all sync.WaitGroup
	var over atomic.Int32
	for i := range 20 {
		all.Go(func() {
			if got := w.see(t, "tcp", fmt.Sprintf("%d.test:80", i), "x"); !strings.Contains(got.Err, refused) {
				t.Errorf("%+v", got)
			}
			over.Add(1)
		})
	}
	until(t, "twelve are refused while nobody answers", func() bool { return over.Load() >= 12 })
	if n := len(p.asked(t, 8)); n != 8 || over.Load() != 12 {
		t.Errorf("%d questions, %d were refused at once", n, over.Load())
	}
	for range 8 {
		p.answers <- nil
	}
	all.Wait()
}

// TestThreeHundredQuestions is a load: as many connections wait, for as many
// names, and all go through.
func TestThreeHundredQuestions(t *testing.T) {
	server := echo(t, "tcp", "127.0.0.1:0")
	port := fmt.Sprint(server.Port())
	w, p := asking(t, []string{"net.connect:127.0.0.1:" + port}, nil)
	grants := []string{"net.connect:127.0.0.1:" + port, "net.connect:*.many.test:" + port}
	var all sync.WaitGroup
	for i := range 300 {
		n := fmt.Sprintf("n%d.many.test", i)
		w.hosts.set(n, "127.0.0.1")
		all.Go(func() {
			if got := w.see(t, "tcp", n+":"+port, "x"); got.Text != "echo x" {
				t.Errorf("%+v", got)
			}
		})
	}
	p.asked(t, 300)
	w.gate.grant(grants...)
	for range 300 {
		p.answers <- nil
	}
	all.Wait()
}

// TestWithdraw: when a grant is withdrawn its flows end, with a reset, and others
// go on; what waits for an answer is put again.
func TestWithdraw(t *testing.T) {
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
			defer c.Close()
			go func() { _, _ = io.Copy(c, c) }()
		}
	}()
	port := fmt.Sprint(l.Addr().(*net.TCPAddr).Port)
	loopback, a, b := "net.connect:127.0.0.1:"+port, "net.connect:a.test:"+port, "net.connect:b.test:"+port
	w := start(t, linktest.Options{}, []string{loopback, a, b}, nil)
	w.hosts.set("a.test", "127.0.0.1")
	w.hosts.set("b.test", "127.0.0.1")
	ended := make(chan outcome, 2)
	for _, n := range []string{"a.test:", "b.test:"} {
		go func() { ended <- w.see(t, "hold", n+port) }()
	}
	for open := 0; open < 2; time.Sleep(5 * time.Millisecond) {
		open = 0
		for _, f := range w.plane.Flows() {
			if !f.Connected.IsZero() {
				open++
			}
		}
	}
	w.plane.Recheck()
	if n := len(w.plane.Flows()); n != 2 {
		t.Fatalf("%d flows after nothing was withdrawn", n)
	}
	w.gate.grant(loopback, b)
	begun := time.Now()
	w.plane.Recheck()
	got := <-ended
	if took := time.Since(begun); took > time.Minute || !strings.Contains(got.Err, "reset") {
		t.Errorf("after %v: %+v", took, got)
	}
	if f := w.tape.ended(t, 1)[0]; f.End != egress.Withdrawn || f.Name != "a.test" {
		t.Errorf("%+v", f)
	}
	w.gate.grant(b) // no longer for the address that it leads to
	w.plane.Recheck()
	if got := <-ended; !strings.Contains(got.Err, "reset") {
		t.Errorf("%+v", got)
	}
	if got := w.see(t, "tcp", "a.test:"+port, "x"); !strings.Contains(got.Err, refused) {
		t.Errorf("%+v", got)
	}
}

// TestGranted: a grant that comes takes effect at once, though a refusal was
// remembered.
func TestGranted(t *testing.T) {
	server := echo(t, "tcp", "127.0.0.1:0")
	port := fmt.Sprint(server.Port())
	w := start(t, linktest.Options{}, nil, func(c *egress.Config) { c.Known = func(string) bool { return true } })
	w.hosts.set("a.test", "127.0.0.1")
	begun := time.Now()
	for range 5 {
		if got := w.see(t, "tcp", "a.test:"+port, "x"); !strings.Contains(got.Err, refused) {
			t.Errorf("%+v", got)
		}
	}
	if n, took := len(w.gate.requests()), time.Since(begun); n < 1 || n > 1+int(took/remembered) {
		t.Errorf("%d requests for five tries within %v", n, took)
	}
	w.gate.grant("net.connect:a.test:"+port, "net.connect:127.0.0.1:"+port)
	w.plane.Recheck()
	if got := w.see(t, "tcp", "a.test:"+port, "x"); got.Text != "echo x" {
		t.Errorf("%+v", got)
	}
}
