package main

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"

	"ambit.dev/ambit/internal/audit"
	"ambit.dev/ambit/internal/core/capability"
	"ambit.dev/ambit/internal/core/decision"
	"ambit.dev/ambit/internal/egress/inside"
	"ambit.dev/ambit/internal/egress/wire"
	"ambit.dev/ambit/internal/session"
	"ambit.dev/ambit/internal/workers"
)

// serve answers the egress process until it has ended.
//
// Security: what it says is not trusted. Whose request it is, whether somebody
// can be asked, and what it may be about is said here.
func (n *network) serve(ctx context.Context) {
	defer close(n.ended)
	work := workers.New(maxAnswering, 8)
	err := n.listen(ctx, work)
	over := n.lose() // first: what follows waits for a process that may stay
	n.Stop()
	work.Close()
	_ = n.Line.Close()
	n.end = errors.Join(err, n.Wait(), n.trail.flush())
	if !over {
		n.tellLost()
	}
}

// lose ends the sandbox, or has begun end it, and takes back the questions that
// nobody waits for any more. It reports whether the session was over before.
func (n *network) lose() (over bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.gone = true
	for _, cancel := range n.waiting {
		cancel()
	}
	if !n.over && n.lost != nil {
		n.lost()
	}
	return n.over
}

// tellLost says once why a sandbox that had begun was ended.
func (n *network) tellLost() {
	n.mu.Lock()
	tell := n.lost != nil && !n.toldLost
	n.toldLost = n.toldLost || tell
	n.mu.Unlock()
	if tell {
		printf(n.s.app.err, "ambit: the network of the sandbox has ended, and the sandbox with it: %v\n", n.end)
	}
}

// maxAnswering bounds the questions of an egress process that are open at once.
const maxAnswering = 2048

// listen hears questions and what has ended.
//
// Where requests are told of one by one, all goroutines of this process take turns from
// the first on: what each of them does is little, and threads that wake up for it, look
// for work and find none took more time than the work.
func (n *network) listen(ctx context.Context, work *workers.Pool) error {
	room := make(chan struct{}, maxAnswering)
	answer := func(f func() wire.Message) {
		room <- struct{}{}
		work.Do(func() {
			defer func() { <-room }()
			_ = n.conn.Send(f()) // one that is gone needs no answer
		})
	}
	turns := sync.OnceFunc(func() { runtime.GOMAXPROCS(1) })
	var heard wire.Heard
	for {
		m := heard.Next()
		if err := n.conn.Receive(&m); err != nil {
			return err
		}
		switch {
		case m.Ready || m.Fault != "":
			var fault error
			if m.Fault != "" {
				fault = errors.New(capability.Printable(m.Fault))
			}
			select {
			case n.ready <- fault:
			default:
				return errors.New("it said again that it begins")
			}
		case m.Check != nil:
			answer(func() wire.Message { return n.check(ctx, m.ID, *m.Check) })
		case m.Leads != nil:
			answer(func() wire.Message { return n.leads(ctx, m.ID, *m.Leads) })
		case m.Ask != nil:
			asked := n.await(ctx, m.ID)
			answer(func() wire.Message { return n.ask(asked, m.ID, *m.Ask) })
		case m.Use != nil:
			turns()
			asked := n.await(ctx, m.ID)
			answer(func() wire.Message { return n.use(asked, m.ID, *m.Use) })
		case m.Give:
			n.forget(m.ID)
		case m.Who != nil:
			answer(func() wire.Message { return n.who(m.ID, *m.Who) })
		case m.Published != nil, m.Flows != nil:
			n.wants.answer(m)
		case m.Flow != nil:
			if err := n.flow(*m.Flow); err != nil {
				return err
			}
		case m.Made != nil:
			turns()
			if err := n.made(*m.Made); err != nil {
				return err
			}
		default:
			return errors.New("it said something that is not understood")
		}
	}
}

// await makes a context that ends when nobody waits for an answer any more.
func (n *network) await(ctx context.Context, id uint64) context.Context {
	ctx, cancel := context.WithCancel(ctx)
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.over || n.gone {
		cancel()
	}
	n.waiting[id] = cancel
	return ctx
}

// forget ends a question to a person.
func (n *network) forget(id uint64) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if cancel, ok := n.waiting[id]; ok {
		cancel()
		delete(n.waiting, id)
	}
}

func (n *network) check(ctx context.Context, id uint64, r decision.Request) wire.Message {
	program := r.Subject.Program
	r.ID, r.Subject, r.CanAsk = "", n.s.subject, n.asks != nil
	r.Subject.Program = program
	var d decision.Decision
	if networks(r.Capability) {
		d = n.gate.Check(ctx, r)
	} else {
		d = decision.Failed(r, errors.New("a network is asked about nothing but flows"))
	}
	switch d.Outcome {
	case decision.Allow:
		n.tally.Allowed(r.Capability.Kind())
	case decision.Deny:
		n.tally.Denied(r.Capability.Kind())
		n.tell(r.Capability, d)
	case decision.Ask: // counted when it is put
	}
	return wire.Message{ID: id, Decision: &d}
}

func (n *network) ask(ctx context.Context, id uint64, q wire.Ask) wire.Message {
	defer n.forget(id)
	said := "nobody can be asked"
	if n.asks != nil && networks(q.Request.Capability) {
		q.Request.Subject = n.s.subject
		said = n.asks.askFlow(ctx, q)
	}
	return wire.Message{ID: id, Asked: &said}
}

// who names the process that has a socket.
func (n *network) who(id uint64, inode uint32) wire.Message {
	n.mu.Lock()
	init, last := n.initPID, n.lastPID
	n.mu.Unlock()
	var p inside.Program
	if init > 0 {
		p = inside.FindProgram(init, last, inode)
		n.mu.Lock()
		n.lastPID = p.PID
		n.mu.Unlock()
	}
	return wire.Message{ID: id, Program: &wire.Program{Name: p.Name, PID: p.PID}}
}

// traffic is what a flow that has ended adds to that of its session.
func traffic(f wire.Flow) session.Traffic {
	if f.Connected.IsZero() {
		return session.Traffic{Refused: 1 + f.Times}
	}
	return session.Traffic{Flows: 1, In: f.In, Out: f.Out}
}

// flow records a flow that has ended, or that goes on without a decision of its
// own, and prints the line of one that was refused. One that cannot be recorded
// ends the sandbox.
func (n *network) flow(f wire.Flow) error {
	if k := f.Capability.Kind(); networkKind(k) {
		for range min(f.Again, maxAgain) {
			n.tally.Allowed(k)
		}
	}
	b := audit.FlowBody{Decision: f.Decision, Capability: audit.Text(f.Capability.Display()), UDP: f.UDP, Name: audit.Text(f.Name), To: f.To.String(),
		Program: audit.Text(f.Program.Name), PID: f.Program.PID, In: f.In, Out: f.Out, End: f.End, Why: audit.Text(f.Why), Times: f.Times}
	if b.Open = f.Ended.IsZero(); !b.Open {
		n.tally.Carried(traffic(f))
		b.Duration = f.Ended.Sub(f.Begun)
		n.explain(f)
	}
	if f.Inbound {
		b.Inbound, b.From = true, f.From.String()
	}
	if f.Dialled.IsValid() {
		b.Dialled = f.Dialled.String()
	}
	return n.append("f", b)
}

// maxAgain bounds what one flow or request counts for.
const maxAgain = 64

// made records a request that has ended, or that goes on without a decision of its
// own. One that cannot be recorded ends the sandbox.
func (n *network) made(r wire.Request) error {
	for _, k := range r.Again[:min(len(r.Again), maxAgain)] {
		if networkKind(k) {
			n.tally.Allowed(k)
		}
	}
	if r.End == placeholderMisuse {
		n.misused(r)
	}
	b := audit.RequestBody{Decision: r.Decision, To: audit.Text(r.To.Display()), Method: audit.Text(r.Method), Path: audit.Text(r.Path),
		Status: r.Status, In: r.In, Out: r.Out, End: r.End, Why: audit.Text(r.Why)}
	if b.Open = r.Ended.IsZero(); !b.Open {
		b.Duration = r.Ended.Sub(r.Begun)
	}
	return n.append("q", b)
}

// unrecorded ends the sandbox, whose network cannot be recorded.
func (n *network) unrecorded(err error) {
	printf(n.s.app.err, "ambit: %v\n", err)
	_ = n.Line.Close() // its reader ends the sandbox
}

// append records what came of a flow or a request.
func (n *network) append(id string, b audit.Body) error {
	rec, err := audit.New(b)
	if err != nil {
		return err
	}
	rec.ID, rec.Session, rec.Principal, rec.Pack = audit.NewID(id), n.s.subject.Session, n.s.subject.Principal, n.s.subject.Pack
	if err := n.trail.add(rec); err != nil {
		return fmt.Errorf("record a %s: %w", rec.Kind, err)
	}
	return nil
}
