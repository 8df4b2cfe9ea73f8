package main

import (
	"cmp"
	"context"
	"errors"
	"io"
	"slices"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/companion"
	"ambit.dev/ambit/internal/core/capability"
	"ambit.dev/ambit/internal/core/decision"
	"ambit.dev/ambit/internal/egress"
	"ambit.dev/ambit/internal/egress/inside"
	"ambit.dev/ambit/internal/egress/request"
	"ambit.dev/ambit/internal/egress/request/authority"
	"ambit.dev/ambit/internal/egress/wire"
)

// launcher is what decides, asks, records, at the other end of the line.
type launcher struct {
	conn *companion.Conn
	last atomic.Uint64
	some atomic.Pointer[known]
	rule atomic.Pointer[egress.Rules]
	on   beginnings

	authority *authority.Authority // nil: no connection is opened

	mu      sync.Mutex
	over    bool                         // guarded by mu
	answers map[uint64]chan wire.Message // by the question's number; guarded by mu
}

var (
	_ decision.Checker = (*launcher)(nil)
	_ egress.Asker     = (*launcher)(nil)
	_ egress.Recorder  = (*launcher)(nil)

	errGone = errors.New("the launcher is gone")
)

// listen hands answers on until the launcher hangs up.
func (l *launcher) listen(plane *egress.Plane) error {
	defer l.hangUp()
	for {
		var m wire.Message
		switch err := l.conn.Receive(&m); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
		switch {
		case m.Recheck != nil:
			l.setKnown(*m.Recheck, m.Any)
			if m.Rules != nil {
				l.setRules(*m.Rules)
			}
			go plane.Recheck() // it asks, and what it asks is answered here
		case m.Publish != nil:
			go l.publish(plane, m.ID, *m.Publish) // it asks too
		case m.List:
			go l.list(plane.Flows(), m.ID)
		case m.Decision != nil, m.Asked != nil, m.Program != nil, m.Secret != nil:
			l.mu.Lock()
			if to, ok := l.answers[m.ID]; ok {
				to <- m // it has room for one
				delete(l.answers, m.ID)
			}
			l.mu.Unlock()
		default:
			return errors.New("the launcher said something that is not understood")
		}
	}
}

// hangUp ends every question.
func (l *launcher) hangUp() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.over = true
	for id, to := range l.answers {
		close(to)
		delete(l.answers, id)
	}
}

// question sends a message and waits for its answer.
func (l *launcher) question(ctx context.Context, m wire.Message) (wire.Message, error) {
	m.ID = l.last.Add(1)
	to := make(chan wire.Message, 1)
	l.mu.Lock()
	over := l.over
	if !over {
		l.answers[m.ID] = to
	}
	l.mu.Unlock()
	if over {
		return wire.Message{}, errGone
	}
	defer func() {
		l.mu.Lock()
		delete(l.answers, m.ID)
		l.mu.Unlock()
	}()
	if err := l.conn.Send(m); err != nil {
		return wire.Message{}, err
	}
	select {
	case answer, ok := <-to:
		if !ok {
			return answer, errGone
		}
		return answer, nil
	case <-ctx.Done():
		if m.Ask != nil || m.Use != nil {
			_ = l.conn.Send(wire.Message{ID: m.ID, Give: true}) // nobody waits for it any more
		}
		return wire.Message{}, ctx.Err()
	}
}

// Check has the launcher decide.
func (l *launcher) Check(ctx context.Context, r decision.Request) decision.Decision {
	return l.decide(ctx, r, wire.Message{Check: &r})
}

// leads has the launcher decide about an address that an allowed name leads to.
func (l *launcher) leads(ctx context.Context, r decision.Request) decision.Decision {
	return l.decide(ctx, r, wire.Message{Leads: &r})
}

func (l *launcher) decide(ctx context.Context, r decision.Request, m wire.Message) decision.Decision {
	answer, err := l.question(ctx, m)
	if err != nil {
		return decision.Failed(r, err)
	}
	if answer.Decision == nil {
		return decision.Failed(r, errors.New("the launcher did not decide"))
	}
	return *answer.Decision
}

// Ask has the launcher ask a person.
func (l *launcher) Ask(ctx context.Context, q egress.Question) error {
	answer, err := l.question(ctx, wire.Message{Ask: &wire.Ask{Request: q.Request, Flow: told(q.Flow)}})
	if err != nil {
		return err
	}
	if answer.Asked == nil || *answer.Asked != "" {
		return errors.New("nobody answered")
	}
	return nil
}

// Record tells the launcher of a flow. When it cannot be told the line is broken,
// and this process is about to end.
func (l *launcher) Record(f egress.Flow) {
	t, number := told(f), beginning{flow: f.ID}
	switch {
	case !f.Ended.IsZero():
		if l.on.end(number) {
			t.Again = 0 // it was told when it began
		}
		_ = l.conn.Later(wire.Message{Flow: &t})
	case f.Again > 0:
		l.on.begin(number, func() { _ = l.conn.Later(wire.Message{Flow: &t}) })
	}
}

// program asks who has a socket: what that takes is closed to this process.
func (l *launcher) program(s inside.Socket) inside.Program {
	answer, err := l.question(context.Background(), wire.Message{Who: &s.Inode})
	if err != nil || answer.Program == nil {
		return inside.Program{}
	}
	return inside.Program{Name: answer.Program.Name, PID: answer.Program.PID}
}

// known is what names and records may be looked up.
type known struct {
	names   func(name string) bool
	records func(name, kind string) bool
}

// setKnown says which names may be known, and which records looked up.
func (l *launcher) setKnown(some []capability.Capability, all bool) {
	k := known{names: egress.Names(some), records: egress.Lookups(some)}
	if all {
		k.names = func(string) bool { return true }
	}
	l.some.Store(&k)
}

func (l *launcher) known(name string) bool         { return l.some.Load().names(name) }
func (l *launcher) lookups(name, kind string) bool { return l.some.Load().records(name, kind) }

// publish has a port of the sandbox be reached from the host, and says where.
func (l *launcher) publish(plane *egress.Plane, id uint64, p wire.Publish) {
	var said wire.Published
	u, err := plane.Publish(p.Port, p.Host)
	if err != nil {
		said = wire.Published{Fault: err.Error(), Taken: errors.Is(err, unix.EADDRINUSE)}
	} else {
		said.At = u.Addr()
	}
	_ = l.conn.Send(wire.Message{ID: id, Published: &said}) // one that is gone needs no answer
}

// list tells the launcher of the flows that live.
func (l *launcher) list(all []egress.Flow, id uint64) {
	slices.SortFunc(all, func(a, b egress.Flow) int { return cmp.Compare(a.ID, b.ID) })
	for more := true; more; {
		n := min(len(all), wire.MaxFlows)
		some := wire.Flows{More: n < len(all)}
		for _, f := range all[:n] {
			some.Some = append(some.Some, told(f))
		}
		all, more = all[n:], some.More
		if l.conn.Send(wire.Message{ID: id, Flows: &some}) != nil {
			return // nobody is there any more
		}
	}
}

// setRules says which rules for requests stand.
func (l *launcher) setRules(r wire.Rules) {
	l.rule.Store(&egress.Rules{Permit: r.Permit, Deny: r.Deny, Addresses: r.Addresses})
}

func (l *launcher) rules() egress.Rules { return *l.rule.Load() }

// made tells the launcher of a request.
func (l *launcher) made(r egress.Request) {
	if !r.Ended.IsZero() {
		l.tell(&r)
		return
	}
	kept := r // what stays has a copy, so that what has ended needs none in memory of its own

	// Most have ended before anybody is told.
	l.on.begin(beginning{use: r.Uses[0].Number}, func() { l.tell(&kept) })
}

func (l *launcher) tell(r *egress.Request) {
	m := wire.Request{Flow: r.Flow, To: r.To, Decision: r.Decision, Method: r.Method, Path: r.Path, Status: r.Status,
		In: r.In, Out: r.Out, Begun: r.Begun, Ended: r.Ended, End: r.Refused, Why: r.Why}
	for _, u := range r.Uses {
		if r.Ended.IsZero() || !l.on.end(beginning{use: u.Number}) {
			m.Again = append(m.Again, kindOf(u))
		}
	}
	_ = l.conn.Later(&m)
}

func kindOf(u request.Use) capability.Kind {
	if u.Stream {
		return capability.NetStream
	}
	return capability.NetConnect
}

// told is a flow as it goes over the line.
func told(f egress.Flow) wire.Flow {
	t := wire.Flow{ID: f.ID, Decision: f.Decision, Capability: f.Capability, UDP: f.UDP, Inbound: f.Inbound, To: f.To, Name: f.Name,
		Dialled: f.Dialled, Program: wire.Program{Name: f.Program.Name, PID: f.Program.PID}, Begun: f.Begun, Connected: f.Connected, Ended: f.Ended,
		In: f.In, Out: f.Out, End: string(f.End), Why: f.Why, Times: f.Times, Again: f.Again}
	if f.Inbound {
		t.From = f.From
	}
	return t
}
