package main

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strconv"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// namespaces are those that tell whether a process lives in the same world: what
// it sees of the file system, and as whom.
var namespaces = []string{"mnt", "user"}

// ownNamespaces are this program's.
func ownNamespaces() (map[string]string, error) { return namespacesOf("self") }

func namespacesOf(pid string) (map[string]string, error) {
	all := map[string]string{}
	for _, name := range namespaces {
		to, err := os.Readlink("/proc/" + pid + "/ns/" + name)
		if err != nil {
			return nil, fmt.Errorf("look at the namespaces of process %s: %w", pid, err)
		}
		all[name] = to
	}
	return all, nil
}

// ownListener accepts connections of this user's processes outside sandboxes, and
// closes all others.
type ownListener struct {
	net.Listener
	own map[string]string
	log *slog.Logger

	mu   sync.Mutex
	said time.Time // guarded by mu; when a refusal was logged last
}

func (l *ownListener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if err := l.check(c); err != nil {
			l.refused(err)
			_ = c.Close() // it was never served
			continue
		}
		return c, nil
	}
}

// refused logs, but not as often as somebody connects.
func (l *ownListener) refused(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if now := time.Now(); now.Sub(l.said) > time.Second {
		l.said = now
		l.log.Warn("a connection was refused", "why", err)
	}
}

// check refuses whoever is not this user, or is in a sandbox.
//
// Security: a sandboxed program has the person's own uid, so the uid alone does not
// tell it apart: its namespaces do. The kernel notes who connects when it does
// (unix(7), SO_PEERCRED). The process is held by a descriptor first, and asked
// after it was looked at whether it still is there: a number that another process
// has got meanwhile does not count. It does not stop a process of this user outside
// from passing on what a sandbox sends: that is a service of its own, which a
// sandbox reaches only where it was granted.
func (l *ownListener) check(c net.Conn) error {
	s, ok := c.(syscall.Conn)
	if !ok {
		return errors.New("it is no socket of this host")
	}
	raw, err := s.SyscallConn()
	if err != nil {
		return err
	}
	var refused error
	if err := raw.Control(func(fd uintptr) { refused = l.checkSocket(int(fd)) }); err != nil {
		return err
	}
	return refused
}

func (l *ownListener) checkSocket(fd int) error {
	cred, err := unix.GetsockoptUcred(fd, unix.SOL_SOCKET, unix.SO_PEERCRED)
	if err != nil {
		return fmt.Errorf("ask who connects: %w", err)
	}
	if int(cred.Uid) != os.Getuid() {
		return fmt.Errorf("user %d is not served", cred.Uid)
	}
	if cred.Pid <= 0 { // of a process that cannot be seen from here
		return errors.New("a process that is not here is not served")
	}
	held, err := holdPeer(fd, int(cred.Pid))
	if err != nil {
		return fmt.Errorf("hold process %d: %w", cred.Pid, err)
	}
	defer unix.Close(held) //nolint:errcheck // nothing was written
	theirs, err := namespacesOf(strconv.Itoa(int(cred.Pid)))
	if err != nil {
		return err
	}
	for _, name := range namespaces {
		if theirs[name] != l.own[name] {
			return fmt.Errorf("process %d is in a sandbox, or a container, and is not served", cred.Pid)
		}
	}
	if err := unix.PidfdSendSignal(held, 0, nil, 0); err != nil {
		return fmt.Errorf("process %d is gone: %w", cred.Pid, err)
	}
	return nil
}

// holdPeer holds the process that connected: from Linux 6.5 on the kernel itself
// keeps it (SO_PEERPIDFD), before that it is the one that has its number now.
func holdPeer(fd, pid int) (int, error) {
	held, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_PEERPIDFD)
	if errors.Is(err, unix.ENOPROTOOPT) {
		return unix.PidfdOpen(pid, 0)
	}
	return held, err
}
