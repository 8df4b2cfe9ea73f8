package microvm

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/enforce"
	"ambit.dev/ambit/internal/enforce/microvm/channel"
	"ambit.dev/ambit/internal/enforce/trap"
)

// Bounds of what a guest asks at one time. Looks beyond are not read before others
// were answered; questions beyond are refused.
const (
	mostLooks     = 32
	mostQuestions = 256
)

// asking answers what the guest of one machine asks: its trap knows the names of the
// view, and no other. What a name of the host is it looks up here, and a first touch
// waits in the guest while somebody is asked. What was answered is copied into the
// machine and shown there, and that very call goes on with it.
type asking struct {
	s     *session
	asker enforce.Asker
	host  int // O_PATH descriptor of the host's root
	shows *shows

	stream *channel.Stream // set before anything is asked
	send   sync.Mutex      // one answer at a time
	looks  chan struct{}   // a place for each look
	ctx    context.Context // ends with the program
	cancel context.CancelFunc
	all    sync.WaitGroup

	mu     sync.Mutex
	waits  map[uint64]context.CancelFunc // guarded by mu: questions that were not answered
	broken error                         // guarded by mu: the guest broke the rules
}

// newAsking is nil for a plan that does not ask.
func newAsking(ctx context.Context, s *session, asker enforce.Asker, image func(string) bool) (*asking, error) {
	if !s.plan.Trapped() {
		return nil, nil
	}
	if asker == nil {
		return nil, errors.New("internal error: a plan that asks, and nobody to ask")
	}
	host, err := unix.Open("/", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	a := &asking{s: s, asker: asker, host: host, shows: newShows(s, image), looks: make(chan struct{}, mostLooks), waits: map[uint64]context.CancelFunc{}}
	a.ctx, a.cancel = context.WithCancel(context.WithoutCancel(ctx))
	return a, nil
}

// begin answers from here on: the program begins.
func (a *asking) begin() (err error) {
	if a == nil {
		return nil
	}
	if a.stream, err = a.s.channel.Stream(channel.Request{Op: channel.OpAsk}); err != nil {
		return err
	}
	if _, err := a.stream.Answer(soon(answerIn)); err != nil { // it takes answers from here on
		return err
	}
	a.all.Go(a.serve)
	return a.stream.Conn().SetReadDeadline(time.Time{})
}

// takeBack takes all questions back: nobody waits any more.
func (a *asking) takeBack() {
	if a != nil {
		a.cancel()
	}
}

// end is called when the channel is closed: nothing more is asked. It says how the
// guest broke the rules.
func (a *asking) end() error {
	if a == nil {
		return nil
	}
	a.cancel()
	a.all.Wait()
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.host < 0 {
		return a.broken
	}
	err := errors.Join(a.broken, a.shows.close(), unix.Close(a.host))
	a.host = -1
	return err
}

// serve takes the guest's questions until it is gone.
//
// Security: the guest is not trusted. It learns of a name what a program learns that
// asks in another tier, it can have so many people asked at one time and no more, and
// it gets what was answered. One that breaks the rules loses its machine.
func (a *asking) serve() {
	for {
		q, err := a.stream.Question()
		switch {
		case a.ctx.Err() != nil, errors.Is(err, io.EOF), err != nil && a.gone():
			return
		case err == nil:
			err = a.take(q)
		}
		if err != nil {
			a.mu.Lock()
			a.broken = fmt.Errorf("the guest's questions: %w", err)
			a.mu.Unlock()
			a.s.end()
			return
		}
	}
}

// gone reports whether the machine has ended.
func (a *asking) gone() bool {
	select {
	case <-a.s.channel.Lost():
		return true
	default:
		return false
	}
}

// take begins to answer a question. An error says that it breaks the rules.
func (a *asking) take(q channel.Question) error {
	p := string(q.Path)
	switch q.Want {
	case channel.WantLook:
		select {
		case a.looks <- struct{}{}:
		case <-a.ctx.Done():
			return nil
		}
		a.all.Go(func() {
			defer func() { <-a.looks }()
			a.tell(a.look(q.ID, p))
		})
		return nil
	case channel.WantOver:
		a.mu.Lock()
		defer a.mu.Unlock()
		if cancel := a.waits[q.ID]; cancel != nil {
			cancel()
		}
		return nil
	case channel.WantRead, channel.WantWrite, channel.WantRun:
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.waits[q.ID] != nil {
		return fmt.Errorf("%d is asked twice", q.ID)
	}
	if len(a.waits) >= mostQuestions {
		a.all.Go(func() { a.tell(channel.Told{ID: q.ID, Errno: int(unix.EACCES)}) })
		return nil
	}
	ctx, cancel := context.WithCancel(a.ctx)
	a.waits[q.ID] = cancel
	a.all.Go(func() {
		errno := a.touched(ctx, q)
		a.mu.Lock()
		delete(a.waits, q.ID)
		a.mu.Unlock()
		cancel()
		a.tell(channel.Told{ID: q.ID, Errno: int(errno)})
	})
	return nil
}

// tell answers. Who does not take it is gone, which the next read finds.
func (a *asking) tell(t channel.Told) {
	a.send.Lock()
	defer a.send.Unlock()
	_ = a.stream.Send(t)
}

// look says what a name of the host is.
//
// Security: a guest of ours asks of no name that the view has of its own. One that lies
// learns nothing there: what the host has in /proc, for one, is not the guest's.
func (a *asking) look(id uint64, p string) channel.Told {
	if a.shows.own(p) {
		return channel.Told{ID: id, Errno: int(unix.ENOENT)}
	}
	mode, target, errno := trap.See(a.host, p)
	if o, ok := a.asker.(enforce.Observer); ok && target != "" {
		o.Linked(p)
	}
	return channel.Told{ID: id, Errno: int(errno), Mode: mode, Target: []byte(target)}
}

// touched answers a touch of something hidden: ESTALE has the guest walk the path once
// more, and arrive at what was shown meanwhile.
//
// Security: what is copied is the object that was asked about; when another one is
// there, it is refused. Nothing is asked about that is neither a file nor a directory.
func (a *asking) touched(ctx context.Context, q channel.Question) unix.Errno {
	p := string(q.Path)
	switch own := a.shows.own(p); {
	case own && q.Want == channel.WantRead:
		return unix.EACCES
	case own && !a.shows.widens(p):
		return unix.EROFS // the call may go on: it finds what the view has
	}
	fd, errno := trap.Open(a.host, p)
	if errno != 0 {
		return errno
	}
	defer unix.Close(fd) //nolint:errcheck // nothing was written
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return unix.EACCES
	}
	touch := enforce.Touch{Path: p, Dir: st.Mode&unix.S_IFMT == unix.S_IFDIR, Dev: st.Dev, Ino: st.Ino, Create: string(q.Name)}
	wanted(&touch, q)
	switch {
	case a.shows.gives(touch): // it came meanwhile
	case !touch.Dir && st.Mode&unix.S_IFMT != unix.S_IFREG, touch.Dir && touch.Kind == enforce.TouchRun, !touch.Dir && touch.Create != "", !a.put(ctx, touch):
		return unix.EACCES
	}
	return unix.ESTALE
}

// wanted says of a touch what is wanted, and who wants it.
func wanted(touch *enforce.Touch, q channel.Question) {
	switch q.Want {
	case channel.WantWrite:
		if touch.Kind, touch.Call = enforce.TouchWrite, "change"; touch.Create == "" {
			touch.Call = "change of what is there"
		}
	case channel.WantRun:
		touch.Kind, touch.Call = enforce.TouchRun, "execve"
	case channel.WantRead, channel.WantLook, channel.WantOver:
		touch.Kind, touch.Call = enforce.TouchRead, "open"
		if touch.Dir {
			touch.Call = "list"
		}
	}
	if len(q.Program) > 0 {
		touch.Program = said(string(q.Program), q.PID)
	}
	for _, word := range q.Argv {
		touch.Argv = append(touch.Argv, string(word))
	}
}

// put asks about a touch and shows what was answered. It reports whether the view
// has now what was touched.
func (a *asking) put(ctx context.Context, touch enforce.Touch) bool {
	answer := a.asker.Touched(ctx, touch)
	if !answer.Allow || answer.Alone || ctx.Err() != nil {
		return false
	}
	if err := a.shows.show(answer.Show); err != nil {
		a.asker.NotShown(ctx, touch, err)
		return false
	}
	return a.shows.gives(touch)
}
