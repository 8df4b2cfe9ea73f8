//go:build linux

package process

import (
	"bytes"
	"context"
	"os"
	"strconv"

	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/enforce"
	"ambit.dev/ambit/internal/enforce/seccomp"
)

// listen asks whether a port can be reached from outside before the program
// listens on it. The call goes on whatever the answer: in the network of the
// sandbox every port is its own. It fails with EADDRINUSE where the port was
// allowed and somebody outside has it, as it would without a sandbox.
//
// Security: nothing rests on which socket the call is about, nor on what the
// program does with it afterwards. What can be reached is what was asked about
// and published.
func (w *watcher) listen(n seccomp.Notification) seccomp.Verdict {
	port, err := listensOn(n.PID, int(int32(n.Args[0])))
	if err != nil || port == 0 || !w.listener.Valid(n.ID) {
		return seccomp.Go() // no socket of TCP, or the kernel is about to choose its port
	}
	t := enforce.Touch{Kind: enforce.TouchListen, Port: port, PID: n.PID, Call: "listen"}
	return w.apart(n, unix.EADDRINUSE, func(ctx context.Context) unix.Errno {
		if w.s.asking.port(ctx, t) {
			return 0
		}
		return unix.EADDRINUSE
	})
}

// port puts a touch of a port. It reports whether the program may listen.
func (a *asking) port(ctx context.Context, t enforce.Touch) bool {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(a.ctx, cancel)()
	t.Program, t.Argv = program(t.PID)
	return !a.asker.Touched(ctx, t).Taken
}

// listensOn is the port that a thread's socket is bound to, 0 for a socket that
// is not of TCP. It looks at a copy of the descriptor.
func listensOn(thread, fd int) (uint16, error) {
	status, err := os.ReadFile("/proc/" + itoa(thread) + "/status")
	if err != nil {
		return 0, err
	}
	_, line, _ := bytes.Cut(status, []byte("\nTgid:"))
	line, _, _ = bytes.Cut(line, []byte("\n"))
	pid, err := strconv.Atoi(string(bytes.TrimSpace(line)))
	if err != nil {
		return 0, err
	}
	p, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return 0, err
	}
	defer unix.Close(p) //nolint:errcheck // it only stands for a process
	s, err := unix.PidfdGetfd(p, fd, 0)
	if err != nil {
		return 0, err
	}
	defer unix.Close(s) //nolint:errcheck // the program has its own
	return boundPort(s)
}

// boundPort is the port that a socket of TCP is bound to, 0 for any other one.
func boundPort(fd int) (uint16, error) {
	if p, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_PROTOCOL); err != nil || p != unix.IPPROTO_TCP {
		return 0, err
	}
	at, err := unix.Getsockname(fd)
	if err != nil {
		return 0, err
	}
	switch at := at.(type) {
	case *unix.SockaddrInet4:
		return uint16(at.Port), nil
	case *unix.SockaddrInet6:
		return uint16(at.Port), nil
	}
	return 0, nil
}
