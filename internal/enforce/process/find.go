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
)

var _ enforce.Finder = (*session)(nil)

// Find is what a process would touch by a path.
//
// Security: it only finds what to ask about. The path is a program's word, and
// so is what it says later; what it reaches is what is mounted then.
func (s *session) Find(pid int, k enforce.TouchKind, p string) (enforce.Touch, error) {
	a := s.asking
	if a == nil || !s.holds(pid) {
		return enforce.Touch{}, fmt.Errorf("process %d is not one of a sandbox that asks", pid)
	}
	if !path.IsAbs(p) {
		var ok bool
		if p, ok = joined(pid, "cwd", p); !ok {
			return enforce.Touch{}, fmt.Errorf("the working directory of process %d cannot be told", pid)
		}
	}
	absent := &fs.PathError{Op: "find", Path: p, Err: fs.ErrNotExist}
	if own(path.Clean(p)) {
		return enforce.Touch{}, absent
	}
	found, err := a.find(p, true)
	if errors.Is(err, errOwn) {
		return enforce.Touch{}, absent
	}
	if err != nil {
		return enforce.Touch{}, &fs.PathError{Op: "find", Path: p, Err: err}
	}
	t := enforce.Touch{Kind: k, Path: found.path, Dir: found.st.Mode&unix.S_IFMT == unix.S_IFDIR, Dev: found.st.Dev, Ino: found.st.Ino, PID: pid}
	seen := a.trap == nil && !found.hidden && k == enforce.TouchRead
	if seen || !a.askable(t) || a.unseen(t.Path) {
		return enforce.Touch{}, absent
	}
	t.Program, t.Argv = program(pid)
	return t, nil
}

// unseen reports whether what lies at p is hidden without a question.
func (a *asking) unseen(p string) bool {
	_, on := a.attach.at(p)
	return !on && a.quiet(p)
}

// holds reports whether a process is one of this sandbox.
func (s *session) holds(pid int) bool {
	inside, err := os.Readlink("/proc/" + itoa(s.pid) + "/ns/pid")
	if err != nil {
		return false
	}
	its, err := os.Readlink("/proc/" + itoa(pid) + "/ns/pid")
	return err == nil && its == inside
}
