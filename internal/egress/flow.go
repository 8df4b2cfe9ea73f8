//go:build linux

package egress

import (
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"ambit.dev/ambit/internal/core/capability"
	"ambit.dev/ambit/internal/egress/inside"
	"ambit.dev/ambit/internal/egress/request"
)

// A Flow is one connection or exchange of datagrams, as it is told to people and
// to the log. It is a plain value.
type Flow struct {
	ID         uint64                `json:"id"`       // within its plane
	Decision   string                `json:"decision"` // id of the request
	Capability capability.Capability `json:"capability,omitzero"`
	UDP        bool                  `json:"udp,omitempty"`
	Inbound    bool                  `json:"inbound,omitempty"` // to a published port of the sandbox
	From       netip.AddrPort        `json:"from"`              // as the program sees it
	To         netip.AddrPort        `json:"to"`                // as the program sees it
	Name       string                `json:"name,omitempty"`    // that To stands for; "" for an address
	Dialled    netip.AddrPort        `json:"dialled,omitzero"`
	Program    inside.Program        `json:"program,omitzero"`
	Begun      time.Time             `json:"begun"`
	Connected  time.Time             `json:"connected,omitzero"`
	Ended      time.Time             `json:"ended,omitzero"`
	In         uint64                `json:"in"`  // bytes to the sandbox
	Out        uint64                `json:"out"` // bytes from it
	TLS        TLS                   `json:"tls,omitempty"`
	End        End                   `json:"end,omitempty"`
	Why        string                `json:"why,omitempty"`   // more about the end, for people
	Times      int                   `json:"times,omitempty"` // how often the same was refused before and not told
	Again      int                   `json:"again,omitempty"` // how many of the answers that it rests on were remembered
}

// TLS says what was seen of a connection that begins with TLS.
type TLS string

// What is seen: a name, which is that of the flow, or none.
const (
	Named   TLS = "named"
	Unnamed TLS = "unnamed"
)

// End says why a flow ended. The list is closed.
type End string

// The ends. "" is that of a flow that lives.
const (
	Done         End = "done"         // both sides closed it
	Reset        End = "reset"        // one side broke it off
	Idle         End = "idle"         // datagrams: none for a while
	NotGranted   End = "not-granted"  // the decision was no
	Refused      End = "refused"      // a person said no
	NoAnswer     End = "no-answer"    // nobody said anything
	GaveUp       End = "gave-up"      // the program did not wait
	TooMany      End = "too-many"     // a bound of the plane
	Class        End = "class"        // no address of a kind that is granted
	Unresolvable End = "unresolvable" // the name has no address
	DialFailed   End = "dial-failed"
	SNIMismatch  End = "sni-mismatch" // TLS for another name than was allowed
	Withdrawn    End = "withdrawn"    // what permitted it is no longer granted

	// Of opened connections and their requests.
	HostMismatch        End = request.Host        // a request for another host
	Malformed           End = request.Malformed   // no HTTP that can be passed on
	UpstreamCertificate End = request.Certificate // the server's, by the host's roots
	ClientDistrustsCA   End = request.Distrust    // the program refused the sandbox's certificate
	Stopped             End = "stopped"           // the plane was closed
)

// flow is a flow that lives.
type flow struct {
	in, out atomic.Uint64

	mu      sync.Mutex
	told    Flow         // guarded by mu; without In and Out
	tie     func()       // guarded by mu; breaks both sides off, nil before there are any
	rests   []permission // guarded by mu; what was allowed for it
	opened  bool         // guarded by mu; its requests are decided
	several bool         // guarded by mu; it was connected to more than one address
}

// snapshot is the flow as of now.
func (f *flow) snapshot() Flow {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.told.with(f)
}

func (t Flow) with(f *flow) Flow {
	t.In, t.Out = f.in.Load(), f.out.Load()
	return t
}

// end breaks a flow off, for a reason that then is its end, whatever its sides
// say of it.
func (f *flow) end(why End, text string) {
	f.mu.Lock()
	if f.told.End == "" {
		f.told.End, f.told.Why = why, text
	}
	tie := f.tie
	f.mu.Unlock()
	if tie != nil {
		tie()
	}
}

// conclude sets how a flow ended, if nothing did before, and touches nothing.
func (f *flow) conclude(why End, text string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.tie = nil
	if f.told.End == "" {
		f.told.End, f.told.Why = why, text
	}
}

// bind says how the flow is broken off from now on. It reports false if it was
// ended before.
func (f *flow) bind(tie func()) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.tie = tie
	return f.told.End == ""
}

// carries reports whether the flow is a connection that a program has. The server
// of one that is opened may not have been reached yet.
func (f *flow) carries() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return !f.told.UDP && (f.tie != nil || !f.told.Connected.IsZero())
}

// connected notes where the host has connected to for the flow.
func (f *flow) connected(to netip.AddrPort) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.several = f.several || f.told.Dialled.IsValid() && f.told.Dialled != to
	f.told.Connected, f.told.Dialled = time.Now(), to
}

func (f *flow) leadsToSeveral() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.several
}

// table has the flows that live.
type table struct {
	budget int

	mu   sync.Mutex
	next uint64           // guarded by mu
	all  map[uint64]*flow // guarded by mu
	tcp  int              // guarded by mu; connected
}

func (t *table) init(budget int) {
	t.budget = budget
	t.all = map[uint64]*flow{}
}

// add numbers a flow and keeps it until remove.
func (t *table) add(f Flow) *flow {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.next++
	f.ID = t.next
	l := &flow{told: f}
	t.all[f.ID] = l
	return l
}

func (t *table) remove(f *flow) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.all, f.told.ID)
}

// each calls do for every flow that lived when it began.
func (t *table) each(do func(*flow)) {
	t.mu.Lock()
	all := make([]*flow, 0, len(t.all))
	for _, f := range t.all {
		all = append(all, f)
	}
	t.mu.Unlock()
	for _, f := range all {
		do(f)
	}
}

// connect takes one of limit places for connections, and returns what share of
// the budget for buffers a connection may have now; 0 if there is no place.
func (t *table) connect(limit int) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.tcp >= limit {
		return 0
	}
	t.tcp++
	return min(max(t.budget/t.tcp/2, minBuffer), maxBuffer)
}

func (t *table) disconnect() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.tcp--
}

// Flows returns the flows that live, those that are not connected yet included.
func (p *Plane) Flows() []Flow {
	var all []Flow
	p.flows.each(func(f *flow) { all = append(all, f.snapshot()) })
	return all
}

// settlePause is how often Settle looks.
const settlePause = 2 * time.Millisecond

// Settle returns when no connection is left, or after a while: the programs have
// ended, and what they closed last is still on its way. So it is recorded how a
// connection ended, and not that it was cut off.
func (p *Plane) Settle(atMost time.Duration) {
	for end := time.Now().Add(atMost); time.Now().Before(end); time.Sleep(settlePause) {
		left := false
		p.flows.each(func(f *flow) {
			left = left || f.carries()
		})
		if !left {
			return
		}
	}
}

// record tells of a flow.
func (p *Plane) record(f Flow) {
	if p.cfg.Recorder != nil {
		p.cfg.Recorder.Record(f)
	}
}
