//go:build linux

package gvisor

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sync"

	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/enforce"
)

// A relay stands between a standard descriptor that the sandbox must not have
// and the program: the sentry keeps a position of its own in a regular file, and
// would write over what others write there; a device would be one of the host's.
type relay struct {
	give [3]*os.File // what the program gets
	own  []*os.File  // of give, what is ours to close
	out  sync.WaitGroup
	stop []*os.File // ends of ours that are closed when the program has ended
}

// isTerminal reports whether a descriptor is one.
func isTerminal(fd int) bool {
	_, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	return err == nil
}

// newRelay makes what the program gets: pipes, sockets and terminals as they are,
// and a pipe in the place of everything else.
//
// Security: a directory is refused, and so is an O_PATH descriptor, which may be
// one: beneath it the host's tree could be reached.
func newRelay(stdio enforce.Stdio) (*relay, error) {
	r := &relay{}
	return r, r.fill([3]*os.File{stdio.In, stdio.Out, stdio.Err}, r.between)
}

// fill gives the program each file as it is, or has it put in its place. After an
// error the relay is closed.
func (r *relay) fill(files [3]*os.File, put func(i int, f *os.File) error) (err error) {
	defer func() {
		if err != nil {
			r.close()
		}
	}()
	for i, f := range files {
		if f == nil {
			return errors.New("internal error: a standard descriptor is missing")
		}
		direct, err := asItIs(f)
		if err != nil {
			return fmt.Errorf("hand over descriptor %d: %w", i, err)
		}
		if direct {
			r.give[i] = f
			continue
		}
		if err := put(i, f); err != nil {
			return err
		}
	}
	return nil
}

func asItIs(f *os.File) (bool, error) {
	fd := int(f.Fd())
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return false, err
	}
	flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
	if err != nil {
		return false, err
	}
	switch kind := st.Mode & unix.S_IFMT; {
	case kind == unix.S_IFDIR || flags&unix.O_PATH != 0:
		return false, errors.New("it is a directory or a path, which would be a way to the host's files")
	case kind == unix.S_IFIFO, kind == unix.S_IFSOCK:
		return true, nil
	case kind == unix.S_IFCHR:
		return isTerminal(fd), nil
	}
	return false, nil
}

// between puts a pipe between f and the program's descriptor i.
func (r *relay) between(i int, f *os.File) error {
	in, out, err := os.Pipe()
	if err != nil {
		return fmt.Errorf("make a pipe: %w", err)
	}
	if i == 0 {
		r.give[i], r.own, r.stop = in, append(r.own, in), append(r.stop, out)
		go func() {
			_, _ = io.Copy(out, f) // the program need not read it
			_ = out.Close()
		}()
		return nil
	}
	r.give[i], r.own = out, append(r.own, out)
	r.out.Go(func() {
		_, _ = io.Copy(f, in)          // a full disk shows to nobody else either
		_, _ = io.Copy(io.Discard, in) // and must not stop the program
		_ = in.Close()
	})
	return nil
}

// newRelayOf makes what a program gets that is started later: pipes, sockets and
// terminals as they are, and for /dev/null what comes to the same.
//
// Security: a file of the host is refused, whatever it was opened for, as a
// directory and a path are. Whoever has one hands over a pipe.
func newRelayOf(files [3]*os.File) (*relay, error) {
	r := &relay{}
	return r, r.fill(files, func(i int, f *os.File) error {
		var st unix.Stat_t
		if err := unix.Fstat(int(f.Fd()), &st); err != nil {
			return fmt.Errorf("hand over descriptor %d: %w", i, err)
		}
		if st.Mode&unix.S_IFMT != unix.S_IFCHR || st.Rdev != unix.Mkdev(1, 3) {
			return fmt.Errorf("hand over descriptor %d: it is a file or a device of the host; hand over a pipe", i)
		}
		return r.nothing(i)
	})
}

// nothing gives the program an input that has ended, or an output that nobody
// reads.
func (r *relay) nothing(i int) error {
	in, out, err := os.Pipe()
	if err != nil {
		return fmt.Errorf("make a pipe: %w", err)
	}
	if i == 0 {
		r.give[i], r.own = in, append(r.own, in)
		return out.Close()
	}
	r.give[i], r.own = out, append(r.own, out)
	go func() { // until nobody has its other end, at the latest when the session has ended
		_, _ = io.Copy(io.Discard, in)
		_ = in.Close()
	}()
	return nil
}

// handed closes what the program has now.
func (r *relay) handed() {
	for _, f := range r.own {
		_ = f.Close() // a copy is with the program
	}
	r.own = nil
}

// close ends the relay once nobody has the program's ends any more, when all that
// was written has been passed on.
func (r *relay) close() {
	r.handed()
	for _, f := range r.stop {
		_ = f.Close() // nobody reads it any more
	}
	r.out.Wait()
}
