package qemu

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// answerIn is how long QEMU may take for a command; a monitor that does not
// answer is a dead machine. It is long because a host may be busy.
const answerIn = 20 * time.Second

// largestAnswer bounds one line of QEMU's.
const largestAnswer = 1 << 20

// qmp is a client of the QEMU machine protocol, one command at a time. What
// happens without being asked for is passed over.
//
// Security: QEMU may be in a guest's hands. An answer is bounded in size and in
// time, and read into fixed types.
type qmp struct {
	mu sync.Mutex
	c  *net.UnixConn // guarded by mu
	r  *bufio.Reader // guarded by mu
}

func newQMP(ctx context.Context, c *net.UnixConn) (*qmp, error) {
	q := &qmp{c: c, r: bufio.NewReaderSize(c, largestAnswer)}
	if err := c.SetReadDeadline(deadline(ctx)); err != nil {
		return nil, err
	}
	if _, err := q.r.ReadSlice('\n'); err != nil { // the greeting
		return nil, fmt.Errorf("hear from QEMU: %w", err)
	}
	return q, q.do(ctx, "qmp_capabilities", nil, nil)
}

func deadline(ctx context.Context) time.Time {
	at := time.Now().Add(answerIn)
	if d, ok := ctx.Deadline(); ok && d.Before(at) {
		return d
	}
	return at
}

type command struct {
	Execute   string          `json:"execute"`
	Arguments json.RawMessage `json:"arguments,omitempty"`
}

type response struct {
	Event  string          `json:"event"`
	Return json.RawMessage `json:"return"`
	Error  *struct {
		Desc string `json:"desc"`
	} `json:"error"`
}

// do has QEMU carry out a command and reads what it returns into out.
func (q *qmp) do(ctx context.Context, name string, arguments, out any) error {
	return q.send(ctx, name, arguments, out, nil)
}

// give hands QEMU an open file under a name, so that it need not open it itself.
func (q *qmp) give(ctx context.Context, name string, f *os.File) error {
	return q.send(ctx, "getfd", struct {
		Name string `json:"fdname"`
	}{name}, nil, unix.UnixRights(int(f.Fd())))
}

func (q *qmp) send(ctx context.Context, name string, arguments, out any, rights []byte) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if err := q.exchange(ctx, name, arguments, out, rights); err != nil {
		return fmt.Errorf("have QEMU do %s: %w", name, err)
	}
	return nil
}

func (q *qmp) exchange(ctx context.Context, name string, arguments, out any, rights []byte) error {
	c := command{Execute: name}
	var err error
	if arguments != nil {
		if c.Arguments, err = json.Marshal(arguments); err != nil {
			return err
		}
	}
	text, err := json.Marshal(c)
	if err != nil {
		return err
	}
	if err := q.c.SetDeadline(deadline(ctx)); err != nil {
		return err
	}
	if _, _, err := q.c.WriteMsgUnix(append(text, '\n'), rights, nil); err != nil {
		return err
	}
	for {
		line, err := q.r.ReadSlice('\n')
		if err != nil {
			return err
		}
		var r response
		if err := json.Unmarshal(line, &r); err != nil {
			return err
		}
		switch {
		case r.Event != "":
			continue
		case r.Error != nil:
			return errors.New(r.Error.Desc)
		case out == nil:
			return nil
		}
		return json.Unmarshal(r.Return, out)
	}
}

// state asks for the state of something until it is one that end accepts.
func (q *qmp) state(ctx context.Context, name string, limit time.Duration, end func(state string) (bool, error)) error {
	for last := time.Now().Add(limit); ; {
		var s struct {
			Status string `json:"status"`
		}
		if err := q.do(ctx, name, nil, &s); err != nil {
			return err
		}
		done, err := end(s.Status)
		if done || err != nil {
			return err
		}
		if time.Now().After(last) {
			return fmt.Errorf("QEMU is %q still, after %v: %w", s.Status, limit, os.ErrDeadlineExceeded)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(2 * time.Millisecond):
		}
	}
}
