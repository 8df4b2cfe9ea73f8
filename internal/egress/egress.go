//go:build linux

package egress

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip/stack"

	"ambit.dev/ambit/internal/core/capability"
	"ambit.dev/ambit/internal/core/decision"
	"ambit.dev/ambit/internal/egress/inside"
	"ambit.dev/ambit/internal/egress/name"
	"ambit.dev/ambit/internal/egress/request"
	"ambit.dev/ambit/internal/workers"
)

// Addresses of the link. They lie in ranges for benchmarks (RFC 2544, RFC 5180),
// so they hide nothing that a program could want to reach.
var (
	Guest, Gateway   = netip.MustParsePrefix("198.19.255.100/24"), netip.MustParsePrefix("198.19.255.2/24")
	Guest6, Gateway6 = netip.MustParsePrefix("2001:2::100/64"), netip.MustParsePrefix("2001:2::2/64")
	Nameserver       = netip.MustParseAddr("198.19.255.3")
)

// HostName is a name for the loopback of the host: a grant for it and a port
// leads to the service there.
const HostName = "host.ambit.internal"

// An Asker puts a question to a person. It returns when the question was
// answered: the answer has become a grant, or not, and the request is put again.
// An error says that nobody answered. ctx ends when nobody waits any more.
type Asker interface {
	Ask(ctx context.Context, q Question) error
}

// A Question is about a flow that waits.
type Question struct {
	Request decision.Request // with the id of the decision that said Ask
	Flow    Flow             // the first of those that wait for the answer
}

// A Recorder is told of flows: when one has been connected, and when one has
// ended or was refused. It returns soon.
type Recorder interface {
	Record(f Flow)
}

// A Resolver finds the addresses of a name. *net.Resolver is one.
type Resolver interface {
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
}

// Sockets tells which sockets the sandbox has. *inside.Sockets is one.
type Sockets interface {
	Find(f inside.Flow) (inside.Socket, error)
}

// Limits bound what one sandbox can make its plane hold. A zero field is its
// default.
type Limits struct {
	Names     int           // that have an address
	Flows     int           // TCP connections
	Opening   int           // TCP connections that are not there yet: being decided, asked about, dialled
	Asking    int           // of these, those that wait for a person
	Exchanges int           // of datagrams
	PerSecond int           // new flows
	Idle      time.Duration // an exchange of datagrams ends after
	Dial      time.Duration // to resolve and dial
	Silent    time.Duration // a TCP connection whose program says nothing is looked after
	Buffers   int           // bytes that all flows may have under way
}

// The default bounds.
var defaults = Limits{
	Names: 10_000, Flows: 5_000, Opening: 1024, Asking: 512, Exchanges: 256, PerSecond: 5_000,
	Idle: 60 * time.Second, Dial: 20 * time.Second, Silent: 30 * time.Second, Buffers: 32 << 20,
}

// A Link is where packets come from. Between calls do while none is on its way
// into the stack.
type Link interface {
	stack.LinkEndpoint
	Between(do func())
}

// Config is what a Plane is made of. With no more than a link it denies all.
type Config struct {
	// Link is where packets come from. The plane closes it.
	Link    Link
	Subject decision.Subject
	Checker decision.Checker // nil denies
	Asker   Asker            // nil: nobody can be asked
	// Leads answers about an address that an allowed name leads to: Deny where that is
	// denied, by whatever says so, and not because nothing grants it. It is asked
	// where the rules are about addresses. nil denies.
	Leads func(ctx context.Context, r decision.Request) decision.Decision
	// Known reports, quickly, whether the sandbox may know that a name exists: one
	// that is granted, or that may be asked for. nil knows none.
	Known func(name string) bool
	// Lookups reports, quickly, whether records of a type, such as "TXT", may be
	// asked for. nil: none.
	Lookups  func(name, kind string) bool
	Recorder Recorder // nil: nobody is told
	// Rules returns, quickly, the rules for requests of now. nil: there are none.
	Rules    func() Rules
	Requests request.Config // of what serves opened connections
	// Told is told, and returns soon, of requests that have ended, and of those that
	// begin on an answer that was remembered. nil: nobody is.
	Told    func(Request)
	Sockets Sockets // nil: whether a program still waits is not known
	// Program names the process that has a socket, for people. nil: not known.
	Program  func(s inside.Socket) inside.Program
	Insider  Insider               // nil: no port can be published
	Resolver Resolver              // nil: that of the host
	Host     func() []netip.Prefix // the host's own addresses; nil: those it has
	Limits   Limits
}

// A Plane is the network of one sandbox. It is safe for concurrent use.
type Plane struct {
	cfg    Config
	lim    Limits
	stack  *stack.Stack
	names  *name.Table
	poller *poller

	ctx   context.Context
	stop  context.CancelCauseFunc
	close sync.Once
	work  crew // every goroutine but those of the stack and the poller's

	serving sync.WaitGroup // the poller

	openers   *workers.Pool
	carriers  *workers.Pool
	finishers *workers.Pool
	flows     table
	opening   opening
	questions questions
	refused   refusals
	memory    memory
	rate      rate
	exchanges exchanges
	published publications
	rechecks  atomic.Uint64 // how often grants have changed
	nextLook  atomic.Int64  // before which programs are not looked for, in nanoseconds
	lookups   chan refusedLookup

	requests sync.Once
	opener   atomic.Pointer[request.Engine] // made by requests
}

// Reasons for which everything of a plane ends.
var (
	errStopped = errors.New("the plane is closed")
	errGone    = errors.New("the program gave up")
)

// How many goroutines carry bytes, and how many end connections, which waits for
// records to be taken; and how many of each stay, which are enough for both directions
// of eight busy connections: the stack of a new one is copied three times until what is
// done fits. Those that open connections have a bound of their own.
const (
	carriers  = 64
	finishers = 8
	openers   = 1 << 16
	staying   = 16
)

// New starts a plane. When it returns, the plane answers.
func New(ctx context.Context, cfg Config) (*Plane, error) {
	p := &Plane{cfg: cfg, lim: cfg.Limits.filled(), lookups: make(chan refusedLookup, maxLookups)}
	if p.cfg.Resolver == nil {
		p.cfg.Resolver = &net.Resolver{PreferGo: true}
	}
	if p.cfg.Host == nil {
		p.cfg.Host = newHostAddresses().get
	}
	p.names = name.NewTable(p.lim.Names, time.Now)
	p.ctx, p.stop = context.WithCancelCause(ctx)
	p.openers, p.carriers, p.finishers = workers.New(openers, staying), workers.New(carriers, staying), workers.New(finishers, staying)
	p.flows.init(p.lim.Buffers)
	p.opening.init()
	p.questions.init()
	p.refused.init()
	p.memory.init(time.Now)
	p.rate.init(p.lim.PerSecond)
	p.exchanges.init()
	p.published.init()
	if err := p.start(); err != nil {
		p.Close()
		return nil, err
	}
	return p, nil
}

// Close ends every flow and question, and returns when nothing of the plane is
// left.
func (p *Plane) Close() {
	p.close.Do(func() {
		p.stop(errStopped)
		p.work.dismiss()
		p.published.each((*Published).Close)
		p.flows.each(func(f *flow) { f.end(Stopped, "") })
		p.requests.Do(func() {}) // none is made any more
		if engine := p.opener.Load(); engine != nil {
			engine.Close()
		}
		if p.cfg.Link != nil {
			p.cfg.Link.Close()
		}
		if p.stack != nil {
			p.stack.Destroy()
		}
		p.work.wait()
		if p.poller != nil {
			_ = p.poller.close() // it has nothing to say any more
		}
		p.serving.Wait()
		p.openers.Close()
		p.carriers.Close()
		p.finishers.Close()
	})
}

// crew are the goroutines of a plane. None joins once it was dismissed.
type crew struct {
	mu    sync.Mutex
	over  bool // guarded by mu
	group sync.WaitGroup
}

// join counts the caller in, until leave; not if the crew was dismissed.
func (c *crew) join() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.over {
		c.group.Add(1)
	}
	return !c.over
}

func (c *crew) leave() { c.group.Done() }

// run does work in a goroutine of its own.
func (c *crew) run(work func()) {
	if c.join() {
		go func() {
			defer c.leave()
			work()
		}()
	}
}

func (c *crew) dismiss() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.over = true
}

func (c *crew) wait() { c.group.Wait() }

// Lookups returns a function for Config.Lookups: it knows what some of the
// capabilities permit.
func Lookups(granted []capability.Capability) func(name, kind string) bool {
	return func(n, kind string) bool {
		c, err := capability.Parse(fmt.Sprintf("%s:%s/%s", capability.DNSLookup, n, kind))
		return err == nil && capability.Covered(c, granted)
	}
}

// Names returns a function for Config.Known: it knows what some of the
// capabilities lead to, on whatever port.
func Names(granted []capability.Capability) func(name string) bool {
	places := widened(granted)
	return func(n string) bool {
		want, err := capability.Parse("net.connect:" + n + ":*")
		if err != nil {
			return false
		}
		for _, c := range places {
			if c.Covers(want) && honoured(c, n) {
				return true
			}
		}
		return false
	}
}

func (l Limits) filled() Limits {
	d := defaults
	for _, f := range []struct{ to, from *int }{
		{&d.Names, &l.Names}, {&d.Flows, &l.Flows}, {&d.Opening, &l.Opening}, {&d.Asking, &l.Asking},
		{&d.Exchanges, &l.Exchanges}, {&d.PerSecond, &l.PerSecond}, {&d.Buffers, &l.Buffers},
	} {
		if *f.from != 0 {
			*f.to = *f.from
		}
	}
	if l.Idle != 0 {
		d.Idle = l.Idle
	}
	if l.Dial != 0 {
		d.Dial = l.Dial
	}
	if l.Silent != 0 {
		d.Silent = l.Silent
	}
	return d
}
