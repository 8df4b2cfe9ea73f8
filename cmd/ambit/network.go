package main

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/companion/start"
	"ambit.dev/ambit/internal/core/capability"
	"ambit.dev/ambit/internal/core/grant"
	"ambit.dev/ambit/internal/egress/wire"
	"ambit.dev/ambit/internal/enforce"
	"ambit.dev/ambit/internal/gate"
	"ambit.dev/ambit/internal/session"
)

// Addresses of the link, and of the one name server behind it. They lie in
// ranges for benchmarks (RFC 2544, RFC 5180), so they hide nothing that a program
// could want to reach.
var linkPlan = enforce.LinkPlan{
	Guest: netip.MustParsePrefix("198.19.255.100/24"), Gateway: netip.MustParsePrefix("198.19.255.2/24"),
	Guest6: netip.MustParsePrefix("2001:2::100/64"), Gateway6: netip.MustParsePrefix("2001:2::2/64"),
}

const nameserver = "nameserver 198.19.255.3\noptions timeout:5 attempts:2\n"

// egressProgram is the network of one sandbox, beside this program.
const egressProgram = "ambit-egress"

// networks reports whether a capability is about what the plane decides.
func networks(c capability.Capability) bool {
	return networkKind(c.Kind())
}

func networkKind(k capability.Kind) bool {
	switch k {
	case capability.NetConnect, capability.NetStream, capability.NetListen, capability.DNSLookup:
		return true
	default:
		return false
	}
}

// link gives the sandbox a network if something of it is granted or can be asked
// for.
func (s *prepared) link(in *enforce.Input) error {
	asked := s.flags.asks() && !s.flags.offline && (s.manifest.Open || slices.ContainsFunc(s.wants(), networks))
	granted := slices.ContainsFunc(in.Effective, networks)
	if asked && !granted {
		asked = egressThere() // without its program there is no network to ask about
	}
	s.trusted = nil
	if !asked && !granted {
		return nil
	}
	l := linkPlan
	l.Late = asked && !granted // what nothing was granted of is rarely used
	in.Link, in.AskListen = &l, asked && s.asksToListen()
	if err := s.trust(in); err != nil {
		return err
	}
	return linked(in, s.trusted)
}

// linked adds the files of a view that has a link: who knows names, and what browsers
// are told.
func linked(in *enforce.Input, trusted []byte) error {
	in.Base.Files = append(slices.Clone(in.Base.Files), enforce.File{Path: "/etc/resolv.conf", Content: []byte(nameserver)})
	return browsers(in, trusted)
}

// egressThere reports whether the program of the network is where it is looked for.
func egressThere() bool {
	path, err := start.Path(egressProgram)
	if err != nil {
		return false
	}
	_, err = os.Stat(path)
	return err == nil
}

// wants are the capabilities that the manifest asks for.
func (s *prepared) wants() (all []capability.Capability) {
	for _, w := range s.manifest.Wants {
		all = append(all, w.Capability)
	}
	return all
}

// A network is the egress process of one session, and what answers it.
type network struct {
	s     *prepared
	gate  *gate.Gate
	trail *trail
	// grants are those that stand now.
	grants func(context.Context) ([]grant.Grant, error)
	asks   *toucher // nil: nobody can be asked
	tally  *session.Tally
	say    func(func())

	*egress // nil before there is one
	ready   chan error
	ended   chan struct{} // closed when the process has ended
	end     error         // why; set before ended is closed
	first   first

	mu       sync.Mutex
	over     bool                          // guarded by mu; the session has ended
	gone     bool                          // guarded by mu; nothing serves the network any more
	toldLost bool                          // guarded by mu; it was said that the sandbox was ended
	initPID  int                           // guarded by mu; of the sandbox, 0 until it has begun
	lastPID  int                           // guarded by mu; had the socket that was asked about last
	lost     func()                        // guarded by mu; ends the sandbox
	waiting  map[uint64]context.CancelFunc // guarded by mu; questions to people
	told     map[string]bool               // guarded by mu; denials that were printed
	some     []capability.Capability       // guarded by mu; by which names may be known
	all      bool                          // guarded by mu; all names may

	wants wants
	ports ports
	live  *live
}

// startNetwork starts the egress process of a session; it takes some time, which
// is that of building the sandbox.
func (s *prepared) startNetwork(ctx context.Context, t *toucher, tally *session.Tally, say func(func())) (*network, error) {
	n := &network{s: s, asks: t, tally: tally, say: say, ready: make(chan error, 1), ended: make(chan struct{}),
		waiting: map[uint64]context.CancelFunc{}, told: map[string]bool{}, ports: ports{all: map[uint16]port{}}}
	n.trail = &trail{log: s, ctx: context.WithoutCancel(ctx), fail: n.unrecorded}
	n.grants = s.standing
	if t != nil {
		n.grants = t.grants
	}
	n.gate = s.gateOver(s.manifest, n.grants, n.trail)
	n.live = &live{n: n}
	begin := func() (err error) {
		if n.egress, err = s.takeEgress(); err == nil {
			go n.serve(context.WithoutCancel(ctx))
		}
		return err
	}
	if t != nil && s.egress == nil && !slices.ContainsFunc(s.input.Effective, networks) {
		n.first.begin = func(l *enforce.Ends) error { return n.beginLate(context.WithoutCancel(ctx), l, begin) }
		return n, nil
	}
	n.first.done = true
	return n, begin()
}

// standing are the grants of now, for runs that ask nobody.
func (s *prepared) standing(ctx context.Context) ([]grant.Grant, error) {
	db, err := s.store.get()
	if err != nil {
		return nil, err
	}
	stored, err := db.Grants(ctx, s.subject.Principal, s.subject.Pack)
	if err != nil {
		return nil, err
	}
	once := slices.DeleteFunc(slices.Clone(s.stored), func(g grant.Grant) bool { return g.Lifespan.Span != grant.Once })
	return slices.Concat(stored, once, s.given), nil // this session is that once
}

// networkReady is how long an egress process may take.
const networkReady = 10 * time.Second

// Linked hands the other end of the sandbox's link over, and waits until packets
// are answered; where nothing of the network was granted, packets wait until there
// are any.
func (n *network) Linked(l *enforce.Ends) error {
	if n.first.begin != nil {
		return n.awaitFirst(l)
	}
	if err := n.handOver(l, n.s.grants()); err != nil {
		return err
	}
	n.live.serve()
	return n.publishAll(n.s.input.Effective)
}

// handOver tells the egress process what it is for.
func (n *network) handOver(l *enforce.Ends, grants []grant.Grant) error {
	defer l.Close() //nolint:errcheck // copies of it are in the egress process
	h := wire.Hello{Subject: n.s.subject, CanAsk: n.asks != nil, Header: l.Header, Ether: l.Ether, IPv6: l.Seeds[2] != nil, Far: l.Diag == nil,
		MTU: l.MTU, Guest: l.Guest, Opens: n.s.trusted != nil}
	h.Known, h.Any = n.knows(grants)
	for _, o := range n.s.secrets {
		h.Secrets = append(h.Secrets, o.Placeholder)
	}
	h.Rules = n.s.rules(grants)
	var fds []int
	for _, f := range []*os.File{l.Frames, l.Diag, l.Seeds[0], l.Seeds[1], l.Seeds[2], l.Seeds[3]} {
		if f != nil {
			fds = append(fds, int(f.Fd()))
		}
	}
	text, err := wire.Line(h)
	if err != nil {
		return err
	}
	if _, _, err := n.Line.WriteMsgUnix(text, unix.UnixRights(fds...), nil); err != nil {
		return fmt.Errorf("hand the link to %s: %w", egressProgram, err)
	}
	select {
	case err := <-n.ready:
		return err
	case <-n.ended:
		return fmt.Errorf("%s has ended", egressProgram)
	case <-time.After(networkReady):
		return fmt.Errorf("%s did not begin within %v", egressProgram, networkReady)
	}
}

// knows is known, remembered.
func (n *network) knows(grants []grant.Grant) (some []capability.Capability, all bool) {
	some, all = n.known(grants)
	n.mu.Lock()
	defer n.mu.Unlock()
	n.some, n.all = some, all
	return some, all
}

// known are the capabilities by which names may be known to the program; all is
// true where every name may be asked about.
func (n *network) known(grants []grant.Grant) (some []capability.Capability, all bool) {
	if n.asks != nil {
		all = n.s.manifest.Open
		some = slices.DeleteFunc(n.s.wants(), func(c capability.Capability) bool { return !networks(c) })
	}
	for _, g := range grants {
		if g.Outcome == grant.Allow && networks(g.Capability) && g.Applies(n.s.app.now(), n.s.subject.Session) {
			some = append(some, g.Capability)
		}
	}
	for _, c := range n.s.policy.Preapprove {
		if networks(c) {
			some = append(some, c)
		}
	}
	return append([]capability.Capability{}, some...), all
}

// recheck has the plane decide anew about every flow that lives.
func (n *network) recheck(grants []grant.Grant) {
	if n == nil {
		return
	}
	some, all := n.knows(grants)
	rules := n.s.rules(grants)
	if n.running() {
		_ = n.conn.Send(wire.Message{Recheck: &some, Any: all, Rules: &rules}) // one that is gone has no flows
	}
	n.republish(grants)
}

// begun says how the sandbox is ended when its network is lost, and ends it where
// that has happened since the network was ready.
func (n *network) begun(inside enforce.Session) {
	if n == nil {
		return
	}
	n.mu.Lock()
	n.lost = func() { _ = inside.Kill() } // it may have ended by itself
	n.initPID = inside.PID()
	gone := n.gone
	n.mu.Unlock()
	if gone {
		n.lose()
		<-n.ended
		n.tellLost()
	}
}

// stop ends the egress process.
func (n *network) stop() {
	if n == nil {
		return
	}
	n.mu.Lock()
	n.over = true
	for _, cancel := range n.waiting {
		cancel()
	}
	n.mu.Unlock()
	running := n.endWait()
	n.live.close()
	if running {
		n.Stop()
		<-n.ended
	}
}
