package main

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"

	"github.com/hashicorp/yamux"
	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/enforce/microvm/channel"
)

// agent answers the launcher.
type agent struct {
	mu      sync.Mutex
	trees   map[int]*tree // guarded by mu
	written *written      // guarded by mu; nil before a program was prepared
	program *program      // guarded by mu; nil before it was prepared
	waiting *program      // to be prepared
}

// serve answers until the launcher is gone.
func (a *agent) serve(mux *yamux.Session) error {
	a.trees = map[int]*tree{}
	for {
		c, err := mux.AcceptStream()
		if err != nil {
			return err
		}
		go a.handle(c)
	}
}

// handle answers one request. Its stream is closed when that is done.
func (a *agent) handle(c *yamux.Stream) {
	defer c.Close() //nolint:errcheck // the launcher sees what it lacks
	s := channel.NewStream(c, channel.LargestRequest)
	var r channel.Request
	if err := s.Receive(&r); err != nil {
		return
	}
	switch p := a.prepared(); {
	case p == nil:
	case r.Op == channel.OpStream:
		p.connectTo(r.Program, r.FD, c)
		return
	case r.Op == channel.OpFrames:
		p.wire.carry(c)
		return
	case r.Op == channel.OpAsk:
		p.asker.ask(c)
		return
	}
	answer, err := a.do(s, r)
	if err != nil {
		answer = channel.Answer{Error: err.Error()}
	}
	_ = s.Send(answer) // the launcher has ended, if not
}

func (a *agent) do(s *channel.Stream, r channel.Request) (channel.Answer, error) {
	var none channel.Answer
	switch r.Op {
	case channel.OpIdentity:
		return identify(r.Identity)
	case channel.OpClock:
		return none, setClock(r.Time)
	case channel.OpPut:
		return none, a.put(s, r.Tree)
	case channel.OpCollect:
		return none, a.collect(s, r.Tree)
	case channel.OpPrepare:
		return none, a.prepare(r.Prepare)
	case channel.OpStream, channel.OpFrames, channel.OpAsk:
	case channel.OpShow, channel.OpHide, channel.OpEnter, channel.OpGo, channel.OpSignal, channel.OpSize:
		p := a.prepared()
		if p == nil {
			return none, errors.New("nothing was prepared")
		}
		return p.do(r)
	}
	return none, fmt.Errorf("there is no request %q", r.Op)
}

// do answers a request about one of the programs.
func (p *program) do(r channel.Request) (a channel.Answer, err error) {
	first := r.Program == 0
	switch {
	case r.Op == channel.OpShow && p.asker != nil:
		return a, p.asker.view.show(r.Tree, r.Show)
	case r.Op == channel.OpHide && p.asker != nil:
		a.Held, err = p.asker.view.hide(p.asker.process, r.Hide)
		return a, err
	case r.Op == channel.OpShow, r.Op == channel.OpHide:
		return a, errors.New("the view does not ask")
	case r.Op == channel.OpEnter:
		return a, p.enter(r.Program, r.Enter)
	case r.Op == channel.OpGo && first:
		return p.begin()
	case r.Op == channel.OpGo:
		return p.beginOther(r.Program)
	case r.Op == channel.OpSignal && first:
		return a, p.signal(unix.Signal(r.Signal))
	case r.Op == channel.OpSignal:
		return a, p.signalOther(r.Program, unix.Signal(r.Signal))
	case first:
		return a, p.size(r.Rows, r.Columns)
	}
	o, err := p.entered(r.Program)
	if err != nil {
		return a, nil //nolint:nilerr // it has ended
	}
	return a, o.size(r.Rows, r.Columns)
}

// connectTo makes a stream a descriptor of one of the programs.
func (p *program) connectTo(number, fd int, c *yamux.Stream) {
	if number == 0 {
		p.connect(fd, c)
	} else if o, err := p.entered(number); err == nil {
		o.connect(fd, c)
	}
}

func (a *agent) prepared() *program {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.program
}

// setClock says what time it is, in nanoseconds since 1970.
func setClock(now int64) error {
	ts := unix.NsecToTimespec(now)
	if err := unix.ClockSettime(unix.CLOCK_REALTIME, &ts); err != nil {
		return fmt.Errorf("set the clock: %w", err)
	}
	return nil
}

// identify makes this machine another one than all that come from its template:
// fresh bytes for the kernel's generator, which is made to use them at once, the
// time, and a name.
func identify(id *channel.Identity) (channel.Answer, error) {
	var none channel.Answer
	if id == nil || len(id.Seed) < 32 {
		return none, errors.New("an identity without a seed")
	}
	f, err := os.OpenFile("/dev/urandom", os.O_WRONLY, 0)
	if err != nil {
		return none, err
	}
	defer f.Close()
	if _, err := f.Write(id.Seed); err != nil {
		return none, err
	}
	const reseed = 0x5207 // RNDRESEEDCRNG (linux/random.h)
	if err := unix.IoctlSetInt(int(f.Fd()), reseed, 0); err != nil {
		return none, fmt.Errorf("reseed: %w", err)
	}
	if err := setClock(id.Time); err != nil {
		return none, err
	}
	if err := unix.Sethostname([]byte(id.Hostname)); err != nil {
		return none, fmt.Errorf("set the name: %w", err)
	}
	// It is made when it is read first: not in a template.
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	return channel.Answer{Boot: strings.TrimSpace(string(boot))}, err
}
