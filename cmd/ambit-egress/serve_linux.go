package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"golang.org/x/sys/unix"
	"gvisor.dev/gvisor/pkg/tcpip"

	"ambit.dev/ambit/internal/egress"
	"ambit.dev/ambit/internal/egress/frame"
	"ambit.dev/ambit/internal/egress/inside"
	"ambit.dev/ambit/internal/egress/request"
	"ambit.dev/ambit/internal/egress/request/authority"
	"ambit.dev/ambit/internal/egress/wire"
)

// settle is how long connections have to end after their programs.
const settle = 250 * time.Millisecond

// serve is the network until the launcher hangs up or the link ends.
func serve(ctx context.Context, line *net.UnixConn, opens bool) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	l := &launcher{conn: wire.NewConn(line), answers: map[uint64]chan wire.Message{}}
	if opens {
		if err := l.issue(); err != nil {
			return err
		}
	}
	hello, fds, err := greet(line)
	if errors.Is(err, io.EOF) {
		return nil // the launcher gave the launch up, and says why
	}
	if err != nil {
		return fmt.Errorf("hear what to do: %w", err)
	}
	plane, frames, err := l.plane(ctx, hello, fds)
	if err != nil {
		return errors.Join(err, l.conn.Send(wire.Message{Fault: err.Error()}))
	}
	defer l.conn.Flush() //nolint:errcheck // what the plane said last; nobody is there any more
	defer plane.Close()
	if err := l.conn.Send(wire.Message{Ready: true}); err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- l.listen(plane) }()
	select {
	case err := <-ended:
		if err == nil {
			plane.Settle(settle)
		}
		return err
	case <-frames.Done():
		if hello.Far && errors.Is(frames.Err(), frame.ErrClosed) {
			return <-ended // its machine has ended, which the launcher hears of; what came out of it goes on its way
		}
		return frames.Err() // the sandbox is gone
	}
}

// issue makes the authority of this sandbox, and tells its certificate.
//
// Security: its key never leaves this process, whose memory no other one reads.
func (l *launcher) issue() (err error) {
	if l.authority, err = authority.New(time.Now()); err != nil {
		return err
	}
	err = l.conn.Send(wire.Message{Trust: l.authority.PEM()})
	if errors.Is(err, unix.EPIPE) {
		return nil // the launcher gave the launch up, and says why
	}
	return err
}

// greet receives the first message with its descriptors.
func greet(line *net.UnixConn) (h wire.Hello, fds []int, err error) {
	b, oob := make([]byte, 64<<10), make([]byte, unix.CmsgSpace(6*4))
	n, oobn, _, _, err := line.ReadMsgUnix(b, oob)
	if err != nil {
		return h, nil, err
	}
	messages, err := unix.ParseSocketControlMessage(oob[:oobn])
	if err != nil {
		return h, nil, err
	}
	for _, m := range messages {
		got, err := unix.ParseUnixRights(&m)
		if err != nil {
			return h, nil, err
		}
		fds = append(fds, got...)
	}
	for _, fd := range fds {
		unix.CloseOnExec(fd)
	}
	if err := wire.NewConn(buffer{b[:n]}).Receive(&h); err != nil {
		return h, nil, err
	}
	if len(fds) != h.Descriptors() {
		return h, nil, fmt.Errorf("%d descriptors came, want %d", len(fds), h.Descriptors())
	}
	return h, fds, nil
}

// plane starts the network over the link.
func (l *launcher) plane(ctx context.Context, h wire.Hello, fds []int) (*egress.Plane, *frame.Link, error) {
	open, opt := frame.Socket, frame.Options{MTU: h.MTU, Header: h.Header, Ethernet: true, Guest: tcpip.LinkAddress(h.Guest)}
	if !h.Ether {
		open, opt = frame.Tun, frame.Options{MTU: h.MTU, Header: h.Header}
	}
	frames, err := open(fds[0], opt)
	if err != nil {
		return nil, nil, err
	}
	cfg := egress.Config{Link: frames, Subject: h.Subject, Checker: l, Leads: l.leads, Known: l.known, Lookups: l.lookups, Recorder: l, Rules: l.rules, Told: l.made}
	if err := l.look(&cfg, h, fds[1:]); err != nil {
		return nil, nil, err
	}
	l.setKnown(h.Known, h.Any)
	l.setRules(h.Rules)
	var requests request.Config
	if h.Opens {
		if err := l.limit(h); err != nil {
			return nil, nil, err
		}
		requests.Authority = l.authority
	}
	if requests.Filler, err = l.filler(h); err != nil {
		return nil, nil, err
	}
	cfg.Requests = requests
	if h.CanAsk {
		cfg.Asker = l
	}
	plane, err := egress.New(ctx, cfg)
	return plane, frames, err
}

// look has the plane look into the sandbox's network namespace, where that is the
// host's.
func (l *launcher) look(cfg *egress.Config, h wire.Hello, fds []int) error {
	if h.Far {
		return nil
	}
	sockets, err := inside.OpenSockets(fds[0])
	if err != nil {
		return err
	}
	seeds := [4]int{-1, -1, -1, -1}
	copy(seeds[:], fds[1:])
	cfg.Sockets, cfg.Program, cfg.Insider = sockets, l.program, inside.NewDialer(seeds)
	return nil
}

// buffer reads from memory, and is never written.
type buffer struct{ b []byte }

func (b buffer) Read(p []byte) (int, error) { return copy(p, b.b), nil }
func (buffer) Write([]byte) (int, error)    { return 0, errors.ErrUnsupported }
