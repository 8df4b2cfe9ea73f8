package ambit

import (
	"context"
	"io"
	"iter"

	"connectrpc.com/connect"

	pb "ambit.dev/ambit/api/ambit/v1"
)

// An Exec is a further program in a session that runs: in its view, with its rights
// and its limits, and nothing more.
type Exec struct {
	ID string // that of its record in the log, too

	client *Client
}

// Exec starts a program in the session, by the same decision as for its own programs:
// where it was denied, Denials has the reasons. Of the command, Argv, Env, Dir (in the
// session), Stdin, Terminal and Key count; the others are the session's.
func (s *Session) Exec(ctx context.Context, cmd Command) (*Exec, error) {
	m, err := s.client.Execs.CreateExec(ctx, connect.NewRequest(&pb.CreateExecRequest{IdempotencyKey: cmd.Key, Session: s.ID, Argv: cmd.Argv,
		Env: cmd.Env, Dir: cmd.Dir, Stdin: cmd.Stdin, Terminal: cmd.Terminal.message()}))
	if err != nil {
		return nil, err
	}
	return &Exec{ID: m.Msg.GetExec().GetId(), client: s.client}, nil
}

// Execs are the programs that were started in the session by the API, the latest first:
// those that run, or with ended all that the host still knows.
func (s *Session) Execs(ctx context.Context, ended bool) iter.Seq2[*pb.Exec, error] {
	return func(yield func(*pb.Exec, error) bool) {
		for token := ""; ; {
			m, err := s.client.Execs.ListExecs(ctx, connect.NewRequest(&pb.ListExecsRequest{Session: s.ID, Ended: ended, PageToken: token}))
			if err != nil {
				yield(nil, err)
				return
			}
			for _, e := range m.Msg.GetExecs() {
				if !yield(e, nil) {
					return
				}
			}
			if token = m.Msg.GetNextPageToken(); token == "" {
				return
			}
		}
	}
}

// Exec is a program with an id that was started in a session.
func (c *Client) Exec(id string) *Exec { return &Exec{ID: id, client: c} }

// Wait is as Session.Wait.
func (e *Exec) Wait(ctx context.Context, stdout, stderr io.Writer) (exit int, err error) {
	return e.client.Session(e.ID).Wait(ctx, stdout, stderr)
}

// Keyboard is as Session.Keyboard.
func (e *Exec) Keyboard(ctx context.Context) io.Writer { return e.client.Session(e.ID).Keyboard(ctx) }

// Resize is as Session.Resize.
func (e *Exec) Resize(ctx context.Context, to Size) error {
	return e.client.Session(e.ID).Resize(ctx, to)
}

// Stop tells the program to end, with all that it started. Wait says when it has.
func (e *Exec) Stop(ctx context.Context) error {
	_, err := e.client.Execs.StopExec(ctx, connect.NewRequest(&pb.StopExecRequest{Id: e.ID}))
	return err
}
