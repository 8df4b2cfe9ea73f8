package server

import (
	"context"
	"errors"
	"io"
	"time"

	"connectrpc.com/connect"

	pb "ambit.dev/ambit/api/ambit/v1"
	"ambit.dev/ambit/internal/keep"
)

// outputEvery is how often it is looked for more output.
const outputEvery = 20 * time.Millisecond

func (s sessions) StreamOutput(ctx context.Context, r *connect.Request[pb.StreamOutputRequest], out *connect.ServerStream[pb.StreamOutputResponse]) error {
	id, at := r.Msg.GetId(), r.Msg.GetOffset()
	defer s.shelf.hold(id)()
	k, err := s.startedFor(callerOf(ctx).Principal, id)
	if err != nil {
		return failure(err)
	}
	if k == nil {
		return notFound("session whose output is kept:", id)
	}
	tick := time.NewTicker(outputEvery)
	defer tick.Stop()
	for caughtUp := false; ; caughtUp = true {
		state, end, err := keep.Look(s.job(id)) // before the output is read: there is no more then
		if err != nil {
			return failure(err)
		}
		if at, err = s.sendOutput(id, at, out); err != nil {
			return failure(err)
		}
		switch state {
		case keep.Ended:
			return out.Send(&pb.StreamOutputResponse{Next: at, End: &pb.SessionEnd{Exit: int32(end.Exit), Dropped: end.Dropped}})
		case keep.Lost:
			return connect.NewError(connect.CodeDataLoss, errors.New("what kept the output is gone, and nobody said how the session ended"))
		default:
		}
		if !caughtUp {
			if err := out.Send(&pb.StreamOutputResponse{Next: at, CaughtUp: true}); err != nil {
				return failure(err)
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// sendOutput sends what there is from an offset on, and says where that ends.
func (s *Server) sendOutput(id string, at int64, out *connect.ServerStream[pb.StreamOutputResponse]) (int64, error) {
	for {
		f, err := keep.Read(s.job(id), at)
		switch {
		case errors.Is(err, io.EOF):
			return at, nil
		case errors.Is(err, keep.ErrOffset):
			return at, invalid("offset: " + keep.ErrOffset.Error())
		case err != nil:
			return at, err
		}
		at = f.Next
		m := &pb.StreamOutputResponse{Stream: pb.OutputStream_OUTPUT_STREAM_STDOUT, Data: f.Data, Next: at, Lost: f.Lost}
		if f.Stream == keep.Stderr {
			m.Stream = pb.OutputStream_OUTPUT_STREAM_STDERR
		}
		if err := out.Send(m); err != nil {
			return at, err
		}
	}
}
