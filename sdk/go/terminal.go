package ambit

import (
	"context"
	"crypto/rand"
	"io"
	"time"

	"connectrpc.com/connect"

	pb "ambit.dev/ambit/api/ambit/v1"
)

// A Size is that of a terminal, in characters.
type Size struct{ Rows, Columns int }

func (s *Size) message() *pb.Terminal {
	if s == nil {
		return nil
	}
	return &pb.Terminal{Rows: uint32(s.Rows), Columns: uint32(s.Columns)}
}

// Resize gives the program's terminal a size.
func (s *Session) Resize(ctx context.Context, to Size) error {
	_, err := s.client.Terminals.ResizeTerminal(ctx, connect.NewRequest(&pb.ResizeTerminalRequest{Id: s.ID, Rows: uint32(to.Rows), Columns: uint32(to.Columns)}))
	return err
}

// Keyboard makes a writer that types into the program's terminal, until ctx ends. A
// write returns when all of it was taken, so it waits for a program that does not
// read. "\x04" at the beginning of a line ends what the program reads, "\x03"
// interrupts it. It is not safe for concurrent use; several keyboards are.
func (s *Session) Keyboard(ctx context.Context) io.Writer {
	return &keyboard{ctx: ctx, session: s, writer: rand.Text()}
}

type keyboard struct {
	ctx     context.Context //nolint:containedctx // io.Writer has none
	session *Session
	writer  string
	at      int64
}

// Bounds of what is sent at once, and how often.
const (
	mostTyped  = 32 << 10
	typeAgain  = 100 * time.Millisecond
	typeTrials = 5
)

// Write types p. What was lost on the way is sent again: the host leaves out what it
// has.
func (k *keyboard) Write(p []byte) (n int, err error) {
	for failed := 0; n < len(p); {
		piece := p[n:min(len(p), n+mostTyped)]
		m, err := k.session.client.Terminals.WriteInput(k.ctx, connect.NewRequest(&pb.WriteInputRequest{Id: k.session.ID, Writer: k.writer, Offset: k.at, Data: piece}))
		switch {
		case err == nil:
			n += int(m.Msg.GetNext() - k.at)
			k.at, failed = m.Msg.GetNext(), 0
			continue
		case connect.CodeOf(err) != connect.CodeUnavailable, failed == typeTrials:
			return n, err
		}
		failed++
		select {
		case <-k.ctx.Done():
			return n, k.ctx.Err()
		case <-time.After(typeAgain):
		}
	}
	return n, nil
}
