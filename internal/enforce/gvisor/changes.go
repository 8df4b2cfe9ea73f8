//go:build linux

package gvisor

import (
	"context"
	"fmt"
	"os"
	"path"
	"slices"

	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/enforce"
	"ambit.dev/ambit/internal/enforce/gvisor/wire"
	"ambit.dev/ambit/internal/enforce/trap"
)

// What waits at one time: mostQuestions for people, and mostCalls on the line. What goes
// beyond is refused.
const (
	mostQuestions = 256
	mostCalls     = 1024
)

// hear answers what the sandbox's kernel asks, before calls that change or start something,
// and about what calls that only look were refused, until the line ends.
//
// Security: that kernel is not trusted. It learns of a name what a program learns that
// looks, it can have so many people asked at one time and no more, and gets what was
// answered, attached where it could be read too. One that breaks the rules is heard no more,
// and every later question is refused.
func (a *asking) hear() {
	defer a.quiet()
	for {
		var q wire.Question
		if err := wire.Asked(a.line.Read, &q); err != nil || q.Check() != nil {
			return
		}
		if !a.answer(q) {
			return
		}
	}
}

// quiet takes back all questions on the line, and ends it.
func (a *asking) quiet() {
	_ = a.line.Close() // once more is nothing
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, cancel := range a.waits {
		cancel()
	}
}

// answer begins to answer a question; false: it breaks the rules.
func (a *asking) answer(q wire.Question) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	cancel := a.waits[q.ID]
	switch {
	case q.Want == wire.WantOver && cancel != nil:
		cancel()
		return true
	case q.Want == wire.WantOver:
		return true
	case cancel != nil:
		return false
	case len(a.waits) >= mostCalls:
		a.questions.Go(func() { a.tell(wire.Told{ID: q.ID, Errno: unix.EACCES}) })
		return true
	}
	ctx, cancel := context.WithCancel(a.ctx)
	a.waits[q.ID] = cancel
	a.questions.Go(func() {
		told := a.become(ctx, q)
		told.ID = q.ID
		a.mu.Lock()
		delete(a.waits, q.ID)
		a.mu.Unlock()
		cancel()
		if a.ctx.Err() == nil { // otherwise whoever waits ends, and learns of nothing
			a.tell(told)
		}
	})
	return true
}

// tell answers. Who does not take it is gone, which the next read finds.
func (a *asking) tell(t wire.Told) {
	if text, err := wire.Ask(t); err == nil {
		_, _ = a.line.Write(text)
	}
}

// become says what becomes of a call.
func (a *asking) become(ctx context.Context, q wire.Question) wire.Told {
	refused := wire.Told{Errno: unix.EACCES}
	attach := a.attach.Load()
	if attach == nil {
		return refused
	}
	dir, name := string(q.Dir), string(q.Name)
	p := path.Join(dir, name)
	if attach.own(p) {
		return wire.Told{}
	}
	mode, target, errno := trap.See(a.host, p)
	is := mode & unix.S_IFMT
	switch {
	case q.Makes && errno == 0:
		return wire.Told{Errno: unix.EEXIST} // whoever allows it
	case q.Entry, name != "" && errno == unix.ENOENT && q.Creates, errno == 0 && is == unix.S_IFLNK && q.Link && q.Want == wire.WantWrite:
		return a.about(ctx, attach, q, dir, name)
	case errno != 0 || is == unix.S_IFLNK && q.Link:
		return wire.Told{}
	case is == unix.S_IFLNK:
		if o, ok := a.asker.(enforce.Observer); ok {
			o.Linked(p)
		}
		return wire.Told{Target: []byte(target)}
	}
	return a.about(ctx, attach, q, p, "")
}

// about asks about an object, or about a name in a directory, unless the view gives it.
//
// Security: the object is opened once, without following links, and what is attached is
// that one or nothing. Nothing is asked about that is neither a file nor a directory.
func (a *asking) about(ctx context.Context, attach *attacher, q wire.Question, p, create string) wire.Told {
	refused := wire.Told{Errno: unix.EACCES}
	if attach.own(p) {
		return wire.Told{} // the call may go on: it finds what the view has
	}
	fd, errno := trap.Open(a.host, p)
	if errno != 0 {
		return wire.Told{}
	}
	defer unix.Close(fd) //nolint:errcheck // nothing was written
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return refused
	}
	kind := st.Mode & unix.S_IFMT
	touch := touchOf(q, p, create, st)
	switch {
	case touch.Kind == enforce.TouchRead && touch.Dir && !q.List:
		return wire.Told{} // what is in it a look does not tell
	case touch.Kind == enforce.TouchRun && (kind != unix.S_IFREG || st.Mode&0o111 == 0):
		return wire.Told{} // nobody can run it
	case kind != unix.S_IFDIR && kind != unix.S_IFREG, !touch.Dir && create != "":
		return refused
	case attach.gives(touch):
		return wire.Told{}
	}
	select {
	case a.people <- struct{}{}:
		defer func() { <-a.people }()
	default:
		return refused
	}
	if !a.show(ctx, attach, touch) {
		return refused
	}
	return wire.Told{Shown: true}
}

// touchOf is the touch of an object, or of the name create in it.
func touchOf(q wire.Question, p, create string, st unix.Stat_t) enforce.Touch {
	t := enforce.Touch{Kind: enforce.TouchWrite, Path: p, Dir: st.Mode&unix.S_IFMT == unix.S_IFDIR, Dev: st.Dev, Ino: st.Ino, Create: create, Call: "change", Argv: q.Arguments()}
	switch {
	case q.Want == wire.WantRun:
		t.Kind, t.Call = enforce.TouchRun, "execve"
	case q.Want == wire.WantRead && t.Dir:
		t.Kind, t.Call = enforce.TouchRead, "list"
	case q.Want == wire.WantRead:
		t.Kind, t.Call = enforce.TouchRead, "open"
	case create == "":
		t.Call = "change of what is there"
	}
	if len(q.Program) > 0 {
		t.Program = fmt.Sprintf("%s (process %d in the sandbox, whose kernel says so)", q.Program, q.PID)
	}
	return t
}

// show asks about a touch and attaches what was answered. It reports whether the view has
// now what was wanted.
func (a *asking) show(ctx context.Context, attach *attacher, touch enforce.Touch) bool {
	answer := a.asker.Touched(ctx, touch)
	if !answer.Allow || answer.Alone || ctx.Err() != nil {
		return false
	}
	if err := attach.attach(answer.Show); err != nil {
		a.asker.NotShown(ctx, touch, err)
		return false
	}
	return attach.gives(touch)
}

// own reports whether a path is the view's own: it was mounted at the start, or is quiet,
// so that nobody is asked about it.
func (a *attacher) own(p string) bool {
	on, ok := a.at(p)
	a.table.RLock()
	defer a.table.RUnlock()
	return ok && a.came[on.Path] == 0 || !ok && slices.ContainsFunc(a.plan.Quiet, func(q string) bool { return within(p, q) })
}

// gives reports whether what was touched lies in what was attached since the start, with
// the right that is wanted.
func (a *attacher) gives(t enforce.Touch) bool {
	on, ok := a.at(t.Path)
	a.table.RLock()
	defer a.table.RUnlock()
	return ok && a.came[on.Path] > 0 && on.Op == enforce.OpBind && (t.Kind != enforce.TouchWrite || on.Write) && (t.Kind != enforce.TouchRun || on.Exec)
}

// asksOn is the launcher's end of the line on which the sandbox's kernel asks: reads and
// writes end when it is closed.
func asksOn(fd int) (*os.File, error) {
	if err := unix.SetNonblock(fd, true); err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), "line on which is asked"), nil
}
