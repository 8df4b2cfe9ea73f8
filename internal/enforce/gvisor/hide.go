//go:build linux

package gvisor

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/enforce"
	"ambit.dev/ambit/internal/enforce/gvisor/wire"
)

// cutWithin is how long the gofer may take to let go of a mount.
const cutWithin = 10 * time.Second

// Hide takes what was granted away. Whatever is a mount of its own in the sentry has
// a line of its own to the gofer, by which every look, open and change goes: it is
// cut. What was attached since the start is unmounted in the gofer's namespace (taken.go). What
// lies in another mount cannot be taken away apart from it, and is refused.
//
// Security: when it returns without an error the gofer, which alone can open files
// of the host, has let go of every object that it held for such a line, directories
// that programs are in included; the sentry can ask for no new one. What programs
// have open they keep, and it is listed.
func (s *session) Hide(paths ...string) ([][]enforce.Open, error) {
	s.hiding.Lock()
	defer s.hiding.Unlock()
	open := make([][]enforce.Open, len(paths))
	attached, served := s.asking.split(paths)
	lines, err := s.goferLines(served)
	if err != nil && s.over() {
		return open, nil
	}
	if err != nil {
		return nil, fmt.Errorf("the %s tier cannot take %q away while a program runs: %w", s.plan.Tier, paths, err)
	}
	for _, fd := range lines {
		if err := cut(s.gofer, fd); err != nil && !s.over() {
			return nil, fmt.Errorf("take %q away: %w", paths, err)
		}
	}
	if len(attached) > 0 {
		if err := s.asking.attach.Load().hide(attached); err != nil && !s.over() {
			return nil, fmt.Errorf("take %q away: %w", attached, err)
		}
	}
	var seen []wire.Open
	if len(lines)+len(attached) > 0 {
		r, err := s.ask(wire.Request{Op: wire.OpOpen, Paths: paths})
		if err != nil && !errors.Is(err, wire.ErrGone) { // the session has ended
			return nil, fmt.Errorf("look at what is open: %w", err)
		}
		seen = r.Open
	}
	for i, p := range paths {
		if s.hidden[p] {
			continue
		}
		if s.hidden == nil {
			s.hidden = map[string]bool{}
		}
		if !slices.Contains(served, p) && !slices.Contains(attached, p) {
			continue
		}
		s.hidden[p] = slices.Contains(served, p) // for ever; what was attached may come again
		for _, o := range seen {
			if within(o.Path, p) {
				open[i] = append(open[i], enforce.Open{Program: o.Program, What: o.What, Path: o.Path})
			}
		}
	}
	return open, nil
}

// over reports whether the session has ended, or is about to: its agent, which is
// process 1 of all that runs for it, is gone or says so.
func (s *session) over() bool {
	select {
	case <-s.heard:
	case <-s.ended:
	case <-time.After(time.Second): // its processes do not end at once
		return false
	}
	return true
}

// goferLines are the gofer's descriptors of the lines for some mounts, but of those
// that are hidden already. They stand among its arguments in the order of the
// mounts, the root's first.
func (s *session) goferLines(paths []string) (fds []int, err error) {
	if !slices.ContainsFunc(paths, func(p string) bool { return !s.hidden[p] }) {
		return nil, nil
	}
	text, err := os.ReadFile(dirOf(s.gofer) + "/cmdline")
	if err != nil {
		return nil, err
	}
	var all []int
	for argument := range strings.SplitSeq(string(text), "\x00") {
		if n, ok := strings.CutPrefix(argument, "--io-fds="); ok {
			fd, err := strconv.Atoi(n)
			if err != nil {
				return nil, fmt.Errorf("the gofer has the argument %q", argument)
			}
			all = append(all, fd)
		}
	}
	var served []string
	for _, m := range ociMounts(s.plan.View) {
		if m.Type == "bind" {
			served = append(served, m.Destination)
		}
	}
	if len(all) != len(served)+1 {
		return nil, fmt.Errorf("the gofer has %d lines for %d mounts", len(all), len(served)+1)
	}
	for _, p := range paths {
		if s.hidden[p] {
			continue
		}
		i := slices.Index(served, p)
		if i < 0 {
			return nil, fmt.Errorf("%q is no mount of its own there; end the session", p)
		}
		for _, other := range served {
			if other != p && within(other, p) && !slices.Contains(paths, other) {
				return nil, fmt.Errorf("%q lies in %q and was not taken away; end the session", other, p)
			}
		}
		fds = append(fds, all[i+1])
	}
	return fds, nil
}

// cut ends a line of a process, and waits until the process has let go of it.
func cut(pid, fd int) error {
	process, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return fmt.Errorf("open the gofer: %w", err)
	}
	defer unix.Close(process) //nolint:errcheck // only looked through
	line, err := unix.PidfdGetfd(process, fd, 0)
	if errors.Is(err, unix.EBADF) {
		return nil // it has let go of it
	}
	if err != nil {
		return fmt.Errorf("take the line of a mount: %w", err)
	}
	var st unix.Stat_t
	err = unix.Fstat(line, &st)
	if err == nil {
		err = unix.Shutdown(line, unix.SHUT_RDWR) // of what is no socket any more it fails
	}
	if err = errors.Join(err, unix.Close(line)); err != nil {
		return fmt.Errorf("cut the line of a mount: %w", err)
	}
	for end := time.Now().Add(cutWithin); ; time.Sleep(time.Millisecond) {
		is, err := os.Readlink(fmt.Sprintf("%s/fd/%d", dirOf(pid), fd))
		if errors.Is(err, os.ErrNotExist) || err == nil && is != fmt.Sprintf("socket:[%d]", st.Ino) { // its number is another's
			return nil
		}
		if time.Now().After(end) {
			return fmt.Errorf("the gofer has not let go of a mount within %v", cutWithin)
		}
	}
}
