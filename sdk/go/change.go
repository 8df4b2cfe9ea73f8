package ambit

import (
	"context"
	"iter"

	"connectrpc.com/connect"

	pb "ambit.dev/ambit/api/ambit/v1"
)

// Changes yields what a session that has ended changed in its volumes that copy on
// write, which is kept apart until it is applied or dropped. After an error it ends.
func (s *Session) Changes(ctx context.Context) iter.Seq2[*pb.Change, error] {
	return func(yield func(*pb.Change, error) bool) {
		for token := ""; ; {
			m, err := s.client.Changes.ListChanges(ctx, connect.NewRequest(&pb.ListChangesRequest{Session: s.ID, PageToken: token}))
			if err != nil {
				yield(nil, err)
				return
			}
			for _, c := range m.Msg.GetChanges() {
				if !yield(c, nil) {
					return
				}
			}
			if token = m.Msg.GetNextPageToken(); token == "" {
				return
			}
		}
	}
}
