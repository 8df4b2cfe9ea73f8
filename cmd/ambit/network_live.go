package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/egress/wire"
	"ambit.dev/ambit/internal/session"
)

// A liveNetwork is the network of a session that runs, as it is told to people.
type liveNetwork struct {
	Session string          `json:"session"`
	Pack    string          `json:"pack,omitempty"`
	Program string          `json:"program"`
	PID     int             `json:"pid"`     // of the launcher
	Carried session.Traffic `json:"carried"` // by what has ended
	Counts  []session.Count `json:"counts"`
	Ports   []livePort      `json:"ports"`
	Flows   []liveFlow      `json:"flows"`
}

// A livePort is a port of the sandbox that the host's loopback leads to.
type livePort struct {
	Port uint16         `json:"port"`
	At   netip.AddrPort `json:"at"`
}

// A liveFlow is a connection, or an exchange of datagrams, that there is now.
type liveFlow struct {
	ID         uint64         `json:"id"`
	Decision   string         `json:"decision,omitempty"`
	Capability string         `json:"capability,omitempty"`
	UDP        bool           `json:"udp,omitempty"`
	Inbound    bool           `json:"inbound,omitempty"`
	Name       string         `json:"name,omitempty"`
	To         netip.AddrPort `json:"to"`
	Dialled    string         `json:"dialled,omitempty"`
	Program    string         `json:"program,omitempty"`
	PID        int            `json:"pid,omitempty"`
	Begun      time.Time      `json:"begun"`
	Open       bool           `json:"open"` // else it waits: for an answer, or to be connected
	In         uint64         `json:"in"`
	Out        uint64         `json:"out"`
}

// live serves what a session's network does, until it is closed.
type live struct {
	n        *network
	listener net.Listener
	dir      *os.File
	done     sync.WaitGroup
}

// liveDir is where the sessions that run can be asked, beneath the state.
const liveDir = "live"

// liveTime is how long whoever asks may take.
const liveTime = 2 * time.Second

func (a *app) openLive(create bool) (*os.File, error) { return a.openSockets(liveDir, create) }

// openSockets makes a folder of sockets in the state, or with create unset only
// finds it.
//
// Security: it is of this user and nobody else goes into it; no sandbox sees the
// state.
func (a *app) openSockets(name string, create bool) (*os.File, error) {
	dir, err := a.state()
	if err != nil {
		return nil, err
	}
	dir = filepath.Join(dir, name)
	if create {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, err
		}
	}
	f, err := os.OpenFile(dir, os.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW, 0)
	if err != nil {
		return nil, err
	}
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil || st.Uid != uint32(os.Getuid()) || st.Mode&0o077 != 0 {
		_ = f.Close()
		return nil, errors.Join(err, fmt.Errorf("%q is open to others", dir))
	}
	return f, nil
}

// socketIn is a path for a socket in an open folder, however long that one's own
// path is: sun_path has room for 107 bytes.
func socketIn(dir *os.File, name string) string {
	return "/proc/self/fd/" + strconv.Itoa(int(dir.Fd())) + "/" + name
}

// serve begins to tell whoever asks. Where it cannot, nobody is told, and the
// session goes on.
func (l *live) serve() {
	n := l.n
	dir, err := n.s.app.openLive(true)
	if err != nil {
		return
	}
	l.dir = dir
	if l.listener, err = net.Listen("unix", socketIn(dir, n.s.subject.Session)); err != nil {
		return
	}
	l.done.Go(func() {
		for {
			c, err := l.listener.Accept()
			if err != nil {
				return
			}
			tell(c, n.now)
		}
	})
}

// tell tells one who asks. What it takes to find out is not of his time.
func tell(c net.Conn, now func() liveNetwork) {
	v := now()
	_ = c.SetDeadline(time.Now().Add(liveTime))
	_ = json.NewEncoder(c).Encode(v) // who has gone away needs no answer
	_ = c.Close()
}

func (l *live) close() {
	if l.listener != nil {
		_ = l.listener.Close() // and removes the socket
		l.done.Wait()
	}
	if l.dir != nil {
		_ = l.dir.Close() // nothing was written by it
	}
}

// now is what the network does at this moment.
func (n *network) now() liveNetwork {
	s := n.s
	v := liveNetwork{Session: s.subject.Session, Pack: s.subject.Pack, Program: s.spec.Plan.Program.Path, PID: os.Getpid(),
		Carried: n.tally.Traffic(), Counts: []session.Count{}, Ports: []livePort{}, Flows: []liveFlow{}}
	for _, c := range n.tally.Counts() {
		if networkKind(c.Capability) {
			v.Counts = append(v.Counts, c)
		}
	}
	n.ports.mu.Lock()
	for inside, p := range n.ports.all {
		v.Ports = append(v.Ports, livePort{inside, p.at})
	}
	n.ports.mu.Unlock()
	slices.SortFunc(v.Ports, func(a, b livePort) int { return cmp.Compare(a.Port, b.Port) })
	_ = n.want(wire.Message{List: true}, func(m wire.Message) bool { // a network that is ending has no flows
		if m.Flows == nil {
			return false
		}
		for _, f := range m.Flows.Some {
			v.Flows = append(v.Flows, shownFlow(f))
		}
		return m.Flows.More
	})
	return v
}

func shownFlow(f wire.Flow) liveFlow {
	v := liveFlow{ID: f.ID, Decision: f.Decision, UDP: f.UDP, Inbound: f.Inbound, Name: f.Name, To: f.To, Program: f.Program.Name, PID: f.Program.PID,
		Begun: f.Begun, Open: !f.Connected.IsZero(), In: f.In, Out: f.Out}
	if !f.Capability.IsZero() {
		v.Capability = f.Capability.Display()
	}
	if f.Dialled.IsValid() {
		v.Dialled = f.Dialled.String()
	}
	return v
}
