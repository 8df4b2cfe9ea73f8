package microvm

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"sync"
	"time"

	"golang.org/x/sys/unix"
	"golang.org/x/term"

	"ambit.dev/ambit/internal/enforce"
)

// stdio passes bytes between the launcher's descriptors and a machine's. It waits
// for them with poll(2), so that it can be stopped whatever they are.
type stdio struct {
	fds      [3]int
	terminal bool
	stopped  [2]int // a pipe; its reading end hangs up when it is stopped
	over     chan struct{}
	once     sync.Once
	state    *term.State // of the terminal before
	readers  sync.WaitGroup
}

// newStdio copies the descriptors, which the caller may close.
func newStdio(from enforce.Stdio) (_ *stdio, err error) {
	d := &stdio{fds: [3]int{-1, -1, -1}, over: make(chan struct{})}
	if err := unix.Pipe2(d.stopped[:], unix.O_CLOEXEC); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			d.stop()
			d.close()
		}
	}()
	for i, f := range []*os.File{from.In, from.Out, from.Err} {
		if f == nil {
			return nil, errors.New("internal error: a standard descriptor is missing")
		}
		var st unix.Stat_t
		if err := unix.Fstat(int(f.Fd()), &st); err != nil {
			return nil, err
		}
		if st.Mode&unix.S_IFMT == unix.S_IFDIR {
			return nil, fmt.Errorf("standard descriptor %d: it is a directory", i)
		}
		if d.fds[i], err = unix.FcntlInt(f.Fd(), unix.F_DUPFD_CLOEXEC, 3); err != nil {
			return nil, err
		}
	}
	d.terminal = term.IsTerminal(d.fds[0]) && term.IsTerminal(d.fds[1])
	return d, nil
}

// size is the terminal's.
func (d *stdio) size() (rows, columns uint16) {
	if !d.terminal {
		return 0, 0
	}
	w, err := unix.IoctlGetWinsize(d.fds[0], unix.TIOCGWINSZ)
	if err != nil {
		return 24, 80
	}
	return w.Row, w.Col
}

// resized tells when the terminal has another size, until it is stopped.
func (d *stdio) resized(tell func(rows, columns uint16)) {
	if !d.terminal {
		return
	}
	changed := make(chan os.Signal, 1)
	signal.Notify(changed, unix.SIGWINCH)
	d.readers.Go(func() {
		defer signal.Stop(changed)
		for {
			select {
			case <-changed:
				tell(d.size())
			case <-d.over:
				return
			}
		}
	})
}

// looks is how often a terminal is looked at whose changes nobody is told of.
const looks = 200 * time.Millisecond

// watched tells when the terminal has another size, which is found by looking, until
// it is stopped.
func (d *stdio) watched(tell func(rows, columns uint16)) {
	if !d.terminal {
		return
	}
	d.readers.Go(func() {
		tick := time.NewTicker(looks)
		defer tick.Stop()
		rows, columns := d.size()
		for {
			select {
			case <-tick.C:
			case <-d.over:
				return
			}
			if r, c := d.size(); r != rows || c != columns {
				rows, columns = r, c
				tell(r, c)
			}
		}
	})
}

// raw hands the keyboard to the guest's terminal: the launcher's passes every byte.
func (d *stdio) raw() {
	if d.terminal {
		d.state, _ = term.MakeRaw(d.fds[0]) // then it echoes twice
	}
}

// stop ends all passing.
func (d *stdio) stop() {
	d.once.Do(func() {
		close(d.over)
		_ = unix.Close(d.stopped[1]) // nothing was written
		if d.state != nil {
			_ = term.Restore(d.fds[0], d.state) // the terminal may be gone
		}
	})
}

// close closes the copies, when nothing is passed any more.
func (d *stdio) close() {
	d.readers.Wait()
	for _, fd := range append(d.fds[:], d.stopped[0]) {
		if fd >= 0 {
			_ = unix.Close(fd) // all was written
		}
	}
}

// wait waits until a descriptor can be read or written; false when it is stopped.
func (d *stdio) wait(fd int, events int16) bool {
	for {
		p := []unix.PollFd{{Fd: int32(fd), Events: events}, {Fd: int32(d.stopped[0])}}
		_, err := unix.Poll(p, -1)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case err != nil || p[1].Revents != 0:
			return false
		}
		return true
	}
}

// in passes what the program reads.
func (d *stdio) in(to net.Conn) {
	defer func() { _ = to.Close() }() // the guest has what was written, or is gone
	go func() {
		<-d.over
		_ = to.SetWriteDeadline(time.Now()) // a program that has ended makes no room for what it did not read
	}()
	b := make([]byte, 32<<10)
	for d.wait(d.fds[0], unix.POLLIN) {
		n, err := unix.Read(d.fds[0], b)
		if errors.Is(err, unix.EINTR) || errors.Is(err, unix.EAGAIN) {
			continue
		}
		if n <= 0 || err != nil {
			return
		}
		if _, err := to.Write(b[:n]); err != nil {
			return // the program reads no more
		}
	}
}

// atOnce is how much a pipe takes that can be written to, without waiting
// (pipe(7), PIPE_BUF).
const atOnce = 4096

// out passes what the program writes. When nobody reads, the program learns it.
func (d *stdio) out(fd int, from io.ReadCloser) {
	defer from.Close()
	b := make([]byte, 32<<10)
	for {
		n, err := from.Read(b)
		for left := b[:n]; len(left) > 0; {
			if !d.wait(d.fds[fd], unix.POLLOUT) {
				return
			}
			k, err := unix.Write(d.fds[fd], left[:min(len(left), atOnce)])
			if errors.Is(err, unix.EINTR) || errors.Is(err, unix.EAGAIN) {
				continue
			}
			if err != nil {
				return
			}
			left = left[k:]
		}
		if err != nil {
			return
		}
	}
}
