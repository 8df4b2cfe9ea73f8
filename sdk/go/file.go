package ambit

import (
	"context"
	"errors"
	"io"
	"iter"

	"connectrpc.com/connect"

	pb "ambit.dev/ambit/api/ambit/v1"
)

// filePart is how much of a file is sent at once.
const filePart = 1 << 20

// ErrChanged says that a file was changed while it was read: what was read may be of
// both.
var ErrChanged = errors.New("the file was changed while it was read")

// Files yields what is in a folder of a session that runs, in the order of the names. A
// path is absolute, and may be any bytes. After an error it ends.
func (s *Session) Files(ctx context.Context, path string) iter.Seq2[*pb.File, error] {
	return func(yield func(*pb.File, error) bool) {
		for token := ""; ; {
			m, err := s.client.Files.ListFiles(ctx, connect.NewRequest(&pb.ListFilesRequest{Session: s.ID, RawPath: []byte(path), PageToken: token}))
			if err != nil {
				yield(nil, err)
				return
			}
			for _, f := range m.Msg.GetFiles() {
				if !yield(f, nil) {
					return
				}
			}
			if token = m.Msg.GetNextPageToken(); token == "" {
				return
			}
		}
	}
}

// ReadFile copies a file of a session that runs. The error is ErrChanged where somebody
// changed it meanwhile.
func (s *Session) ReadFile(ctx context.Context, path string, to io.Writer) error {
	m, err := s.client.Files.StreamFile(ctx, connect.NewRequest(&pb.StreamFileRequest{Session: s.ID, RawPath: []byte(path)}))
	if err != nil {
		return err
	}
	defer m.Close() //nolint:errcheck // it was read
	var end *pb.FileEnd
	for m.Receive() {
		if _, err := to.Write(m.Msg().GetData()); err != nil {
			return err
		}
		end = m.Msg().GetEnd()
	}
	switch {
	case m.Err() != nil:
		return m.Err()
	case end == nil:
		return io.ErrUnexpectedEOF
	case end.GetChanged():
		return ErrChanged
	}
	return nil
}

// RemoveAll removes a folder of a session that runs with what is in it, and says how many
// names that were. Where something in it may not be removed, nothing is.
func (s *Session) RemoveAll(ctx context.Context, path string) (names int64, err error) {
	m, err := s.client.Files.RemoveFile(ctx, connect.NewRequest(&pb.RemoveFileRequest{Session: s.ID, RawPath: []byte(path), Folder: true, All: true}))
	if err != nil {
		return 0, err
	}
	return m.Msg.GetNames(), nil
}

// WriteFile makes a file of a session that runs, or puts it in the place of one that is
// there, when all of it was sent: at most 64 MiB.
func (s *Session) WriteFile(ctx context.Context, path string, from io.Reader) error {
	r := &pb.WriteFileRequest{Session: s.ID, RawPath: []byte(path)}
	for buf := make([]byte, filePart); !r.GetLast(); {
		n, err := io.ReadFull(from, buf)
		r.Last = errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
		if err != nil && !r.GetLast() {
			return err
		}
		r.Data = buf[:n]
		m, err := s.client.Files.WriteFile(ctx, connect.NewRequest(r))
		if err != nil {
			return err
		}
		r.Upload, r.Offset = m.Msg.GetUpload(), m.Msg.GetSize()
	}
	return nil
}
