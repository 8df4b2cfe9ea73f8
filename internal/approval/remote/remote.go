// Package remote has a front live in a process of its own: what it is made of is
// then not in the process that asks.
//
// A process is started for each question. It reads one task from its standard
// input, asks, writes one result to its standard output and ends. Its standard
// input stays open meanwhile; when it is closed nobody waits any more, also
// because the process that asked is gone.
//
// Invariants:
//
//   - Whatever the process does that is not a result (it ends, is killed, writes
//     something else or too much) is an error, never an answer.
//   - What it is set up with may hold a secret: it goes through the pipe, not
//     through arguments or the environment.
//
// Layer: beneath approval, on both sides.
package remote

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"syscall"
	"time"

	"ambit.dev/ambit/internal/approval"
	"ambit.dev/ambit/internal/core/capability"
)

// task is what the other process is to do.
type task struct {
	Setup    string             `json:"setup"`
	Question *approval.Question `json:"question,omitempty"` // nil: only say its name
}

// result is what came of it.
type result struct {
	Name   string           `json:"name,omitempty"`
	Answer *approval.Answer `json:"answer,omitempty"`
	Error  string           `json:"error,omitempty"`
}

// maxResult bounds what is read of a process.
const maxResult = 64 << 10

// Config is what a Front is made of.
type Config struct {
	Path  string   // of the program
	Env   []string // all of its environment
	Setup string   // how its front is made; it may hold a secret
}

// Front asks by a process. It is made by New and safe for concurrent use.
type Front struct {
	cfg  Config
	name string
}

// New returns a front, once the other process has said that it can be made.
func New(ctx context.Context, cfg Config) (*Front, error) {
	f := &Front{cfg: cfg}
	r, err := f.run(ctx, task{Setup: cfg.Setup})
	if err != nil {
		return nil, err
	}
	f.name = capability.Printable(r.Name)
	return f, nil
}

// Name is that of the front in the other process.
func (f *Front) Name() string { return f.name }

// Ask has the other process ask.
func (f *Front) Ask(ctx context.Context, q approval.Question) (approval.Answer, error) {
	r, err := f.run(ctx, task{f.cfg.Setup, &q})
	switch {
	case ctx.Err() != nil:
		return approval.Answer{}, ctx.Err()
	case err != nil:
		return approval.Answer{}, err
	case r.Answer == nil:
		return approval.Answer{}, errors.New("it gave no answer")
	}
	return *r.Answer, nil
}

// run starts the process for a task and returns its result.
func (f *Front) run(ctx context.Context, t task) (r result, err error) {
	text, err := json.Marshal(t)
	if err != nil {
		return r, err
	}
	cmd := exec.CommandContext(ctx, f.cfg.Path)
	cmd.Env = f.cfg.Env
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // the terminal's keys are not for it
	cmd.WaitDelay = time.Second
	var out limited
	cmd.Stdout = &out
	in, err := cmd.StdinPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		return r, fmt.Errorf("start %q: %w", f.cfg.Path, err)
	}
	_, _ = in.Write(append(text, '\n')) // if it has ended, its result says so
	err = cmd.Wait()                    // closes in, once it has ended
	if err != nil {
		return r, fmt.Errorf("%q: %w", f.cfg.Path, err)
	}
	if err := json.Unmarshal(out.kept.Bytes(), &r); err != nil || out.over {
		return result{}, fmt.Errorf("%q did not say what came of it", f.cfg.Path)
	}
	if r.Error != "" {
		return result{}, errors.New(capability.Printable(r.Error))
	}
	return r, nil
}

// limited keeps the first bytes that are written to it.
type limited struct {
	kept bytes.Buffer
	over bool
}

func (l *limited) Write(p []byte) (int, error) {
	if l.over = l.over || l.kept.Len()+len(p) > maxResult; !l.over {
		_, _ = l.kept.Write(p) // never fails
	}
	return len(p), nil
}

// Serve is the other process: it reads a task, makes the front and asks.
func Serve(ctx context.Context, in io.Reader, out io.Writer, build func(setup string) (approval.Front, error)) error {
	ctx, end := context.WithCancel(ctx)
	defer end()
	var t task
	dec := json.NewDecoder(in)
	if err := dec.Decode(&t); err != nil {
		return fmt.Errorf("read what to ask: %w", err)
	}
	go func() {
		_, _ = io.Copy(io.Discard, io.MultiReader(dec.Buffered(), in)) // until nobody waits any more
		end()
	}()
	r := perform(ctx, t, build)
	text, err := json.Marshal(r)
	if err != nil {
		return err
	}
	_, err = out.Write(append(text, '\n'))
	return err
}

func perform(ctx context.Context, t task, build func(setup string) (approval.Front, error)) result {
	f, err := build(t.Setup)
	if err != nil {
		return result{Error: err.Error()}
	}
	r := result{Name: f.Name()}
	if t.Question == nil {
		return r
	}
	a, err := f.Ask(ctx, *t.Question)
	if err != nil {
		return result{Name: r.Name, Error: err.Error()}
	}
	r.Answer = &a
	return r
}
