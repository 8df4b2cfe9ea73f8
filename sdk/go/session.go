package ambit

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/types/known/durationpb"

	pb "ambit.dev/ambit/api/ambit/v1"
)

// A Command is a program and what it may. The zero value of each field gives it
// nothing.
type Command struct {
	Argv    []string // the program and its arguments; with a Pack, arguments behind its entry
	Pack    string   // the folder of a pack, or the id of one that is installed
	Allow   []string // capabilities, as in fs.read:/srv/data
	Deny    []string // also inside what is allowed
	Volumes []string // SOURCE:TARGET:ro|rw|append|cow
	Env     map[string]string
	Limits  map[string]string // as in memory: 512M
	Dir     string            // where it is started; "": the user's home
	Stdin   []byte

	// Terminal gives the program a terminal of this size instead, to be typed into
	// (Session.Keyboard). All that it writes is its standard output then.
	Terminal *Size

	// Ask has the first touch of what was not granted asked about (Client.Waiting),
	// for as long as AskTimeout says. AskBy is "trap", which needs /dev/fuse, or
	// "notification", which is slower; "" is the first.
	Ask        bool
	AskBy      string
	AskTimeout time.Duration // 0: the host's own

	// Key makes that the same command is started once, however often it is sent.
	Key string

	// Checked is the digest of what Check said: it is started as was said, or not at all.
	Checked string
}

func (cmd Command) request() *pb.CreateSessionRequest {
	r := &pb.CreateSessionRequest{IdempotencyKey: cmd.Key, Argv: cmd.Argv, Pack: cmd.Pack, Allow: cmd.Allow, Deny: cmd.Deny, Volumes: cmd.Volumes,
		Env: cmd.Env, Limits: cmd.Limits, Dir: cmd.Dir, Stdin: cmd.Stdin, AskBy: cmd.AskBy, Terminal: cmd.Terminal.message(), Checked: cmd.Checked}
	if cmd.Ask {
		r.Ask = pb.Ask_ASK_QUEUE
	}
	if cmd.AskTimeout != 0 {
		r.AskTimeout = durationpb.New(cmd.AskTimeout)
	}
	return r
}

// Check says what a program would be allowed if it were started now, and with which digest
// (Command.Checked). Nothing is started and nothing recorded. What would be denied is no
// error: Starts is false then.
func (c *Client) Check(ctx context.Context, cmd Command) (*pb.CheckSessionResponse, error) {
	m, err := c.Sessions.CheckSession(ctx, connect.NewRequest(&pb.CheckSessionRequest{Session: cmd.request()}))
	if err != nil {
		return nil, err
	}
	return m.Msg, nil
}

// A Session is a program in its sandbox.
type Session struct {
	ID string

	client *Client
}

// Start starts a program, and returns when its launch is recorded. Where it was
// denied, Denials has the reasons.
func (c *Client) Start(ctx context.Context, cmd Command) (*Session, error) {
	m, err := c.Sessions.CreateSession(ctx, connect.NewRequest(cmd.request()))
	if err != nil {
		return nil, err
	}
	return c.Session(m.Msg.GetSession().GetId()), nil
}

// Session is the session with an id, which may have been started by anything.
func (c *Client) Session(id string) *Session { return &Session{ID: id, client: c} }

// Pause has nothing in the session run until Resume: its programs do not go on, and what
// waits for an answer waits on.
func (s *Session) Pause(ctx context.Context) error {
	_, err := s.client.Pause.PauseSession(ctx, connect.NewRequest(&pb.PauseSessionRequest{Id: s.ID}))
	return err
}

// Resume lets it go on.
func (s *Session) Resume(ctx context.Context) error {
	_, err := s.client.Pause.ResumeSession(ctx, connect.NewRequest(&pb.ResumeSessionRequest{Id: s.ID}))
	return err
}

// Wait copies what the program writes, from its beginning, until it has ended, and
// returns its exit status: 125, it could not be confined or started; 126, its launch
// was denied; 127, there is no such command; 128+N, signal N ended it. It is for
// sessions that the API has started. A nil writer drops what is for it.
func (s *Session) Wait(ctx context.Context, stdout, stderr io.Writer) (exit int, err error) {
	out, err := s.client.Sessions.StreamOutput(ctx, connect.NewRequest(&pb.StreamOutputRequest{Id: s.ID}))
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	to := map[pb.OutputStream]io.Writer{pb.OutputStream_OUTPUT_STREAM_STDOUT: stdout, pb.OutputStream_OUTPUT_STREAM_STDERR: stderr}
	var missing int64
	for out.Receive() {
		m := out.Msg()
		missing += m.GetLost() + m.GetEnd().GetDropped()
		if end := m.GetEnd(); end != nil {
			if missing > 0 {
				return int(end.GetExit()), fmt.Errorf("%d bytes of output are missing: %w", missing, io.ErrShortWrite)
			}
			return int(end.GetExit()), nil
		}
		if w := to[m.GetStream()]; w != nil {
			if _, err := w.Write(m.GetData()); err != nil {
				return 0, err
			}
		}
	}
	if err := out.Err(); err != nil {
		return 0, err
	}
	return 0, io.ErrUnexpectedEOF
}

// Stop tells the session to end, and returns when it has.
func (s *Session) Stop(ctx context.Context) error {
	_, err := s.client.Sessions.StopSession(ctx, connect.NewRequest(&pb.StopSessionRequest{Id: s.ID}))
	return err
}
