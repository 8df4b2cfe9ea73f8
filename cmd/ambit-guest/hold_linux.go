package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/enforce/microvm/channel"
	"ambit.dev/ambit/internal/enforce/seccomp"
)

// mostHeld bounds the calls that wait at one time; further ones go on, and meet the view
// as it is.
const mostHeld = 256

// patience is how often it is looked whether a held call still waits.
const patience = 200 * time.Millisecond

// holder asks about changes and executions before the kernel has locked anything for
// them: of what is hidden, and of what was shown without that right. The trap hears of
// hidden programs by itself.
//
// Security: it only asks. A call that goes on runs anew and reads its paths itself, and
// what it may do is what is mounted then.
type holder struct {
	asker    *asker
	listener *seccomp.Listener
	room     chan struct{} // a place for each call
}

// hold begins to answer the calls that process 1 holds by a descriptor of its own.
func (a *asker) hold(fd int) error {
	if a == nil {
		return nil
	}
	process, err := unix.PidfdOpen(a.process, 0)
	if err != nil {
		return err
	}
	defer unix.Close(process) //nolint:errcheck // it only stands for a process
	ours, err := unix.PidfdGetfd(process, fd, 0)
	if err != nil {
		return fmt.Errorf("take the held calls: %w", err)
	}
	listener, err := seccomp.NewListener(ours)
	if err != nil {
		return err
	}
	h := &holder{asker: a, listener: listener, room: make(chan struct{}, mostHeld)}
	go func() { _ = listener.Serve(h.held) }() // where it ends, held calls fail
	return nil
}

// held answers a call: at once, or in a goroutine of its own.
func (h *holder) held(n seccomp.Notification) seccomp.Verdict {
	if n.PID <= 0 || n.PID == h.asker.process || h.quick(n) {
		return seccomp.Go()
	}
	select {
	case h.room <- struct{}{}:
	default:
		return seccomp.Go()
	}
	go func() {
		defer func() { <-h.room }()
		_ = h.listener.Answer(n.ID, h.answer(n)) // who waited may be gone
	}()
	return seccomp.Later()
}

// answer asks about all that a call wants, one after the other, and lets it go on, or makes
// it where it cannot.
func (h *holder) answer(n seccomp.Notification) seccomp.Verdict {
	wishes, places := h.wishes(n)
	if !h.listener.Valid(n.ID) {
		return seccomp.Go()
	}
	if len(wishes) == 0 {
		return h.proceed(n, places)
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go h.watch(ctx, cancel, n.ID)
	who := asks(n.PID)
	for _, q := range wishes {
		q.PID, q.Program, q.Argv = who.PID, who.Program, who.Argv
		told, ok := h.asker.put(ctx, q)
		switch {
		case ok && unix.Errno(told.Errno) == unix.ESTALE:
		case ok && unix.Errno(told.Errno) == unix.EROFS:
			return seccomp.Go() // nobody is asked about it: the kernel says what it is
		default:
			return seccomp.Refuse(unix.EACCES)
		}
	}
	return h.proceed(n, places)
}

// watch ends a question whose call waits no more.
func (h *holder) watch(ctx context.Context, cancel context.CancelFunc, id uint64) {
	tick := time.NewTicker(patience)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if !h.listener.Valid(id) {
				cancel()
			}
		}
	}
}

// wishes are what is to be asked about before a call goes on, and what it names.
func (h *holder) wishes(n seccomp.Notification) (all []channel.Question, places []place) {
	switch n.Call {
	case unix.SYS_EXECVE, unix.SYS_EXECVEAT:
		return h.run(n)
	}
	call := seccomp.Changing[n.Call]
	for i, arg := range call.Paths {
		p, ok := h.named(n, arg)
		if !ok {
			continue // the kernel knows what is an error
		}
		if call.Makes && i == len(call.Paths)-1 {
			if s, err := h.find(p.path, false); err == nil {
				s.close()
				return nil, nil // it is there already
			}
		}
		places = append(places, p)
		if q, ok := h.change(n, call, p.path); ok {
			all = append(all, q)
		}
	}
	return all, places
}

// change is what has to be asked about a path of a call, if anything.
func (h *holder) change(n seccomp.Notification, call seccomp.Named, p string) (q channel.Question, ask bool) {
	write, follow := call.Wants(n)
	if !write {
		return q, false // a path only: whoever uses it is held then
	}
	if call.Names {
		return h.changeIn(p)
	}
	s, err := h.find(p, follow)
	switch {
	case err != nil && call.Creates(n) && errors.Is(err, unix.ENOENT):
		return h.changeIn(p)
	case err != nil:
		return q, false
	}
	defer s.close()
	switch {
	case s.mode&unix.S_IFMT == unix.S_IFLNK:
		return h.changeIn(p) // it is an entry of its directory
	case !s.hidden && call.Flags > 0 && special(s.mode):
		return q, false
	}
	return channel.Question{Want: channel.WantWrite, Path: []byte(s.path)}, s.hidden || s.readOnly
}

// changeIn is change for a name that is made, changed or removed in its directory.
func (h *holder) changeIn(p string) (q channel.Question, ask bool) {
	dir, name := seccomp.Split(p)
	if name == "" || name == "." || name == ".." {
		return q, false
	}
	s, err := h.find(dir, true)
	if err != nil {
		return q, false
	}
	defer s.close()
	return channel.Question{Want: channel.WantWrite, Path: []byte(s.path), Name: []byte(name)},
		s.mode&unix.S_IFMT == unix.S_IFDIR && (s.hidden || s.readOnly)
}

// run is what has to be asked about an execution: of a program that was shown, and not to
// be executed.
func (h *holder) run(n seccomp.Notification) ([]channel.Question, []place) {
	p, ok := h.named(n, programPath(n))
	if !ok {
		return nil, nil
	}
	s, err := h.find(p.path, true)
	if err != nil {
		return nil, nil
	}
	defer s.close()
	if s.hidden || !s.noExec || s.mode&unix.S_IFMT != unix.S_IFREG || s.mode&0o111 == 0 {
		return nil, []place{p}
	}
	return []channel.Question{{Want: channel.WantRun, Path: []byte(s.path)}}, []place{p}
}

// programPath are the arguments by which an execution names its program.
func programPath(n seccomp.Notification) [2]int {
	if n.Call == unix.SYS_EXECVEAT {
		return [2]int{0, 1}
	}
	return [2]int{seccomp.CWD, 0}
}

// spot is what lies at a path of the view.
type spot struct {
	fd       int
	path     string // without links
	mode     uint32
	hidden   bool // it is the trap's
	readOnly bool
	noExec   bool
}

func (s spot) close() { _ = unix.Close(s.fd) } // it only stands for an object

// find looks at a path of the view. Nothing that was hidden is touched by that: the trap
// tells of names.
func (h *holder) find(p string, follow bool) (s spot, err error) {
	how := &unix.OpenHow{Flags: unix.O_PATH | unix.O_CLOEXEC, Resolve: unix.RESOLVE_IN_ROOT | unix.RESOLVE_NO_MAGICLINKS}
	if !follow {
		how.Flags |= unix.O_NOFOLLOW
	}
	if s.fd, err = unix.Openat2(h.asker.view.root, p, how); err != nil {
		return s, err
	}
	defer func() {
		if err != nil {
			s.close()
		}
	}()
	var fs unix.Statfs_t
	if err := unix.Fstatfs(s.fd, &fs); err != nil {
		return s, err
	}
	s.hidden, s.readOnly, s.noExec = fs.Type == unix.FUSE_SUPER_MAGIC, fs.Flags&unix.ST_RDONLY != 0, fs.Flags&unix.ST_NOEXEC != 0
	if s.path, err = os.Readlink(fmt.Sprintf("/proc/self/fd/%d", s.fd)); err != nil {
		return s, err
	}
	if s.hidden {
		// To look at it would be a touch; what the kernel knows of it is its form.
		var st unix.Statx_t
		err = unix.Statx(s.fd, "", unix.AT_EMPTY_PATH|unix.AT_STATX_DONT_SYNC, unix.STATX_TYPE, &st)
		s.mode = uint32(st.Mode)
		return s, err
	}
	var st unix.Stat_t
	err = unix.Fstat(s.fd, &st)
	s.mode = st.Mode
	return s, err
}
