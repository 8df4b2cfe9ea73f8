//go:build linux

package gvisor

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/enforce"
	"ambit.dev/ambit/internal/enforce/gvisor/wire"
)

// sealed are the seals of a part: nobody changes it any more.
const sealed = unix.F_SEAL_SEAL | unix.F_SEAL_SHRINK | unix.F_SEAL_GROW | unix.F_SEAL_WRITE

// Snapshot has the sandbox's own kernel write down its state. Programs that were
// started later are in it, and do not go on where it is restored.
//
// Security: the parts are what that kernel says, with the memory of every program.
// Whoever restores them has that kernel read them before anything else: they are
// taken from nobody but who made them.
func (s *session) Snapshot() (parts []*os.File, err error) {
	cannot := func(why string) error {
		return &enforce.CannotEnforce{Capability: "a snapshot of this session", Why: "the " + s.plan.Tier + " tier " + why}
	}
	switch {
	case s.asking != nil:
		return nil, cannot("cannot keep questions, and what was answered; start it with --ask none")
	case s.plan.Link != nil:
		return nil, cannot("cannot keep connections; start it without a network")
	case s.terminal:
		return nil, cannot("cannot keep a terminal; start it with pipes or files")
	}
	s.hiding.Lock() // nothing is taken away meanwhile
	defer s.hiding.Unlock()
	if len(s.hidden) > 0 {
		return nil, cannot("has taken away what was granted to it")
	}
	fds := make([]int, wire.Parts)
	for i := range fds {
		fd, err := unix.MemfdCreate("snapshot", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("make room for a snapshot: %w", err), closeAll(parts))
		}
		fds[i] = fd
		parts = append(parts, os.NewFile(uintptr(fd), "snapshot"))
	}
	if _, err := s.ask(wire.Request{Op: wire.OpSnapshot}, fds...); err != nil {
		return nil, errors.Join(fmt.Errorf("make a snapshot: %w", err), closeAll(parts))
	}
	for _, fd := range fds {
		if _, err := unix.FcntlInt(uintptr(fd), unix.F_ADD_SEALS, sealed); err != nil {
			return nil, errors.Join(fmt.Errorf("seal a snapshot: %w", err), closeAll(parts))
		}
	}
	return parts, nil
}

func closeAll(files []*os.File) (err error) {
	for _, f := range files {
		err = errors.Join(err, f.Close())
	}
	return err
}

// restore has the sandbox's kernel go on from a snapshot.
//
// Security: that kernel enters its filter before it reads the first byte of it (the
// order is gVisor's, restorer.restore in runsc/boot), and cannot be stopped between
// the two: it is looked at once more when it goes on, and ends if it has not.
func (s *session) restore() error {
	fds := make([]int, len(s.from))
	for i, f := range s.from {
		fds[i] = int(f.Fd())
	}
	_, err := s.ask(wire.Request{Op: wire.OpRestore}, fds...)
	if errors.Is(err, wire.ErrGone) && s.last.Kind == wire.Ended {
		return nil // it went on, and has ended: Wait tells
	}
	if err == nil {
		if err = filtered(s.sentry, s.pid); err != nil && s.over() {
			return nil
		}
	}
	if err != nil {
		return errors.Join(fmt.Errorf("go on from the snapshot: %w", err), s.Kill())
	}
	return nil
}
