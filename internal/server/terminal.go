package server

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"os"
	"time"

	"connectrpc.com/connect"

	pb "ambit.dev/ambit/api/ambit/v1"
	"ambit.dev/ambit/internal/keep"
)

// terminals is the TerminalService.
type terminals struct{ *Server }

// maxSize bounds the rows and columns of a terminal.
const maxSize = 1000

// defaultTerm is what programs are told that terminals understand.
const defaultTerm = "xterm-256color"

// sizeOf is a size that a terminal may have.
func sizeOf(rows, columns uint32) (keep.Size, error) {
	if rows < 1 || rows > maxSize || columns < 1 || columns > maxSize || maxSize > math.MaxUint16 {
		return keep.Size{}, invalid(fmt.Sprintf("rows, columns: expected 1 to %d", maxSize))
	}
	return keep.Size{Rows: uint16(rows), Columns: uint16(columns)}, nil
}

// typedWithin is how long a call waits until a program reads, or a terminal is there.
const typedWithin = 5 * time.Second

func (s terminals) WriteInput(ctx context.Context, r *connect.Request[pb.WriteInputRequest]) (*connect.Response[pb.WriteInputResponse], error) {
	m := r.Msg
	if m.GetWriter() == "" || len(m.GetWriter()) > 64 {
		return nil, failure(invalid("writer: expected 1 to 64 characters, chosen at random"))
	}
	if len(m.GetData()) > keep.MaxPiece {
		return nil, failure(invalid(fmt.Sprintf("data: at most %d bytes at once", keep.MaxPiece)))
	}
	if m.GetAsked() < 0 {
		return nil, failure(invalid("asked: expected what StreamOutput calls next, or 0"))
	}
	caller := callerOf(ctx)
	dir, err := s.terminal(caller.Principal, m.GetId())
	if err != nil {
		return nil, failure(err)
	}
	if err := s.recordTyping(ctx, caller, r.Spec().Procedure, m.GetId(), m.GetWriter()); err != nil {
		return nil, failure(err)
	}
	writer := sha256.Sum256([]byte(caller.By + "\x00" + m.GetWriter())) // one caller's is not another's
	var next int64
	err = untilTyped(ctx, func() (done bool, err error) {
		next, err = keep.Answer(dir, hex.EncodeToString(writer[:]), m.GetOffset(), m.GetData(), m.GetAsked())
		return next > m.GetOffset() || len(m.GetData()) == 0, err
	})
	if err != nil {
		return nil, failure(typing(m.GetId(), err))
	}
	return connect.NewResponse(&pb.WriteInputResponse{Next: next}), nil
}

func (s terminals) ResizeTerminal(ctx context.Context, r *connect.Request[pb.ResizeTerminalRequest]) (*connect.Response[pb.ResizeTerminalResponse], error) {
	size, err := sizeOf(r.Msg.GetRows(), r.Msg.GetColumns())
	if err != nil {
		return nil, failure(err)
	}
	caller := callerOf(ctx)
	dir, err := s.terminal(caller.Principal, r.Msg.GetId())
	if err != nil {
		return nil, failure(err)
	}
	if err := s.recordTyping(ctx, caller, r.Spec().Procedure, r.Msg.GetId(), ""); err != nil {
		return nil, failure(err)
	}
	err = untilTyped(ctx, func() (bool, error) { return true, keep.Resize(dir, size) })
	if err != nil {
		return nil, failure(typing(r.Msg.GetId(), err))
	}
	return connect.NewResponse(&pb.ResizeTerminalResponse{}), nil
}

// terminal is the folder of what a principal has started with a terminal.
func (s *Server) terminal(principal, id string) (dir string, err error) {
	k, err := s.startedFor(principal, id)
	if err != nil {
		return "", err
	}
	if k == nil {
		return "", notFound("program that was started here:", id)
	}
	return s.job(id), nil
}

// untilTyped tries until it is done, or what it waits for takes too long.
func untilTyped(ctx context.Context, do func() (done bool, err error)) error {
	tick := time.NewTicker(outputEvery)
	defer tick.Stop()
	end := time.NewTimer(typedWithin)
	defer end.Stop()
	for {
		done, err := do()
		soon := errors.Is(err, os.ErrNotExist) // it has no socket yet
		if err != nil && !soon || err == nil && done {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-end.C:
			return err
		case <-tick.C:
		}
	}
}

// typing is why something could not be typed.
func typing(id string, err error) error {
	switch {
	case errors.Is(err, keep.ErrOver):
		return unmet("the program of " + id + " has ended, and reads no more")
	case errors.Is(err, keep.ErrTerminal):
		return unmet(id + " was started without a terminal")
	case errors.Is(err, keep.ErrGap):
		return connect.NewError(connect.CodeOutOfRange, errors.New("offset: "+err.Error()))
	case errors.Is(err, keep.ErrWriters), errors.Is(err, keep.ErrTooLong):
		return connect.NewError(connect.CodeResourceExhausted, err)
	case errors.Is(err, os.ErrNotExist):
		return connect.NewError(connect.CodeUnavailable, errors.New("the terminal of "+id+" is not there yet"))
	}
	return err
}

// mostTypists bounds how many are known to have been recorded. Beyond that, all are
// recorded anew.
const mostTypists = 1024

// recordTyping records who begins to type into a terminal: once for each writer, and
// again when this host has been started again. Each key that is pressed would be more
// than a log is for.
//
// Security: what a caller is known by is part of what is remembered: nobody types
// unrecorded by another's writer.
func (s *Server) recordTyping(ctx context.Context, caller Caller, procedure, id, writer string) error {
	key := caller.Principal + "\x00" + caller.By + "\x00" + id + "\x00" + writer
	s.mu.Lock()
	known := s.typists[key]
	s.mu.Unlock()
	if known {
		return nil
	}
	if err := s.recordCall(ctx, caller, procedure, id, []string{id}); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.typists) >= mostTypists {
		clear(s.typists)
	}
	s.typists[key] = true
	return nil
}
