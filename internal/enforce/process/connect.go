//go:build linux

package process

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"net/netip"
	"path"
	"time"

	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/enforce"
	"ambit.dev/ambit/internal/enforce/landlock"
	"ambit.dev/ambit/internal/enforce/seccomp"
)

// connect lets the call run, after what it names was asked about if it is a
// socket of the host. Without a network the kernel refuses all else; that is
// looked at for the report only.
func (w *watcher) connect(n seccomp.Notification) seccomp.Verdict {
	raw, err := seccomp.ReadBytes(n.PID, n.Args[1], int(min(n.Args[2], 128)))
	if err != nil || !w.listener.Valid(n.ID) {
		return seccomp.Go()
	}
	if name := socketName(raw); name != "" && w.s.asking != nil {
		return w.socket(n, name)
	}
	switch to, ok := destination(raw); {
	case !ok || w.s.plan.Link != nil:
	case to.Port() == 53:
		w.report(n, "dns.lookup", "", "connect") // the resolver asks before anything is connected
	case !to.Addr().IsLoopback():
		w.report(n, "net.connect", to.String(), "connect")
	}
	return seccomp.Go()
}

// destination reads a sockaddr_in or sockaddr_in6.
func destination(raw []byte) (netip.AddrPort, bool) {
	if len(raw) < 8 {
		return netip.AddrPort{}, false
	}
	port := binary.BigEndian.Uint16(raw[2:])
	switch family := binary.NativeEndian.Uint16(raw); {
	case family == unix.AF_INET:
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte(raw[4:8])), port), true
	case family == unix.AF_INET6 && len(raw) >= 24:
		return netip.AddrPortFrom(netip.AddrFrom16([16]byte(raw[8:24])).Unmap(), port), true
	}
	return netip.AddrPort{}, false
}

// socketName reads the path in a sockaddr_un, "" where there is none (unix(7)).
func socketName(raw []byte) string {
	if len(raw) < 3 || binary.NativeEndian.Uint16(raw) != unix.AF_UNIX {
		return ""
	}
	name, _, _ := bytes.Cut(raw[2:], []byte{0})
	return string(name)
}

// socket asks about a socket of the host that the view has not. It does so also
// in quiet places: a program that looks around does not connect.
//
// Security: the call runs anew and reads its address itself; what it can connect
// to is what is mounted then.
func (w *watcher) socket(n seccomp.Notification, name string) seccomp.Verdict {
	p, ok := w.viewPath(n, cwd, name)
	if !ok || own(path.Clean(p)) {
		return seccomp.Go()
	}
	return w.asked(n, unix.EACCES, func(ctx context.Context) bool {
		a := w.s.asking
		real, st, err := a.resolved(p, true)
		if err != nil || st.Mode&unix.S_IFMT != unix.S_IFSOCK || own(real) || a.connects(path.Clean(p), real) || !w.listener.Valid(n.ID) {
			return true // the kernel says what there is
		}
		if landlock.AllFS(a.attach.plan.Landlock.ABI)&landlock.Connect != 0 {
			// A domain takes no new rules: a yes would open nothing.
			w.report(n, "fs.read", real, "connect")
			return false
		}
		t := enforce.Touch{Kind: enforce.TouchRead, Path: real, Socket: true, Dev: st.Dev, Ino: st.Ino, PID: n.PID, Call: "connect"}
		return a.put(ctx, t)
	})
}

// connects reports whether what lies at a path of the view is not to be asked
// about: the view has it, or has a place of its own there.
func (a *asking) connects(p, real string) bool {
	on, ok := a.attach.at(real)
	switch {
	case !ok || on.Op == enforce.OpMask:
		return false
	case on.Op != enforce.OpTmpfs:
		return true
	}
	// What the sandbox made itself is its own, and what a link there leads to is
	// nowhere in the view.
	return p != real || a.made(p)
}

// keptAbsent is a little more than the time for which the kernel keeps that a
// quiet name of the trap is not there.
const keptAbsent = 1100 * time.Millisecond

// show attaches what a touch was answered with. In a quiet place the trap has no
// names of the host but those that are shown, which the kernel may know as absent.
func (a *asking) show(ctx context.Context, t enforce.Touch, entries []enforce.Entry) error {
	if a.trap == nil || t.Path == "" || !a.unseen(t.Path) {
		return a.attach.attach(entries)
	}
	err := a.attach.attach(entries)
	if errors.Is(err, unix.ENOENT) {
		select {
		case <-time.After(keptAbsent):
		case <-ctx.Done():
		}
		err = a.attach.attach(entries)
	}
	return err
}
