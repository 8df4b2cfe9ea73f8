package approval_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"ambit.dev/ambit/internal/approval"
	"ambit.dev/ambit/internal/core/capability"
	"ambit.dev/ambit/internal/core/grant"
)

func read(t testing.TB, path string) capability.Capability {
	t.Helper()
	c, err := capability.ForPath(capability.FSRead, path)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// question asks to read a file; the directory /home/u/proj is offered too.
func question(t testing.TB, id, path string) approval.Question {
	t.Helper()
	c := read(t, path)
	return approval.Question{ID: id, Session: "s-1", Principal: "uid:1", Program: "cat", PID: 7, Capability: c, Offers: []approval.Offer{
		{Capability: c, Scope: approval.ScopeFile}, {Capability: read(t, "/home/u/proj"), Scope: approval.ScopeDir}}}
}

// front answers from a channel, and counts.
type front struct {
	name   string
	says   chan approval.Answer
	fails  error
	asked  atomic.Int32
	gone   atomic.Int32 // whose context ended before they answered
	linger time.Duration
}

func (f *front) Name() string { return f.name }

func (f *front) Ask(ctx context.Context, _ approval.Question) (approval.Answer, error) {
	f.asked.Add(1)
	if f.fails != nil {
		return approval.Answer{}, f.fails
	}
	select {
	case a := <-f.says:
		return a, nil
	case <-ctx.Done():
		time.Sleep(f.linger)
		f.gone.Add(1)
		return approval.Answer{}, ctx.Err()
	}
}

func newFront(name string) *front { return &front{name: name, says: make(chan approval.Answer)} }

func fronts(all ...*front) (list []approval.Front) {
	for _, f := range all {
		list = append(list, f)
	}
	return list
}

// kept records what Keep was told.
type kept struct {
	mu  sync.Mutex
	all []approval.Answer // guarded by mu
	err error
}

func (k *kept) keep(_ context.Context, _ approval.Question, a approval.Answer) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.all = append(k.all, a)
	return k.err
}

func (k *kept) count() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return len(k.all)
}

func allow(t testing.TB, path string) approval.Answer {
	return approval.Answer{Outcome: grant.Allow, Capability: read(t, path), Span: grant.Session}
}

func TestFirstAnswerWins(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow, quick, k := newFront("terminal"), newFront("webhook"), &kept{}
		slow.linger = 200 * time.Millisecond
		d := approval.New(approval.Config{Fronts: fronts(slow, quick), Timeout: time.Minute, Keep: k.keep})
		go func() {
			time.Sleep(time.Second)
			quick.says <- allow(t, "/home/u/proj/a")
		}()
		start := time.Now()
		a, err := d.Ask(t.Context(), question(t, "d-1", "/home/u/proj/a"))
		if err != nil || !a.Allowed() || a.By != "webhook" || a.Question != "d-1" {
			t.Errorf("got %+v, %v", a, err)
		}
		if took := time.Since(start); took != 1200*time.Millisecond {
			t.Errorf("answered after %v: want the other front to have cleared away", took)
		}
		if slow.gone.Load() != 1 || k.count() != 1 {
			t.Errorf("%d fronts were told, %d answers kept", slow.gone.Load(), k.count())
		}
		d.Wait()
	})
}

// A front that does not come back holds nobody for longer than a moment.
func TestFrontThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hangs, quick := newFront("terminal"), newFront("webhook")
		hangs.linger = time.Hour
		d := approval.New(approval.Config{Fronts: fronts(hangs, quick), Timeout: time.Minute})
		go func() { quick.says <- allow(t, "/home/u/proj/a") }()
		start := time.Now()
		if a, err := d.Ask(t.Context(), question(t, "d-1", "/home/u/proj/a")); err != nil || !a.Allowed() {
			t.Errorf("got %+v, %v", a, err)
		}
		if took := time.Since(start); took > 2*time.Second {
			t.Errorf("took %v", took)
		}
		d.Wait()
	})
}

func TestJoin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, k := newFront("terminal"), &kept{}
		d := approval.New(approval.Config{Fronts: fronts(f), Timeout: time.Minute, Keep: k.keep})
		var wg sync.WaitGroup
		for i := range 200 {
			wg.Go(func() {
				a, err := d.Ask(t.Context(), question(t, fmt.Sprintf("d-%d", i), "/home/u/proj/a"))
				if err != nil || !a.Allowed() {
					t.Errorf("got %+v, %v", a, err)
				}
			})
		}
		synctest.Wait()
		f.says <- allow(t, "/home/u/proj/a")
		wg.Wait()
		if f.asked.Load() != 1 || k.count() != 1 {
			t.Errorf("asked %d times, kept %d times, want once", f.asked.Load(), k.count())
		}
	})
}

// Questions of other sessions, packs and principals are other questions.
func TestNotJoined(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFront("terminal")
		d := approval.New(approval.Config{Fronts: fronts(f), Timeout: time.Minute})
		q := question(t, "d-1", "/home/u/proj/a")
		others := []approval.Question{q, q, q, q}
		others[1].Session, others[2].Pack, others[3].Principal = "s-2", "p", "uid:2"
		var wg sync.WaitGroup
		for _, q := range others {
			wg.Go(func() { _, _ = d.Ask(t.Context(), q) })
		}
		synctest.Wait()
		if got := f.asked.Load(); got != 4 {
			t.Errorf("asked %d times, want 4", got)
		}
		wg.Wait()
	})
}

func TestTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFront("terminal")
		d := approval.New(approval.Config{Fronts: fronts(f), Timeout: 5 * time.Minute})
		start := time.Now()
		a, err := d.Ask(t.Context(), question(t, "d-1", "/home/u/proj/a"))
		if err != nil || a.Allowed() || a.Text != "nobody answered within 5m0s" || time.Since(start) != 5*time.Minute {
			t.Errorf("got %+v, %v after %v", a, err, time.Since(start))
		}
		// The program tries again: the same answer, at once.
		again, err := d.Ask(t.Context(), question(t, "d-2", "/home/u/proj/a"))
		if err != nil || again != a || f.asked.Load() != 1 || time.Since(start) != 5*time.Minute {
			t.Errorf("again: got %+v, %v; asked %d times", again, err, f.asked.Load())
		}
	})
}

func TestNobody(t *testing.T) {
	for _, tc := range []struct {
		name string
		cfg  approval.Config
		want string
	}{
		{"no fronts", approval.Config{Timeout: time.Minute}, "nobody can be asked"},
		{"no time", approval.Config{Fronts: fronts(newFront("terminal"))}, "the time to answer is 0"},
		{"only one that fails", approval.Config{Fronts: fronts(&front{fails: errors.New("no terminal")}), Timeout: time.Minute}, "no terminal"},
	} {
		a, err := approval.New(tc.cfg).Ask(t.Context(), question(t, "d-1", "/home/u/proj/a"))
		if err != nil || a.Allowed() || !strings.Contains(a.Text, tc.want) {
			t.Errorf("%s: got %+v, %v, want %q", tc.name, a, err, tc.want)
		}
	}
}

// A front that fails is out, and told of; the others go on.
func TestFrontFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		broken, works := newFront("webhook"), newFront("terminal")
		broken.fails = errors.New("no route")
		var told string
		d := approval.New(approval.Config{Fronts: fronts(broken, works), Timeout: time.Minute,
			Failed: func(name string, err error) { told = name + ": " + err.Error() }})
		go func() {
			time.Sleep(time.Second)
			works.says <- allow(t, "/home/u/proj/a")
		}()
		if a, err := d.Ask(t.Context(), question(t, "d-1", "/home/u/proj/a")); err != nil || !a.Allowed() || told != "webhook: no route" {
			t.Errorf("got %+v, %v, told %q", a, err, told)
		}
	})
}

func TestFit(t *testing.T) {
	now := time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)
	file, dir := read(t, "/home/u/proj/a"), read(t, "/home/u/proj")
	for _, tc := range []struct {
		name string
		a    approval.Answer
		ok   bool
	}{
		{"zero", approval.Answer{}, true},
		{"the file, once", approval.Answer{Outcome: grant.Allow, Capability: file}, true},
		{"the directory, always", approval.Answer{Outcome: grant.Allow, Capability: dir, Span: grant.Always}, true},
		{"never", approval.Answer{Capability: dir, Span: grant.Always}, true},
		{"until", approval.Answer{Outcome: grant.Allow, Capability: file, Span: grant.Until, Until: now.Add(1)}, true},
		{"nothing", approval.Answer{Outcome: grant.Allow}, false},
		{"not offered", approval.Answer{Outcome: grant.Allow, Capability: read(t, "/home/u")}, false},
		{"denies what was not offered", approval.Answer{Capability: read(t, "/etc")}, false},
		{"until before", approval.Answer{Outcome: grant.Allow, Capability: file, Span: grant.Until, Until: now}, false},
		{"until without a time", approval.Answer{Outcome: grant.Allow, Capability: file, Span: grant.Until}, false},
		{"always with a time", approval.Answer{Outcome: grant.Allow, Capability: file, Span: grant.Always, Until: now.Add(1)}, false},
		{"unknown span", approval.Answer{Outcome: grant.Allow, Capability: file, Span: 9}, false},
		{"unknown outcome", approval.Answer{Outcome: 9, Capability: file}, false},
	} {
		got, err := question(t, "d-1", "/home/u/proj/a").Fit(tc.a, now)
		if (err == nil) != tc.ok {
			t.Errorf("%s: got %+v, %v", tc.name, got, err)
		}
		if err != nil && got != (approval.Answer{}) {
			t.Errorf("%s: refused, and yet %+v", tc.name, got)
		}
	}
}

// What a front answers beyond what was offered is no answer.
func TestFrontGrantsMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, k := newFront("webhook"), &kept{}
		d := approval.New(approval.Config{Fronts: fronts(f), Timeout: time.Minute, Keep: k.keep})
		go func() { f.says <- allow(t, "/home/u") }()
		a, err := d.Ask(t.Context(), question(t, "d-1", "/home/u/proj/a"))
		if err != nil || a.Allowed() || !strings.Contains(a.Text, "was not offered") || k.count() != 0 {
			t.Errorf("got %+v, %v, kept %d", a, err, k.count())
		}
	})
}

func TestKeepFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, k := newFront("terminal"), &kept{err: errors.New("no space left")}
		d := approval.New(approval.Config{Fronts: fronts(f), Timeout: time.Minute, Keep: k.keep})
		go func() { f.says <- allow(t, "/home/u/proj/a") }()
		if a, err := d.Ask(t.Context(), question(t, "d-1", "/home/u/proj/a")); err == nil || a != (approval.Answer{}) {
			t.Errorf("got %+v, %v", a, err)
		}
	})
}

func TestRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFront("terminal")
		d := approval.New(approval.Config{Fronts: fronts(f), Timeout: time.Hour, Rate: approval.Rate{PerMinute: 4, Open: 3}})
		ctx, cancel := context.WithCancel(t.Context())
		ask := func(i int) (approval.Answer, error) {
			return d.Ask(ctx, question(t, fmt.Sprintf("d-%d", i), fmt.Sprintf("/home/u/proj/%d", i)))
		}
		var wg sync.WaitGroup
		for i := range 3 {
			wg.Go(func() { _, _ = ask(i) })
		}
		synctest.Wait()
		if a, err := ask(3); err != nil || a.Allowed() || !a.Busy || !strings.Contains(a.Text, "3 questions are open") {
			t.Errorf("a fourth open question: got %+v, %v", a, err)
		}
		other := question(t, "d-x", "/home/u/proj/x")
		other.Session = "s-2"
		wg.Go(func() { _, _ = d.Ask(ctx, other) })
		synctest.Wait()
		if f.asked.Load() != 4 {
			t.Errorf("asked %d times: want another session to have bounds of its own", f.asked.Load())
		}
		f.says <- approval.Answer{}
		f.says <- approval.Answer{}
		f.says <- approval.Answer{}
		f.says <- approval.Answer{}
		wg.Wait()
		wg.Go(func() { _, _ = ask(4) })
		synctest.Wait()
		if a, err := ask(5); err != nil || a.Allowed() || !a.Busy || !strings.Contains(a.Text, "more than 4 questions in a minute") {
			t.Errorf("a fifth question in a minute: got %+v, %v", a, err)
		}
		time.Sleep(time.Minute)
		wg.Go(func() { _, _ = ask(5) }) // the bound was no answer to remember
		synctest.Wait()
		if f.asked.Load() != 6 {
			t.Errorf("asked %d times after a minute", f.asked.Load())
		}
		cancel()
		wg.Wait()
	})
}

// The question goes away with the last who waits, and not before.
func TestWithdraw(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, k := newFront("terminal"), &kept{}
		d := approval.New(approval.Config{Fronts: fronts(f), Timeout: time.Hour, Keep: k.keep})
		first, leaveFirst := context.WithCancel(t.Context())
		second, leaveSecond := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		for _, ctx := range []context.Context{first, second} {
			wg.Go(func() {
				if a, err := d.Ask(ctx, question(t, "d-1", "/home/u/proj/a")); !errors.Is(err, context.Canceled) || a.Allowed() {
					t.Errorf("got %+v, %v", a, err)
				}
			})
			synctest.Wait()
		}
		leaveFirst()
		synctest.Wait()
		if f.gone.Load() != 0 {
			t.Error("withdrawn although one waits")
		}
		leaveSecond()
		wg.Wait()
		d.Wait()
		if f.gone.Load() != 1 {
			t.Error("not withdrawn")
		}
		// It was no answer: who asks again asks somebody.
		go func() { f.says <- allow(t, "/home/u/proj/a") }()
		if a, err := d.Ask(t.Context(), question(t, "d-2", "/home/u/proj/a")); err != nil || !a.Allowed() || a.Question != "d-2" {
			t.Errorf("got %+v, %v", a, err)
		}
	})
}

// An answer about a directory answers what else waits in it.
func TestCovered(t *testing.T) {
	for _, tc := range []struct {
		name   string
		answer approval.Answer
		asked  bool // about the second file, by itself
	}{
		{"the directory", allow(t, "/home/u/proj"), false},
		{"the file only", allow(t, "/home/u/proj/a"), true},
		{"never the directory", approval.Answer{Capability: read(t, "/home/u/proj"), Span: grant.Always}, false},
		{"not now", approval.Answer{Capability: read(t, "/home/u/proj")}, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f, k := byID{"d-a": make(chan approval.Answer), "d-b": make(chan approval.Answer)}, &kept{}
				d := approval.New(approval.Config{Fronts: []approval.Front{f}, Timeout: time.Hour, Keep: k.keep})
				ctx, cancel := context.WithCancel(t.Context())
				answers := make(chan approval.Answer, 2)
				var wg sync.WaitGroup
				for _, name := range []string{"a", "b"} {
					wg.Go(func() {
						if a, err := d.Ask(ctx, question(t, "d-"+name, "/home/u/proj/"+name)); err == nil {
							answers <- a
						}
					})
				}
				synctest.Wait()
				f["d-a"] <- tc.answer
				synctest.Wait()
				if want := map[bool]int{true: 1, false: 2}[tc.asked]; len(answers) != want || k.count() != 1 {
					t.Errorf("%d answered, want %d; %d kept", len(answers), want, k.count())
				}
				for range len(answers) {
					if got := <-answers; got.Outcome != tc.answer.Outcome || got.Question != "d-a" {
						t.Errorf("got %+v", got)
					}
				}
				cancel()
				wg.Wait()
			})
		})
	}
}

// byID answers each question from a channel of its own.
type byID map[string]chan approval.Answer

func (byID) Name() string { return "terminal" }

func (f byID) Ask(ctx context.Context, q approval.Question) (approval.Answer, error) {
	select {
	case a := <-f[q.ID]:
		return a, nil
	case <-ctx.Done():
		return approval.Answer{}, ctx.Err()
	}
}

// TestHammer has many ask about few things while answers come and askers go.
func TestHammer(t *testing.T) {
	k := &kept{}
	answering := fast{t}
	d := approval.New(approval.Config{Fronts: []approval.Front{answering, answering}, Timeout: time.Minute, Keep: k.keep,
		Rate: approval.Rate{PerMinute: 1 << 20, Open: 1 << 20}})
	var wg sync.WaitGroup
	for i := range 400 {
		wg.Go(func() {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			if i%5 == 0 {
				go cancel()
			}
			a, err := d.Ask(ctx, question(t, fmt.Sprintf("d-%d", i), fmt.Sprintf("/home/u/proj/%d", i%7)))
			if err == nil && !a.Allowed() || err != nil && a.Allowed() {
				t.Errorf("got %+v, %v", a, err)
			}
		})
	}
	wg.Wait()
	d.Wait()
}

// fast allows what was touched, at once.
type fast struct{ t *testing.T }

func (fast) Name() string { return "fast" }

func (f fast) Ask(_ context.Context, q approval.Question) (approval.Answer, error) {
	return approval.Answer{Outcome: grant.Allow, Capability: q.Capability}, nil
}

// A grant that is made between the decision to ask and the asking says it.
func TestSettled(t *testing.T) {
	f, k := newFront("terminal"), &kept{}
	granted := false
	d := approval.New(approval.Config{Fronts: fronts(f), Timeout: time.Minute, Keep: k.keep,
		Settled: func(_ context.Context, q approval.Question) (approval.Answer, bool) {
			return approval.Answer{Outcome: grant.Allow, Capability: q.Capability}, granted
		}})
	granted = true
	a, err := d.Ask(t.Context(), question(t, "d-1", "/home/u/proj/a"))
	if err != nil || !a.Allowed() || a.By != "" || f.asked.Load() != 0 || k.count() != 0 {
		t.Errorf("got %+v, %v; asked %d, kept %d", a, err, f.asked.Load(), k.count())
	}
}

// TestHammerSettled: of many who ask at different times, one asks a person.
func TestHammerSettled(t *testing.T) {
	k := &kept{}
	d := approval.New(approval.Config{Fronts: []approval.Front{fast{t}}, Timeout: time.Minute, Keep: k.keep,
		Settled: func(_ context.Context, q approval.Question) (approval.Answer, bool) {
			return approval.Answer{Outcome: grant.Allow, Capability: q.Capability}, k.count() > 0
		}})
	var wg sync.WaitGroup
	for i := range 200 {
		wg.Go(func() {
			if a, err := d.Ask(t.Context(), question(t, fmt.Sprintf("d-%d", i), "/home/u/proj/a")); err != nil || !a.Allowed() {
				t.Errorf("got %+v, %v", a, err)
			}
		})
	}
	wg.Wait()
	if k.count() != 1 {
		t.Errorf("%d were asked", k.count())
	}
}

// TestRunOffer: a question about reading a program may offer to run that program,
// and nothing else that does not cover what is asked.
func TestRunOffer(t *testing.T) {
	for offer, want := range map[string]bool{
		"process.spawn:/home/u/tool": true, "process.spawn:/home/u/other": false, "process.spawn:/home/u/*": false,
		"process.spawn:/home/u": false, "process.spawn": false, "fs.write:/home/u/tool": true, "fs.read:/home/u/other": false,
	} {
		c, err := capability.Parse(offer)
		if err != nil {
			t.Fatal(err)
		}
		q := question(t, "d-1", "/home/u/tool")
		q.Offers = []approval.Offer{{Capability: q.Capability, Scope: approval.ScopeFile}, {Capability: c, Scope: approval.ScopeRun}}
		f := &front{name: "person", says: make(chan approval.Answer, 1)}
		f.says <- approval.Answer{Outcome: grant.Allow, Capability: c}
		a, err := approval.New(approval.Config{Fronts: []approval.Front{f}, Timeout: time.Minute}).Ask(t.Context(), q)
		if (err == nil) != want || want && a.Capability != c {
			t.Errorf("%s: %+v, %v", offer, a, err)
		}
	}
}
