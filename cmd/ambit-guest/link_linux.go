package main

import (
	"errors"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/enforce/link"
	"ambit.dev/ambit/internal/enforce/microvm/channel"
)

// makeLink makes the guest's network: an interface whose other end is here, and
// goes over the channel. There is no network card and no other way out.
func makeLink(l channel.Link) (*wire, error) {
	if err := await("/dev/net/tun"); err != nil {
		return nil, err
	}
	proc, err := unix.Open("/proc", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	defer unix.Close(proc) //nolint:errcheck // nothing was written
	s, err := link.Tun(link.Config{Guest: l.Guest, Gateway: l.Gateway, Guest6: l.Guest6, Gateway6: l.Gateway6, Proc: proc})
	if err != nil {
		return nil, err
	}
	ends, err := s.Run()
	if err != nil {
		return nil, err
	}
	for _, fd := range append([]int{ends.Diag}, ends.Seeds[:]...) {
		if fd >= 0 {
			_ = unix.Close(fd) // the network looks through the agent, if at all
		}
	}
	return &wire{link: os.NewFile(uintptr(ends.Link), "link")}, nil
}

// wire is the guest's end of its network.
type wire struct {
	link   *os.File
	moving sync.Mutex // held while a frame is on its way out
}

// carry passes frames between the link and a stream, until the stream ends.
func (w *wire) carry(c io.ReadWriteCloser) {
	if w == nil {
		return
	}
	go func() {
		_ = w.outwards(c) // the launcher ends the session where it is lost
		_ = c.Close()     // nothing is kept
	}()
	from := channel.NewFrameReader(c)
	for {
		frame, err := from.Next()
		if err != nil {
			return
		}
		_, _ = w.link.Write(frame) // one that the kernel does not take is lost
	}
}

// gathered is how many bytes of frames are sent at once, at most.
const gathered = 256 << 10

// outwards sends what the guest's kernel sends, as many frames at once as there are.
func (w *wire) outwards(to io.Writer) error {
	raw, err := w.link.SyscallConn()
	if err != nil {
		return err
	}
	frame, all := make([]byte, channel.LargestFrame), make([]byte, 0, gathered)
	for {
		if err := raw.Read(readable); err != nil {
			return err
		}
		w.moving.Lock()
		all, err = gather(raw, all[:0], frame)
		if err == nil {
			_, err = to.Write(all)
		}
		w.moving.Unlock()
		if err != nil {
			return err
		}
	}
}

// readable reports whether there is something to read.
func readable(fd uintptr) bool {
	p := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	n, err := unix.Poll(p, 0)
	return n > 0 || err != nil && !errors.Is(err, unix.EINTR)
}

// gather appends the frames that there are now.
func gather(raw syscall.RawConn, all, frame []byte) ([]byte, error) {
	var failed error
	err := raw.Control(func(fd uintptr) {
		for len(all)+4+len(frame) <= cap(all) {
			n, err := unix.Read(int(fd), frame)
			switch {
			case errors.Is(err, unix.EINTR):
				continue
			case errors.Is(err, unix.EAGAIN):
				return
			case err != nil:
				failed = err
				return
			}
			all = channel.AppendFrame(all, frame[:n])
		}
	})
	return all, errors.Join(err, failed)
}

// lingers is how long a program's last bytes have, once it has ended.
const lingers = time.Second

// linger waits until what the program sent last is on its way: its connections
// close, and no packet waits.
func (w *wire) linger() {
	if w == nil {
		return
	}
	raw, err := w.link.SyscallConn()
	if err != nil {
		return
	}
	for end := time.Now().Add(lingers); time.Now().Before(end); time.Sleep(2 * time.Millisecond) {
		waits := false
		w.moving.Lock()
		err := raw.Control(func(fd uintptr) { waits = readable(fd) })
		w.moving.Unlock()
		if err != nil || !waits && !closing("/proc/net/tcp") && !closing("/proc/net/tcp6") {
			return
		}
	}
}

// closing reports whether a table has a connection whose other side has not taken
// all yet: it is open still, or one of three states (include/net/tcp_states.h).
func closing(table string) bool {
	text, err := os.ReadFile(table)
	if err != nil {
		return false
	}
	for line := range strings.Lines(string(text)) {
		if f := strings.Fields(line); len(f) > 3 && slices.Contains([]string{"01", "04", "09", "0B"}, f[3]) {
			return true
		}
	}
	return false
}
