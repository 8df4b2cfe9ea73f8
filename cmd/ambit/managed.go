package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/companion/start"
	"ambit.dev/ambit/internal/core/capability"
	"ambit.dev/ambit/internal/core/decision"
	"ambit.dev/ambit/internal/policy/wire"
)

// policyProgram evaluates managed policies, beside this program.
const policyProgram = "ambit-policy"

// remembered is how long an answer about policies stands: the gate asks again what
// a launch has asked just before.
const remembered = 500 * time.Millisecond

// longestAnswer is how long what evaluates may take: one that stands still would have
// everything wait, and a session never end.
const longestAnswer = 10 * time.Second

// managed asks the policies that an administrator keeps in wire.Dir about every
// request. Where there are none nothing is started. It is safe for concurrent use.
//
// Security: no flag, variable or setting leads elsewhere or turns it off. What
// cannot be asked denies.
type managed struct {
	app   *app
	dir   string       // of the policies
	rules atomic.Bool  // there are policies
	held  atomic.Int32 // how many hold what was looked at

	mu      sync.Mutex
	about   wire.Context                                      // guarded by mu; of every request
	process *start.Process                                    // guarded by mu; nil: not started
	client  *wire.Client                                      // guarded by mu; of process
	set     string                                            // guarded by mu; digest of what was asked last
	answers map[string]told                                   // guarded by mu; by request
	stamp   string                                            // guarded by mu; of the folder
	closed  map[capability.Capability][]capability.Capability // guarded by mu; inside of what is shown
	begun   chan struct{}                                     // nil: nothing is being started
	failed  error                                             // of starting; set before begun is closed
}

// told is an answer, and when it was given.
type told struct {
	v    wire.Verdict
	set  string
	when time.Time
}

var _ decision.Judge = (*managed)(nil)

// manage looks whether there are policies, and begins to start what evaluates them.
func (a *app) manage() *managed {
	m := &managed{app: a, dir: wire.Dir, about: wire.Context{Org: a.org}, answers: map[string]told{}, closed: map[capability.Capability][]capability.Capability{}}
	stamp, there, err := policyStamp(m.dir)
	m.stamp = stamp
	if err != nil || there {
		m.rules.Store(true)
		m.begun = make(chan struct{})
		go func() {
			defer close(m.begun)
			if m.failed = err; err == nil {
				m.mu.Lock()
				defer m.mu.Unlock()
				_, m.failed = m.open()
			}
		}()
	}
	return m
}

// open answers with somebody to ask. The mutex is held.
func (m *managed) open() (*wire.Client, error) {
	if m.process != nil {
		select {
		case <-m.process.Ended(): // it was killed: another one takes its place
			m.process.Stop()
		default:
			return m.client, nil
		}
	}
	p, c, err := m.app.policies(wire.Hello{})
	if err != nil {
		return nil, err
	}
	m.process, m.client = p, c
	return c, nil
}

// policies starts what evaluates policies.
func (a *app) policies(h wire.Hello) (*start.Process, *wire.Client, error) {
	path, err := start.Path(policyProgram)
	if err != nil {
		return nil, nil, err
	}
	p, err := start.Start(start.Config{Path: path, Stderr: a.err})
	if err != nil {
		return nil, nil, fmt.Errorf("managed policy is evaluated by %s: %w", path, err)
	}
	c, err := wire.NewClient(p.Line, h)
	if err != nil {
		p.Stop()
		return nil, nil, err
	}
	return p, c, nil
}

// ready waits until the policies have been read. An error says why they cannot be
// used: nothing is launched then.
func (m *managed) ready() error {
	if !m.rules.Load() {
		return nil
	}
	m.mu.Lock()
	begun := m.begun
	m.mu.Unlock()
	if begun != nil {
		if <-begun; m.failed != nil {
			return m.failed
		}
	}
	_, err := m.ask(nil)
	return err
}

// ask puts requests that are not remembered, all at once.
func (m *managed) ask(requests []wire.Request) (set string, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	c, err := m.open()
	if err != nil {
		return "", err
	}
	line := m.process.Line
	patience := time.AfterFunc(longestAnswer, func() { _ = line.Close() }) // which ends the wait
	a, err := c.Ask(wire.Question{Requests: requests})
	patience.Stop()
	if err != nil {
		if fault, ok := errors.AsType[*wire.Fault](err); ok {
			return "", fmt.Errorf("managed policy: %w", fault)
		}
		m.process.Stop() // what it would say next is no answer to what is asked next
		return "", err
	}
	if a.Set != m.set {
		clear(m.answers)
		m.set = a.Set
	}
	now := m.app.now()
	for i, r := range requests {
		m.answers[keyOf(r)] = told{a.Verdicts[i], a.Set, now}
	}
	return a.Set, nil
}

func keyOf(r wire.Request) string {
	text, err := json.Marshal(r)
	if err != nil { // nothing in it can fail
		return ""
	}
	return string(text)
}

// verdict is what the policies say of a request.
func (m *managed) verdict(r wire.Request) (told, error) {
	if t, ok := m.recall(r); ok {
		return t, nil
	}
	if _, err := m.ask([]wire.Request{r}); err != nil {
		return told{}, err
	}
	if t, ok := m.recall(r); ok {
		return t, nil
	}
	return told{}, errors.New("internal error: an answer about managed policy was lost")
}

func (m *managed) recall(r wire.Request) (told, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	t, ok := m.answers[keyOf(r)]
	return t, ok && m.app.now().Sub(t.when) < remembered
}

// prefetch asks about requests before they are decided one by one.
func (m *managed) prefetch(all []decision.Request) error {
	if !m.rules.Load() || len(all) == 0 {
		return nil
	}
	requests := make([]wire.Request, len(all))
	for i, r := range all {
		requests[i] = m.request(r)
	}
	_, err := m.ask(requests)
	return err
}

// request is what is asked about a request.
func (m *managed) request(r decision.Request) wire.Request {
	m.mu.Lock()
	defer m.mu.Unlock()
	w := wire.Request{Capability: r.Capability, Single: single(r.Capability), AnyPath: r.AnyPath, Context: m.about}
	if !r.Name.IsZero() {
		w.Capability, w.Leads = r.Name, r.Capability
	}
	w.Context.Pack, w.Context.Digest, w.Context.Session = r.Subject.Pack, r.Subject.Digest, r.Subject.Session
	if k := r.Capability.Kind(); !isFile(k) && k != capability.ProcessSpawn { // what is shown is shown to every program
		w.Context.Program, w.Context.Asked = r.Subject.Program, r.CanAsk
	}
	return w
}

// single reports whether a capability is about one object that has nothing beneath.
//
// Security: what is not there yet may become a folder.
func single(c capability.Capability) bool {
	pattern, ok := c.Pattern()
	if !ok {
		return false
	}
	path, literal := pattern.Literal()
	var st unix.Stat_t
	if !literal || unix.Lstat(path, &st) != nil {
		return false
	}
	return st.Mode&unix.S_IFMT != unix.S_IFDIR && st.Mode&unix.S_IFMT != unix.S_IFLNK
}

// Rules reports whether there are policies, as of when that was looked at last.
func (m *managed) Rules() bool { return m.rules.Load() }

// look reports whether there are policies. Where there were none it looks: one that
// comes counts for the next decision, which may be the yes to a question that waited.
func (m *managed) look() bool {
	if m.rules.Load() {
		return true
	}
	if m.held.Load() > 0 {
		return false
	}
	if _, there, err := policyStamp(m.dir); err != nil || there {
		m.rules.Store(true)
	}
	return m.rules.Load()
}

// hold has the decisions of a launch until release rest on one look, instead of one
// for each.
//
// Security: it is for decisions that are made at once, before anything was launched. It is
// looked once more before the launch rests on them (launchable).
func (m *managed) hold() (release func()) {
	m.held.Add(1)
	return func() { m.held.Add(-1) }
}

// Forbids answers with the policy that forbids a request.
func (m *managed) Forbids(r decision.Request) (*decision.Reason, error) {
	if !m.look() {
		return nil, nil //nolint:nilnil // nothing forbids it
	}
	t, err := m.verdict(m.request(r))
	if err != nil || !t.v.Forbidden {
		return nil, err
	}
	if t.v.By == nil {
		return nil, errors.New("managed policy forbids it without saying which")
	}
	return forbids(*t.v.By, r.Capability, t), nil
}

// forbids says which policy forbids a request, in words.
func forbids(by wire.Policy, c capability.Capability, t told) *decision.Reason {
	text := "policy " + by.String() + " forbids to " + c.Describe()
	if by.Reason != "" {
		text += ": " + by.Reason
	}
	if t.v.Why != "" {
		text += " (" + t.v.Why + ")"
	}
	return &decision.Reason{Rule: decision.Forbidden, Text: capability.Printable(text), Policy: capability.Printable(by.String()), Set: t.set}
}

// close ends what evaluates.
func (m *managed) close() {
	if m == nil {
		return
	}
	if m.begun != nil {
		<-m.begun
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.process != nil {
		_ = m.process.Line.Close() // it may have ended
		m.process.Stop()
	}
}
