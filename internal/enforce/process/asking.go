//go:build linux

package process

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/enforce"
	"ambit.dev/ambit/internal/enforce/seccomp"
	"ambit.dev/ambit/internal/enforce/trap"
)

// asking puts the first touches of one sandbox: what the trap hears of, and
// what the filter holds. What was answered is attached; whoever touched then
// goes on in the very same call.
type asking struct {
	asker  enforce.Asker
	attach *attacher
	trap   *trap.Trap    // nil: the filter holds every look
	host   int           // O_PATH descriptor of the host's root
	view   atomic.Int64  // the same of the view's, where there is no trap; -1 before it is there
	room   chan struct{} // one token for each held call that may wait
	ids    ids           // of its processes

	apart  sync.WaitGroup  // held calls that are answered in a goroutine
	ctx    context.Context // ends with the sandbox
	cancel context.CancelFunc
	over   sync.Once
	failed error         // how it ended; valid when over is done
	served chan struct{} // closed when the trap is no longer served; nil before
}

// maxWaiting bounds the held calls that wait for an answer at once; the trap
// has a bound of its own.
const maxWaiting = 1024

func newAsking(ctx context.Context, p enforce.Plan, asker enforce.Asker, attach *attacher) (*asking, error) {
	if asker == nil {
		return nil, errors.New("internal error: a plan that asks, and nobody to ask")
	}
	host, err := unix.Open("/", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	a := &asking{asker: asker, attach: attach, host: host, room: make(chan struct{}, maxWaiting)}
	a.view.Store(-1)
	a.ctx, a.cancel = context.WithCancel(context.WithoutCancel(ctx))
	if p.Trapped() {
		a.trap = a.newTrap(p)
		attach.trap = a.trap
	}
	return a, nil
}

// newTrap makes the trap that knows the names of the plan.
func (a *asking) newTrap(p enforce.Plan) *trap.Trap {
	c := trap.Config{Host: a.host, UID: uint32(p.UID), GID: uint32(p.GID), Touch: a.touched, PID: a.hostPID, Process: a.ids.process, Quiet: p.Quiet}
	if o, ok := a.asker.(enforce.Observer); ok {
		c.Linked = o.Linked
	}
	c.Names = trap.Names(a.attach.names)
	t := trap.New(c)
	_, mounted := p.Skeleton()
	t.ShowMounted(mounted)
	return t
}

// ownNames are what the view's root has for its own sake. The point that a grant
// is mounted on is none: taken away again, what is there is the host's.
func ownNames(p enforce.Plan) []enforce.Entry {
	names, mounted := p.Skeleton()
	granted := make(map[string]bool, len(mounted))
	for i := range mounted {
		if e := &mounted[i]; e.Op == enforce.OpBind && e.Source == e.Path {
			granted[e.Path] = true
		}
	}
	return slices.DeleteFunc(names, func(e enforce.Entry) bool { return granted[e.Path] })
}

// enter opens the root of the view that the sandbox's init has entered. Without a
// trap it is looked at from outside: no walk in it waits for this process.
func (a *asking) enter() error {
	if a == nil || a.trap != nil {
		return nil
	}
	fd, err := unix.Open("/proc/"+itoa(int(a.attach.init.Load()))+"/root", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("open the view: %w", err)
	}
	a.view.Store(int64(fd))
	return nil
}

// serve answers the trap's requests until the sandbox is gone.
func (a *asking) serve(device int) {
	a.served = make(chan struct{})
	go func() {
		defer close(a.served)
		_ = a.trap.Serve(a.ctx, device) // whatever ends it, what is not mounted can no longer be reached
	}()
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
		if a.served != nil {
			<-a.served
		}
		a.apart.Wait() // they look by these descriptors
		a.failed = unix.Close(a.host)
		if fd := int(a.view.Load()); fd >= 0 {
			a.failed = errors.Join(a.failed, unix.Close(fd))
		}
		a.failed = errors.Join(a.failed, a.ids.close())
	})
	return a.failed
}

// touched answers a touch of something hidden. ESTALE has the kernel walk the
// path once more, and arrive at what was attached meanwhile.
//
// Security: the object is what the trap holds open; when what is attached is
// not that object, the attacher refuses.
func (a *asking) touched(ctx context.Context, t trap.Touched) unix.Errno {
	touch := enforce.Touch{Kind: enforce.TouchRead, Path: t.Path, Dir: t.Stat.Mode&unix.S_IFMT == unix.S_IFDIR,
		Dev: t.Stat.Dev, Ino: t.Stat.Ino, PID: t.PID, Call: "stat"}
	refusal := unix.EACCES
	switch t.Kind {
	case trap.Look:
		refusal = unix.ENOENT
	case trap.Pass:
		return refusal // no proxy walks here
	case trap.Read:
		touch.Call = "open"
	case trap.List:
		touch.Call = "list"
	case trap.Write:
		touch.Kind, touch.Call = enforce.TouchWrite, "open"
	case trap.Run:
		touch.Kind, touch.Call = enforce.TouchRun, "execve"
	}
	// What is granted already is met beneath its cover, or was attached meanwhile.
	if !a.attach.grants(touch) && !a.put(ctx, touch) {
		return refusal
	}
	if err := a.attach.attachBelow(t.Path, spot{}); err != nil {
		return unix.EACCES
	}
	return unix.ESTALE
}

// put asks about a touch and attaches what was answered. It reports whether the
// view has now what was touched.
func (a *asking) put(ctx context.Context, t enforce.Touch) bool {
	ok, _ := a.wish(ctx, t)
	return ok
}

// decided is how long an answer takes where nobody is asked. While somebody is, the
// process that attaches is made.
const decided = 2 * time.Millisecond

// wish is put for what may be granted by its name alone. Of that there is nothing
// to attach yet.
func (a *asking) wish(ctx context.Context, t enforce.Touch) (ok, alone bool) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(a.ctx, cancel)()
	t.Program, t.Argv = program(t.PID)
	if !a.attach.there.Load() {
		defer time.AfterFunc(decided, a.attach.ready).Stop()
	}
	answer := a.asker.Touched(ctx, t)
	if a.ctx.Err() != nil {
		return false, false // it was taken back, whatever was answered
	}
	if !answer.Allow || answer.Alone {
		return answer.Allow && t.Alone, true
	}
	for _, e := range answer.Show {
		if e.Op != enforce.OpBind && e.Op != enforce.OpMask {
			return false, false
		}
	}
	if err := a.show(ctx, t, answer.Show); err != nil {
		a.asker.NotShown(ctx, t, err)
		return false, false
	}
	return a.attach.grants(t), false
}

// program is the name and the arguments of a process.
func program(pid int) (name string, argv []string) {
	dir := "/proc/" + strconv.Itoa(pid)
	if text, err := read(dir + "/comm"); err == nil {
		name = strings.TrimSuffix(string(text), "\n")
	}
	if text, err := read(dir + "/cmdline"); err == nil {
		argv = arguments(text)
	}
	return name, argv
}

// arguments are the words of a /proc/PID/cmdline. A program that has written a
// title of its own over them leaves a row of empty ones.
func arguments(text []byte) (argv []string) {
	const most = 64
	for i, arg := range bytes.Split(bytes.TrimRight(text, "\x00"), []byte{0}) {
		if i == most {
			break
		}
		argv = append(argv, string(arg))
	}
	return argv
}

// hostPID translates a process id of the sandbox, as the trap is told, to the
// host's; 0 where there is none any more.
func (a *asking) hostPID(pid int) int {
	return a.ids.outside(int(a.attach.init.Load()), pid)
}

// patience is how often it is looked whether a held call still waits.
const patience = 200 * time.Millisecond

// waiting returns a context that ends when the held call is gone.
func (w *watcher) waiting(n seccomp.Notification) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(w.s.asking.ctx)
	go func() {
		tick := time.NewTicker(patience)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				if !w.listener.Valid(n.ID) {
					cancel()
				}
			}
		}
	}()
	return ctx, cancel
}

// ask puts touches of a held call, one after another, and lets the call go on
// if the view has them all. Then it takes away the mounts of programs whose names
// are about to change.
//
// Security: the call runs anew after it and reads its paths itself; what it may
// then do is what is mounted, whatever was asked.
func (w *watcher) ask(n seccomp.Notification, wishes []wish, loose []string) seccomp.Verdict {
	return w.settled(n, unix.EACCES, func(ctx context.Context) seccomp.Verdict {
		alone, ok := w.s.asking.grant(ctx, wishes)
		switch {
		case !ok || slices.ContainsFunc(loose, func(p string) bool { return w.s.asking.loosen(p) != nil }):
			return seccomp.Refuse(unix.EACCES)
		case !plainNames(wishes, alone):
			return w.perform(ctx, n, wishes)
		}
		for _, x := range wishes {
			if x.below != "" {
				_ = w.s.asking.attach.attachBelow(x.below, spot{}) // the cover may have no such name: the kernel says so
			}
		}
		return w.proceed(n)
	})
}

// asked has a held call wait for a question, in a goroutine of its own.
func (w *watcher) asked(n seccomp.Notification, refusal unix.Errno, question func(context.Context) bool) seccomp.Verdict {
	return w.apart(n, refusal, func(ctx context.Context) unix.Errno {
		if question(ctx) {
			return 0
		}
		return refusal
	})
}

// apart has a held call wait for work that may take long, in a goroutine of its
// own. It goes on if there is no errno. full is its errno where too many wait.
func (w *watcher) apart(n seccomp.Notification, full unix.Errno, work func(context.Context) unix.Errno) seccomp.Verdict {
	return w.settled(n, full, func(ctx context.Context) seccomp.Verdict {
		if errno := work(ctx); errno != 0 {
			return seccomp.Refuse(errno)
		}
		return w.proceed(n)
	})
}

// settled is apart for work that says what becomes of the call.
func (w *watcher) settled(n seccomp.Notification, full unix.Errno, work func(context.Context) seccomp.Verdict) seccomp.Verdict {
	room := w.s.asking.room
	select {
	case room <- struct{}{}:
	default:
		return seccomp.Refuse(full)
	}
	w.s.asking.apart.Go(func() {
		defer func() { <-room }()
		ctx, cancel := w.waiting(n)
		defer cancel()
		if v := work(ctx); v != seccomp.Later() { // it has its answer
			_ = w.listener.Answer(n.ID, v) // it may be gone
		}
	})
	return seccomp.Later()
}

// grants reports whether the view has the object of a touch with the right that
// was wanted.
func (a *attacher) grants(t enforce.Touch) bool {
	if t.Path == "" {
		return true // a right that nothing is attached for
	}
	on, ok := a.at(t.Path)
	switch {
	case !ok || on.Op == enforce.OpMask:
		return false
	case t.Kind == enforce.TouchWrite:
		return on.Write
	case t.Kind == enforce.TouchRun:
		return on.Exec && !a.stands(t.Path)
	}
	return true
}

// resolved finds the object of the host that a path of the view leads to, for
// asking about it. It fails where there is none.
func (a *asking) resolved(p string, follow bool) (real string, st unix.Stat_t, err error) {
	flags := unix.O_PATH | unix.O_CLOEXEC
	if !follow {
		flags |= unix.O_NOFOLLOW
	}
	// Most paths have no links: then the path is that of the object.
	how := &unix.OpenHow{Flags: uint64(flags), Resolve: unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_MAGICLINKS}
	p = path.Clean(p)
	fd, err := unix.Openat2(a.host, strings.TrimPrefix(p, "/")+"/.", how)
	if errors.Is(err, unix.ENOTDIR) {
		fd, err = unix.Openat2(a.host, strings.TrimPrefix(p, "/"), how)
	}
	if err == nil {
		defer unix.Close(fd) //nolint:errcheck // it only stands for an object
		return p, st, unix.Fstat(fd, &st)
	}
	how.Resolve = unix.RESOLVE_NO_MAGICLINKS
	if fd, err = unix.Openat2(unix.AT_FDCWD, p, how); err != nil {
		return "", st, err
	}
	defer unix.Close(fd) //nolint:errcheck // it only stands for an object
	if err := unix.Fstat(fd, &st); err != nil {
		return "", st, err
	}
	real, err = os.Readlink("/proc/self/fd/" + strconv.Itoa(fd))
	return real, st, err
}
