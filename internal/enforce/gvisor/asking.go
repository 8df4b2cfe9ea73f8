//go:build linux

package gvisor

import (
	"context"
	"errors"
	"os"
	"path"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/enforce"
	"ambit.dev/ambit/internal/enforce/trap"
)

// asking puts the first touches of one sandbox. The program's kernel has every name
// looked up and opened by the gofer, whose root is a trap, which refuses it what nobody was
// asked about. The program's kernel asks, on a line of its own (changes.go), in the place of
// the program that waits: before a call that changes or starts something, and after one that
// the trap refused. What was answered is attached in the gofer's mounts, and that very call
// goes on with it. The trap itself asks while the launcher has that kernel start a program,
// which opens it for none of its processes: the gofer waits there then.
type asking struct {
	asker enforce.Asker
	trap  *trap.Trap
	host  int // O_PATH descriptor of the host's root

	attach atomic.Pointer[attacher] // nil until the program may begin
	starts atomic.Int32             // programs that the launcher has that kernel start now
	gofer  atomic.Int64             // as the host sees it; 0 until then

	ctx    context.Context // ends with the sandbox
	cancel context.CancelFunc
	over   sync.Once
	failed error         // how it ended; valid when over is done
	served chan struct{} // closed when the trap is no longer served; nil before

	line      *os.File // on which the sandbox's kernel asks
	questions sync.WaitGroup
	people    chan struct{} // a place for each question that somebody is to answer
	mu        sync.Mutex
	waits     map[uint64]context.CancelFunc // guarded by mu: questions that were not answered
}

// newAsking is nil for a plan that does not ask. line is on which the sandbox's kernel
// asks, and is its own from then on.
func newAsking(ctx context.Context, p enforce.Plan, asker enforce.Asker, line *int) (*asking, error) {
	if !p.Trapped() {
		return nil, nil
	}
	if asker == nil {
		return nil, errors.New("internal error: a plan that asks, and nobody to ask")
	}
	host, err := unix.Open("/", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	a := &asking{asker: asker, host: host, waits: map[uint64]context.CancelFunc{}, people: make(chan struct{}, mostQuestions)}
	if a.line, err = asksOn(*line); err != nil {
		return nil, errors.Join(err, unix.Close(host))
	}
	*line = -1
	a.ctx, a.cancel = context.WithCancel(context.WithoutCancel(ctx))
	a.trap = a.newTrap(p)
	return a, nil
}

// newTrap makes the trap that knows the names of the plan.
func (a *asking) newTrap(p enforce.Plan) *trap.Trap {
	who := func(int) int { return int(a.gofer.Load()) }
	ids := idsOf(p)
	c := trap.Config{Host: a.host, UID: uint32(ids.UID), GID: uint32(ids.GID), Proxied: true, Touch: a.touched, PID: who, Process: who, Quiet: p.Quiet}
	if o, ok := a.asker.(enforce.Observer); ok {
		c.Linked = o.Linked
	}
	names, mounted := p.Skeleton()
	c.Names = trap.Names(names)
	t := trap.New(c)
	t.ShowMounted(mounted)
	return t
}

// starting has the trap itself ask until done is called: a program is started from outside.
func (a *asking) starting() (done func()) {
	if a == nil {
		return func() {}
	}
	a.starts.Add(1)
	return func() { a.starts.Add(-1) }
}

// take takes the trap's device off the line and begins to serve it.
func (a *asking) take(line int) error {
	if a == nil {
		return nil
	}
	device, err := descriptor(line)
	if err != nil {
		return err
	}
	a.served = make(chan struct{})
	go func() {
		defer close(a.served)
		_ = a.trap.Serve(a.ctx, device) // whatever ends it, what is not mounted can no longer be reached
	}()
	return nil
}

// begin has questions put from here on: the program begins.
func (a *asking) begin(plan enforce.Plan, gofer int) {
	if a == nil {
		return
	}
	a.gofer.Store(int64(gofer))
	a.attach.Store(newAttacher(plan, gofer, a.trap))
	a.questions.Go(a.hear)
}

// takeBack takes all questions back: nobody waits any more.
func (a *asking) takeBack() {
	if a != nil {
		a.cancel()
	}
}

// end stops asking; the sandbox is gone, or nothing of it was made.
func (a *asking) end() error {
	if a == nil {
		return nil
	}
	a.over.Do(func() {
		a.cancel()
		a.quiet()
		a.questions.Wait()
		if a.served != nil {
			<-a.served
		}
		a.failed = unix.Close(a.host)
		if attach := a.attach.Load(); attach != nil {
			a.failed = errors.Join(a.failed, attach.close())
		}
	})
	return a.failed
}

// touched answers a touch of something hidden. ESTALE has the kernel walk the
// path once more, and arrive at what was attached meanwhile.
//
// Security: the object is what the trap holds open; when what is attached is not that
// object, the row refuses. Nothing is asked about, and nothing shown, before the
// program begins, nor of what is neither a file nor a directory.
func (a *asking) touched(ctx context.Context, t trap.Touched) unix.Errno {
	attach := a.attach.Load()
	kind := t.Stat.Mode & unix.S_IFMT
	switch {
	case t.Kind == trap.Look && (kind != unix.S_IFREG || attach != nil && attach.grants(path.Dir(t.Path))):
		return 0 // it is listed, or nobody is asked about it: the look says nothing but that
	case attach == nil, kind != unix.S_IFDIR && kind != unix.S_IFREG:
		return unix.EACCES
	case attach.grants(t.Path): // beneath its cover, or attached meanwhile
	case t.Kind == trap.Pass:
		return 0
	case a.starts.Load() == 0, t.Kind == trap.Write, t.Kind == trap.Look, !a.put(ctx, attach, t):
		return unix.EACCES
	}
	if err := attach.attachBelow(t.Path, kind == unix.S_IFDIR); err != nil {
		return unix.EACCES
	}
	return unix.ESTALE
}

// put asks about a touch of whoever starts a program and attaches what was answered. It
// reports whether the view has now what was touched. ctx ends with the sandbox, or where the
// gofer waits no more.
func (a *asking) put(ctx context.Context, attach *attacher, t trap.Touched) bool {
	touch := enforce.Touch{Kind: enforce.TouchRead, Path: t.Path, Dir: t.Stat.Mode&unix.S_IFMT == unix.S_IFDIR,
		Dev: t.Stat.Dev, Ino: t.Stat.Ino, Call: "open"}
	if touch.Dir {
		touch.Call = "list"
	}
	answer := a.asker.Touched(ctx, touch)
	if !answer.Allow || answer.Alone || a.ctx.Err() != nil {
		return false
	}
	if err := attach.attach(answer.Show); err != nil {
		a.asker.NotShown(ctx, touch, err)
		return false
	}
	return attach.grants(t.Path)
}
