package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"sync"

	"github.com/hashicorp/yamux"
	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/enforce"
	"ambit.dev/ambit/internal/enforce/microvm/channel"
	"ambit.dev/ambit/internal/enforce/trap"
)

// asker serves the trap that is the root of a view that asks. What a name of the host
// is, and what becomes of a first touch, the launcher says.
type asker struct {
	trap    *trap.Trap
	mount   *os.File // the trap, not yet placed; nil when process 1 has it
	view    view
	process int // process 1 of the sandbox: nobody waits for what itself touches

	mu      sync.Mutex
	stream  *channel.Stream              // guarded by mu; nil until the program begins
	last    uint64                       // guarded by mu; number of the last question
	waiting map[uint64]chan channel.Told // guarded by mu
}

// newAsker makes and serves the trap of a view whose root is one: the entries that are
// left are mounts. It is nil for any other view.
func newAsker(r *channel.Prepare, process int, exchange func(into int, rel string, n int) error) (*asker, error) {
	if len(r.Entries) == 0 || r.Entries[0].Op != string(enforce.OpTrap) {
		return nil, nil
	}
	entries := make([]enforce.Entry, len(r.Entries))
	for i, e := range r.Entries {
		entries[i] = enforce.Entry{Op: enforce.Op(e.Op), Path: e.Path, Source: e.From, Dir: e.Dir, Mode: e.Mode, Content: e.Content}
	}
	names, mounted := enforce.Plan{View: entries}.Skeleton()
	is := map[string]bool{}
	for _, e := range mounted {
		is[string(e.Op)+" "+e.Path] = true
	}
	var left []channel.Entry
	for _, e := range r.Entries[1:] {
		if is[e.Op+" "+e.Path] {
			left = append(left, e)
		}
	}
	r.Entries = left
	host, err := unix.Open("/", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	a := &asker{process: process, waiting: map[uint64]chan channel.Told{}}
	a.trap = trap.New(trap.Config{Host: host, Look: a.look, UID: uint32(r.UID), GID: uint32(r.GID), Names: trap.Names(names), Quiet: r.Quiet, Touch: a.touched})
	a.trap.ShowMounted(mounted)
	a.view.init(a.trap, r, exchange)
	return a, a.serve()
}

// serve mounts the trap, in no namespace yet, and serves it.
func (a *asker) serve() error {
	device, err := unix.Open("/dev/fuse", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("open /dev/fuse: %w; an image of an older version has none: build it anew", err)
	}
	mount, err := trapMount(device)
	if err != nil {
		return errors.Join(fmt.Errorf("mount the trap: %w", err), unix.Close(device))
	}
	a.mount = os.NewFile(uintptr(mount), "trap")
	go func() { _ = a.trap.Serve(context.Background(), device) }() // where it ends, what is not mounted cannot be reached
	return nil
}

// trapMount mounts what a device of FUSE is served by.
func trapMount(device int) (int, error) {
	fs, err := unix.Fsopen("fuse", unix.FSOPEN_CLOEXEC)
	if err != nil {
		return -1, err
	}
	defer unix.Close(fs) //nolint:errcheck // nothing was written
	for _, o := range [][2]string{{"source", "ambit"}, {"fd", strconv.Itoa(device)}, {"rootmode", "40000"}, {"user_id", "0"}, {"group_id", "0"}} {
		if err := unix.FsconfigSetString(fs, o[0], o[1]); err != nil {
			return -1, fmt.Errorf("%s: %w", o[0], err)
		}
	}
	if err := errors.Join(unix.FsconfigSetFlag(fs, "allow_other"), unix.FsconfigCreate(fs)); err != nil {
		return -1, err
	}
	return unix.Fsmount(fs, unix.FSMOUNT_CLOEXEC, unix.MOUNT_ATTR_NOSUID|unix.MOUNT_ATTR_NODEV)
}

// placed lets go of the trap's mount, which the view has now, and goes where more can
// be shown in it.
func (a *asker) placed() error {
	if a == nil {
		return nil
	}
	if err := a.mount.Close(); err != nil {
		return err
	}
	a.mount = nil
	return a.view.enter(a.process)
}

// ask answers questions over a stream of the launcher, until it ends.
func (a *asker) ask(c *yamux.Stream) {
	if a == nil {
		return
	}
	s := channel.NewStream(c, channel.LargestRequest)
	a.mu.Lock()
	a.stream = s
	_ = s.Send(channel.Answer{}) // whoever is gone sends nothing below
	a.mu.Unlock()
	for {
		var t channel.Told
		err := s.Receive(&t)
		a.mu.Lock()
		if err != nil {
			a.stream = nil
			for id, to := range a.waiting {
				delete(a.waiting, id)
				close(to)
			}
			a.mu.Unlock()
			return
		}
		to := a.waiting[t.ID]
		delete(a.waiting, t.ID)
		a.mu.Unlock()
		if to != nil {
			to <- t
		}
	}
}

// put puts a question and waits for its answer; false: there is none.
func (a *asker) put(ctx context.Context, q channel.Question) (t channel.Told, ok bool) {
	answer := make(chan channel.Told, 1)
	a.mu.Lock()
	a.last++
	q.ID = a.last
	err := errors.New("nobody answers")
	if a.stream != nil {
		a.waiting[q.ID] = answer
		err = a.stream.Send(q)
	}
	a.mu.Unlock()
	if err != nil {
		return t, false
	}
	select {
	case t, ok = <-answer:
		return t, ok
	case <-ctx.Done():
		a.mu.Lock()
		defer a.mu.Unlock()
		delete(a.waiting, q.ID)
		if a.stream != nil && q.Want != channel.WantLook {
			_ = a.stream.Send(channel.Question{ID: q.ID, Want: channel.WantOver}) // the launcher is gone otherwise
		}
		return t, false
	}
}

// look says what has a path: of the host, or of what covers it.
func (a *asker) look(ctx context.Context, path string) (mode uint32, target string, errno unix.Errno) {
	if a.view.covers(path) {
		return trap.See(a.view.root, path)
	}
	t, ok := a.put(ctx, channel.Question{Want: channel.WantLook, Path: []byte(path)})
	if !ok {
		return 0, "", unix.EIO
	}
	return t.Mode, string(t.Target), unix.Errno(t.Errno)
}

// touched answers a touch of something hidden.
func (a *asker) touched(ctx context.Context, t trap.Touched) unix.Errno {
	if t.PID == a.process || t.PID == os.Getpid() {
		return unix.EACCES
	}
	q := asks(t.PID)
	q.Want, q.Path = channel.WantRead, []byte(t.Path)
	switch t.Kind { //nolint:exhaustive // all others look and read
	case trap.Write:
		q.Want = channel.WantWrite
	case trap.Run:
		q.Want = channel.WantRun
	}
	if !a.view.gives(t.Path, q.Want) {
		if told, ok := a.put(ctx, q); !ok || unix.Errno(told.Errno) != unix.ESTALE {
			return unix.EACCES
		}
	}
	if err := a.view.below(t.Path); err != nil {
		return unix.EACCES
	}
	return unix.ESTALE
}
