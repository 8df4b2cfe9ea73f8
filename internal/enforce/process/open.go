//go:build linux

package process

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"

	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/enforce"
	"ambit.dev/ambit/internal/enforce/namespace"
)

var _ enforce.Opener = (*session)(nil)

// opened is the number of the one descriptor that an errand opens: the lowest that
// is free.
const opened = 3

// Open has a child of init open a path, and hand over the descriptor.
//
// Security: it is walked in the view, in init's domain and under its filter, so the
// links on the way lead where they lead the program, and a question is asked where
// the program would be. Nothing of the host walks the path.
func (s *session) Open(name string, flags int, mode uint32) (*os.File, error) {
	f, err := s.open(name, flags, mode)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	return f, nil
}

func (s *session) open(name string, flags int, mode uint32) (*os.File, error) {
	if !path.IsAbs(name) {
		return nil, errors.New("not an absolute path")
	}
	if s.plan.Filter.NoSpawn {
		return nil, errors.New("the session may not start a process, and it takes one to open it")
	}
	e, err := s.send(errandToOpen(name, flags, mode), [3]int{-1, -1, -1})
	if err != nil {
		return nil, err
	}
	defer e.close()
	said, err := e.first()
	if step, ok := errors.AsType[*namespace.StepError](err); ok && step.Errno != 0 {
		return nil, step.Errno
	}
	if err != nil {
		return nil, err
	}
	if said.fd < 0 {
		return nil, errors.New("nothing was handed over")
	}
	return os.NewFile(uintptr(said.fd), name), nil
}

// errandToStop stops every process of the sandbox but init and who carries it out.
func errandToStop() *namespace.Errand {
	e := &namespace.Errand{}
	e.Must("bind its life to what looks after it", unix.SYS_PRCTL, unix.PR_SET_PDEATHSIG, uint64(unix.SIGKILL))
	e.May("stop all", unix.SYS_KILL, ^uint64(0), uint64(unix.SIGSTOP))
	e.Want("say that it did", 1, unix.SYS_WRITE, errandLine, e.Str("."), 1)
	e.Must("end", unix.SYS_EXIT_GROUP, 0)
	return e
}

// errandToCount waits until its id was read, and ends.
func errandToCount() *namespace.Errand {
	e := &namespace.Errand{}
	e.Must("bind its life to what looks after it", unix.SYS_PRCTL, unix.PR_SET_PDEATHSIG, uint64(unix.SIGKILL))
	e.Want("say that it is there", 1, unix.SYS_WRITE, errandLine, e.Str("."), 1)
	e.Want("wait for the word", 1, unix.SYS_RECVFROM, errandLine, 0, 0, unix.MSG_TRUNC, 0, 0)
	e.Must("end", unix.SYS_EXIT_GROUP, 0)
	return e
}

func errandToOpen(name string, flags int, mode uint32) *namespace.Errand {
	e := &namespace.Errand{}
	cwd := unix.AT_FDCWD
	all := ^uint64(0) >> 32
	e.Must("bind its life to what looks after it", unix.SYS_PRCTL, unix.PR_SET_PDEATHSIG, uint64(unix.SIGKILL))
	e.Must("close other descriptors", unix.SYS_CLOSE_RANGE, opened, errandLine-1, 0)
	e.Must("close other descriptors", unix.SYS_CLOSE_RANGE, errandLine+1, all, 0)
	what, at := fmt.Sprintf("open %s", name), e.Str(name)
	if flags&(unix.O_DIRECTORY|unix.O_CREAT) == unix.O_DIRECTORY|unix.O_CREAT {
		e.May(what, unix.SYS_MKDIRAT, uint64(cwd), at, uint64(mode))
		flags &^= unix.O_CREAT
	}
	e.Want(what, opened, unix.SYS_OPENAT, uint64(cwd), at, uint64(flags|unix.O_CLOEXEC|unix.O_NOCTTY), uint64(mode))
	e.Send("hand it over", errandLine, opened)
	e.Must("end", unix.SYS_EXIT_GROUP, 0)
	return e
}
