//go:build linux

package gvisor

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

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
	all  []*pump
}

// A pump passes on what a program writes.
type pump struct {
	in, out *os.File
	busy    sync.Mutex // held while something is on its way
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
func newRelay(stdio enforce.Stdio) (r *relay, err error) {
	r = &relay{}
	defer func() {
		if err != nil {
			r.close()
		}
	}()
	for i, f := range []*os.File{stdio.In, stdio.Out, stdio.Err} {
		if f == nil {
			return r, errors.New("internal error: a standard descriptor is missing")
		}
		direct, err := asItIs(f)
		if err != nil {
			return r, fmt.Errorf("hand over descriptor %d: %w", i, err)
		}
		if direct {
			r.give[i] = f
			continue
		}
		if err := r.between(i, f); err != nil {
			return r, err
		}
	}
	return r, nil
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

// between puts a pipe between f and the program's descriptor i. f stays the
// caller's: what goes on is a copy.
func (r *relay) between(i int, f *os.File) error {
	own, err := unix.FcntlInt(f.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("copy descriptor %d: %w", i, err)
	}
	far := os.NewFile(uintptr(own), f.Name())
	in, out, err := os.Pipe()
	if err != nil {
		return errors.Join(fmt.Errorf("make a pipe: %w", err), far.Close())
	}
	if i == 0 {
		r.give[i], r.own, r.stop = in, append(r.own, in), append(r.stop, out)
		go func() {
			_, _ = io.Copy(out, far) // the program need not read it
			_ = errors.Join(out.Close(), far.Close())
		}()
		return nil
	}
	r.give[i], r.own = out, append(r.own, out)
	p := &pump{in: in, out: far}
	r.all = append(r.all, p)
	r.out.Go(p.run)
	return nil
}

// run passes on until nobody has the other end any more.
func (p *pump) run() {
	defer func() { _ = errors.Join(p.in.Close(), p.out.Close()) }()
	conn, err := p.in.SyscallConn()
	if err != nil {
		return
	}
	buf := make([]byte, 32<<10)
	for more := true; more; {
		err := conn.Read(func(fd uintptr) bool {
			p.busy.Lock()
			defer p.busy.Unlock()
			n, err := unix.Read(int(fd), buf)
			switch {
			case errors.Is(err, unix.EINTR):
				return true
			case errors.Is(err, unix.EAGAIN):
				return false
			case n <= 0:
				more = false
				return true
			}
			_, _ = p.out.Write(buf[:n]) // a full disk shows to nobody else either, and must not stop the program
			return true
		})
		more = more && err == nil
	}
}

// settle waits until all that was written so far has been passed on.
func (r *relay) settle() {
	for _, p := range r.all {
		for !p.idle() {
			time.Sleep(time.Millisecond)
		}
	}
}

func (p *pump) idle() bool {
	p.busy.Lock()
	defer p.busy.Unlock()
	conn, err := p.in.SyscallConn()
	if err != nil {
		return true
	}
	waiting := 0
	err = conn.Control(func(fd uintptr) { waiting, _ = unix.IoctlGetInt(int(fd), unix.TIOCINQ) }) // of a pipe it does not fail
	return err != nil || waiting == 0                                                             // or it has ended
}

// handed closes what the program has now.
func (r *relay) handed() {
	for _, f := range r.own {
		_ = f.Close() // a copy is with the program
	}
	r.own = nil
}

// leave ends the relay of a program that has ended, whatever it left behind: what
// that writes is passed on until the session ends.
func (r *relay) leave() {
	r.handed()
	r.settle()
	for _, f := range r.stop {
		_ = f.Close() // nobody reads it any more
	}
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
