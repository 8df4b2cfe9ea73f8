// Package deno answers Deno's permission broker protocol, so that a Deno program
// in a sandbox asks the same gate, and the same person, as any other program,
// and is told in words what it may not do.
//
// Deno (from 2.5.3) connects to the unix socket that DENO_PERMISSION_BROKER_PATH
// names and puts a line for each permission that it checks. It waits for the
// answer, ignores its own --allow and --deny flags, and ends when anything is
// wrong with the answer or the connection.
//
// This is a door, not a wall: Deno is a program inside the sandbox and may be a
// changed one. What it does in the end is stopped by the sandbox, whatever was
// answered here. So "allow" means that Deno need not stop it, and is also the
// answer where only the sandbox can tell (a file that is not there).
//
// Invariants:
//
//   - What is not understood is denied: a permission, a value, a version that is
//     not in the table. What is not a request at all ends the connection.
//   - Nothing of a message says who asks. The process is the one at the other
//     end of the socket, as the kernel says it.
//
// Layer: a front door beneath approval. It imports core only.
package deno

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"net"
	"sync"
	"time"

	"ambit.dev/ambit/internal/core/capability"
	"ambit.dev/ambit/internal/core/decision"
)

// Variable is the environment variable that tells Deno where the socket is.
const Variable = "DENO_PERMISSION_BROKER_PATH"

const (
	maxLine        = 64 << 10 // a path is at most 4096 bytes, each at most six in JSON
	maxConnections = 64       // processes of Deno that are served at the same time; others wait
	writeTime      = 10 * time.Second
)

// Config is what a Door is made of. All fields are needed.
type Config struct {
	Subject decision.Subject // of the session; Program is filled in

	// Check answers a request of a process, asking a person where that is needed.
	// It may take minutes; ctx ends when the program has gone. The decision's
	// Request is by which id it was recorded.
	Check func(ctx context.Context, pid int, r decision.Request) decision.Decision

	// Find says which object a process means by a path: from its working
	// directory, through links, in its view. An error that wraps fs.ErrNotExist
	// says that there is nothing to decide: there is none, or what the process
	// would use of it is in its view, or the sandbox's own.
	Find func(pid int, k capability.Kind, path string) (string, error)

	// Look says which program a process means by a command without a slash.
	Look func(pid int, command string) (string, error)

	NewID func() string // of a request, "d-…"
}

// Door answers the processes that connect to a socket.
type Door struct{ cfg Config }

// New returns a door. It is safe for concurrent use.
func New(cfg Config) *Door { return &Door{cfg} }

// Serve answers who connects to l until ctx ends, and closes l. It returns when
// all connections have ended.
func (d *Door) Serve(ctx context.Context, l net.Listener) error {
	ctx, end := context.WithCancel(ctx)
	var served sync.WaitGroup
	defer served.Wait()
	defer end()
	closing := context.AfterFunc(ctx, func() { _ = l.Close() })
	defer closing()
	places := make(chan struct{}, maxConnections)
	for {
		places <- struct{}{}
		conn, err := l.Accept()
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return fmt.Errorf("accept a Deno process: %w", err)
		}
		served.Go(func() {
			defer func() { <-places }()
			d.serve(ctx, conn)
		})
	}
}

// serve answers one process until it goes, or does not keep to the protocol.
func (d *Door) serve(ctx context.Context, conn net.Conn) {
	defer func() { _ = conn.Close() }()
	ctx, end := context.WithCancel(ctx)
	defer end()
	closing := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer closing()
	pid, err := peer(conn)
	if err != nil {
		return
	}
	lines := make(chan []byte)
	var reading sync.WaitGroup
	reading.Go(func() { read(ctx, conn, lines) })
	defer reading.Wait()
	defer end()
	for line := range lines {
		m, err := parse(line)
		if err != nil {
			return
		}
		reply, ok := wait(ctx, lines, func(ctx context.Context) answer { return d.answer(ctx, pid, m) })
		if !ok {
			return
		}
		_ = conn.SetWriteDeadline(time.Now().Add(writeTime))
		if _, err := conn.Write(reply.line(m)); err != nil {
			return
		}
	}
}

// read passes lines on until the connection or ctx ends.
func read(ctx context.Context, conn net.Conn, lines chan<- []byte) {
	defer close(lines)
	in := bufio.NewScanner(conn)
	in.Buffer(nil, maxLine)
	for in.Scan() {
		select {
		case lines <- bytes.Clone(in.Bytes()):
		case <-ctx.Done():
			return
		}
	}
}

// wait returns what f answers, unless the process goes before that, or sends
// something while it has to wait.
func wait(ctx context.Context, lines <-chan []byte, f func(context.Context) answer) (a answer, ok bool) {
	ctx, end := context.WithCancel(ctx)
	defer end()
	done := make(chan answer, 1)
	go func() { done <- f(ctx) }()
	select {
	case a = <-done:
		return a, true
	case <-lines:
		end()
		<-done
		return answer{}, false
	}
}

// answer is what a process is told.
type answer struct {
	allow  bool
	reason string // why not, safe to print
}

// answer decides one request.
func (d *Door) answer(ctx context.Context, pid int, m message) answer {
	t, err := d.translate(pid, m)
	switch {
	case err != nil:
		return answer{reason: "ambit: denied: " + capability.Printable(err.Error())}
	case t.left:
		return answer{allow: true}
	}
	r := decision.Request{ID: d.cfg.NewID(), Subject: d.cfg.Subject, Capability: t.capability, Why: "Deno checks " + m.permission, CanAsk: true}
	r.Subject.Program = "deno"
	dec := d.cfg.Check(ctx, pid, r)
	if dec.Outcome == decision.Allow && ctx.Err() == nil {
		return answer{allow: true}
	}
	return answer{reason: "ambit: denied " + t.capability.Display() + words(dec)}
}

// words are the reason of a decision, and by which id the log has it.
func words(d decision.Decision) (text string) {
	if len(d.Reasons) > 0 {
		text = " (" + capability.Printable(d.Reasons[0].Text) + ")"
	}
	if d.Request != "" {
		text += " [" + d.Request + "]"
	}
	return text
}
