//go:build linux

package egress

import (
	"errors"
	"fmt"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"

	"ambit.dev/ambit/internal/egress/hello"
)

// Bounds of the look at what a program says first.
const (
	lookTime  = 10 * time.Second
	lookTries = 64 // looks at a hello that comes in pieces
)

// A look holds back what a program says first until that is seen to be no TLS, or
// TLS for the name that the connection was allowed for. What the server says is
// not held back: in many protocols it speaks first.
//
// Security: without it a program could be allowed to connect to one name of a
// server that has many, and ask it for another. It sees what stands in the open,
// and lets no hello pass that has an encrypted one in it; it does not see TLS that
// a protocol turns to later (STARTTLS).
type look struct {
	name  string
	tries int
	timer *time.Timer
}

// lookFirst has the pipe look for TLS before it carries anything up.
func (p *pipe) lookFirst(name string) { p.look = &look{name: name} }

// looked reports whether what the program says first may pass. errWait says that
// more of it is needed.
func (p *pipe) looked() error {
	l := p.look
	buf := datagrams.Get().(*[maxDatagram]byte)
	defer datagrams.Put(buf)
	w := tcpip.SliceWriter(buf[:])
	r, terr := p.guest.Read(&w, tcpip.ReadOptions{Peek: true})
	if terr != nil {
		if _, ok := terr.(*tcpip.ErrWouldBlock); ok {
			return errWait
		}
		return p.pass("") // there is nothing to look at: what follows says why
	}
	b := buf[:r.Count]
	if !hello.Begins(b) {
		return p.pass("")
	}
	name, err := hello.Name(b)
	if l.tries++; errors.Is(err, hello.ErrMore) && l.tries < lookTries && len(b) < hello.Max {
		l.hurry(p.flow)
		return errWait
	}
	switch {
	case err != nil:
		return p.mismatch(err.Error())
	case name == "":
		return p.pass(Unnamed)
	case name != l.name:
		return p.mismatch(fmt.Sprintf("its TLS hello asks for %s", name))
	}
	return p.pass(Named)
}

// hurry gives a hello that has begun some time to end. A program that says nothing
// has all the time that there is: in many protocols the server speaks first, and
// connections are kept for later.
func (l *look) hurry(f *flow) {
	if l.timer == nil {
		l.timer = time.AfterFunc(lookTime, func() { f.end(SNIMismatch, "its TLS hello did not end in time") })
	}
}

// over ends the look.
func (l *look) over() {
	if l.timer != nil {
		l.timer.Stop()
	}
}

// pass ends the look: everything is carried from now on.
func (p *pipe) pass(seen TLS) error {
	p.look.over()
	p.look = nil
	p.flow.mu.Lock()
	defer p.flow.mu.Unlock()
	p.flow.told.TLS = seen
	return nil
}

func (p *pipe) mismatch(why string) error {
	p.look.over()
	p.flow.end(SNIMismatch, why)
	return errBroken
}
