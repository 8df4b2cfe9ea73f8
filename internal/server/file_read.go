package server

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strconv"
	"strings"

	"connectrpc.com/connect"

	pb "ambit.dev/ambit/api/ambit/v1"
)

const (
	maxReading = 16 // files that are read at once
	readPiece  = 64 << 10
)

func (s files) StreamFile(ctx context.Context, r *connect.Request[pb.StreamFileRequest], out *connect.ServerStream[pb.StreamFileResponse]) error {
	if r.Msg.GetOffset() < 0 || r.Msg.GetLength() < 0 {
		return invalid("offset, length: expected bytes")
	}
	at, err := s.about(ctx, r.Msg)
	if err != nil {
		return failure(err)
	}
	select {
	case s.reading <- struct{}{}:
		defer func() { <-s.reading }()
	default:
		return connect.NewError(connect.CodeResourceExhausted, fmt.Errorf("%d files are being read already", maxReading))
	}
	if err := s.recordCall(ctx, callerOf(ctx), r.Spec().Procedure, r.Msg.GetSession(), objects(r.Msg)); err != nil {
		return failure(err)
	}
	end, err := s.readFile(ctx, at, r.Msg, func(data []byte) error { return out.Send(&pb.StreamFileResponse{Data: data}) })
	if err != nil {
		return failure(err)
	}
	return out.Send(&pb.StreamFileResponse{End: end})
}

// readFile runs `ambit files read`, and passes on what it prints. It ends with its caller.
func (s files) readFile(ctx context.Context, at string, r *pb.StreamFileRequest, pass func([]byte) error) (*pb.FileEnd, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	cmd, err := s.commandLine(ctx, []string{"files", "read", "--offset=" + strconv.FormatInt(r.GetOffset(), 10), "--length=" + strconv.FormatInt(r.GetLength(), 10), "--", at})
	if err != nil {
		return nil, err
	}
	var said bytes.Buffer
	cmd.Stderr = &said
	from, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		return nil, err
	}
	for buf := make([]byte, readPiece); ; {
		n, err := io.ReadFull(from, buf)
		if n > 0 {
			if err := pass(buf[:n]); err != nil {
				cancel()
				return nil, errors.Join(err, cmd.Wait())
			}
		}
		if err != nil {
			break // the program's end says whether it was all
		}
	}
	err = cmd.Wait()
	var read struct {
		refused
		Size    int64 `json:"size"`
		Changed bool  `json:"changed"`
	}
	for line := range strings.Lines(said.String()) {
		if line[0] == '{' && json.Unmarshal([]byte(line), &read) != nil {
			return nil, errors.Join(err, errors.New("ambit files says what is no JSON"))
		}
	}
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		err = read.failed(&commandError{exit.ExitCode(), complaint(said.String())})
	}
	if err != nil {
		return nil, err
	}
	return &pb.FileEnd{Size: read.Size, Changed: read.Changed}, nil
}
