package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/audit"
	"ambit.dev/ambit/internal/enforce"
	"ambit.dev/ambit/internal/inside"
)

// mostOfFile is how large a file may become in the session.
func (c *control) mostOfFile() int64 {
	return cmp.Or(c.s.spec.Plan.Limits.Disk, enforce.DefaultDisk)
}

// files has an order carried out within the session, by Ambit's own program there. What
// it says goes to whom the descriptors belong to.
//
// Security: the order is recorded before that program is there, and is all that it is
// told. It is bounded by the plan, and not by who gives the order.
func (c *control) files(ctx context.Context, w controlConn, pid int, job *inside.Order, files []*os.File) error {
	if job == nil {
		_, opens := c.inside.(enforce.Opener)
		return w.send(controlAnswer{Began: true, Within: !opens})
	}
	if len(files) != 3 {
		return errors.New("an order about files takes three descriptors")
	}
	if err := c.recordJob(ctx, pid, job); err != nil {
		return err
	}
	job.Most, job.Grows, job.Shown = c.mostOfFile(), nil, nil
	for _, e := range c.s.spec.Plan.View {
		if e.Op == enforce.OpAppend {
			job.Grows = append(job.Grows, []byte(e.Path))
		}
		if job.All && !e.Pin {
			job.Shown = append(job.Shown, []byte(e.Path))
		}
	}
	text, err := json.Marshal(job)
	if err != nil {
		return err
	}
	e, err := enforce.EnterOwn(c.inside, c.s.tier.name, enforce.Command{Args: []string{inside.Name, string(text)}, Dir: "/", Files: [3]*os.File(files)})
	if err != nil {
		return err
	}
	closeAll(files) // so that their other ends see when it has ended
	if err := w.send(controlAnswer{Began: true}); err != nil {
		_ = e.Signal(unix.SIGKILL) // it may have ended
		_, _ = e.Wait()            // nobody wants to know
		return err
	}
	end, err := w.follow(e)
	if err != nil {
		return err
	}
	return w.send(controlAnswer{Ended: end})
}

// recordJob records what is done to a path, before it is.
func (c *control) recordJob(ctx context.Context, pid int, job *inside.Order) error {
	b := audit.CopyBody{Path: audit.Text(string(job.Path)), PID: pid}
	switch job.Op {
	case inside.OpList, inside.OpStat:
		return nil
	case inside.OpRead, inside.OpOut:
	case inside.OpWrite, inside.OpIn:
		b.In = true
	case inside.OpRemove:
		b.Deed = inside.DeedRemove
		if job.All {
			b.Deed = inside.DeedRemoveAll
		}
	case inside.OpMkdir:
		b.Deed = inside.DeedMake
	default:
		return fmt.Errorf("this session does not know the order %q: its ambit is another version", job.Op)
	}
	return c.record(ctx, b)
}
