package server

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"

	"connectrpc.com/connect"

	"ambit.dev/ambit/internal/core/principal"
)

// patience is how long one run of the command line may take.
const patience = time.Minute

// A commandError is what the command line said when it refused.
type commandError struct {
	status int
	said   string
}

func (e *commandError) Error() string {
	if e.said == "" {
		return fmt.Sprintf("exit status %d", e.status)
	}
	return e.said
}

// code: the command line understood what was asked, and does not do it.
func (e *commandError) code() connect.Code {
	if e.status < 0 {
		return connect.CodeUnavailable
	}
	return connect.CodeFailedPrecondition
}

// command runs the command line, and reads its JSON into answer. Where it says
// something and fails, both are returned.
//
// Security: arguments reach it one by one, without a shell. What callers name
// stands behind "--" or in the place of a flag's value.
func (s *Server) command(ctx context.Context, answer any, args ...string) error {
	return s.commandWithin(ctx, patience, answer, args...)
}

// commandWithin is command for what may take longer.
func (s *Server) commandWithin(ctx context.Context, patience time.Duration, answer any, args ...string) error {
	return s.commandOf(ctx, patience, at{}, answer, args...)
}

// commandFrom is command for what reads a file on its standard input.
func (s *Server) commandFrom(ctx context.Context, in *os.File, answer any, args ...string) error {
	return s.commandOf(ctx, patience, at{in: in}, answer, args...)
}

// at is where a run of the command line begins.
type at struct {
	dir string   // "": the root
	in  *os.File // its standard input; nil: it has none
}

func (s *Server) commandOf(ctx context.Context, patience time.Duration, at at, answer any, args ...string) error {
	select {
	case s.running <- struct{}{}:
		defer func() { <-s.running }()
	case <-ctx.Done():
		return ctx.Err()
	}
	// A change that has begun is not broken off when its caller leaves.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
	defer cancel()
	cmd, err := s.commandLine(ctx, args)
	if err != nil {
		return err
	}
	var out, said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &said
	if at.dir != "" {
		cmd.Dir = at.dir
	}
	if at.in != nil {
		cmd.Stdin = at.in
	}
	err = cmd.Run()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		err = &commandError{exit.ExitCode(), complaint(said.String())}
	}
	if err != nil && out.Len() == 0 {
		return err
	}
	if bad := json.Unmarshal(out.Bytes(), answer); bad != nil {
		return errors.Join(err, fmt.Errorf("read what ambit %s printed: %w", args[0], bad))
	}
	return err
}

// commandLine is a run of the command line for the call of ctx, by whose end it is
// killed: it acts for the caller's organisation, and belongs to the call's trace.
func (s *Server) commandLine(ctx context.Context, args []string) (*exec.Cmd, error) {
	for _, a := range args {
		if strings.ContainsRune(a, 0) {
			return nil, invalid("a text has a NUL in it")
		}
	}
	common := append([]string{"--state-dir=" + s.cfg.State, "--json"}, forOrg(callerOf(ctx))...)
	cmd := exec.CommandContext(ctx, s.cfg.Ambit, append(common, args...)...)
	cmd.Dir, cmd.Env = "/", traceOf(ctx).environment()
	return cmd, nil
}

// forOrg tells the command line for which organisation it acts.
func forOrg(c Caller) []string {
	if org := principal.Org(c.Principal); org != "" {
		return []string{"--org=" + org}
	}
	return nil
}

// complaint is the last line that ambit itself said.
func complaint(said string) string {
	last := ""
	for line := range strings.Lines(said) {
		if rest, ok := strings.CutPrefix(line, "ambit: "); ok {
			last = strings.TrimSpace(rest)
		}
	}
	return last
}
