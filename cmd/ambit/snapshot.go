package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"ambit.dev/ambit/internal/audit"
	"ambit.dev/ambit/internal/core/capability"
	"ambit.dev/ambit/internal/enforce"
	"ambit.dev/ambit/internal/enforce/gvisor"
)

func (a *app) snapshotCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "snapshot SESSION FILE",
		Short: "Keep the state of a session that runs in a file",
		Long: `Keep the state of a session that runs, memory included, in a new file, to begin
others from with ambit restore. The session goes on. It needs the gVisor tier, and a
session without a network and without a terminal.

The file is for you alone: whatever the program has in its memory is in it. It is
sealed with a key in the state folder, and only what is sealed with that is restored.`,
		Example:           "  ambit snapshot s-7f3ak2mq5x warm.snapshot\n  ambit snapshot s-7f3ak2mq5x ~/kept/$(date +%F)",
		Args:              exactly(2, "a session (`ambit ps` lists them) and a file"),
		ValidArgsFunction: a.completeFirstSession,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.snapshotSession(cmd.Context(), args[0], args[1])
		},
	}
}

func (a *app) restoreCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "restore FILE",
		Short: "Begin a session where another was",
		Long: `Begin a session where the one was that ambit snapshot kept. All that it may is decided
anew, by the grants and denials of now; only where that leads to the same plan, with
the same files and folders, it goes on. Standard input and output are this command's.

What a program took from the generator of random numbers before its snapshot, every
session that begins from it has: keys, identifiers, the state of its own generators.`,
		Example: "  ambit restore warm.snapshot\n  ambit restore ~/kept/2026-11-22 < questions.txt",
		Args:    exactly(1, "a file that ambit snapshot made"),
		RunE:    func(cmd *cobra.Command, args []string) error { return a.restore(cmd.Context(), args[0]) },
	}
}

// snapshotSession asks a session for its state and keeps it.
func (a *app) snapshotSession(ctx context.Context, id, path string) error {
	if _, err := os.Lstat(path); err == nil {
		return fmt.Errorf("%s is there already", path)
	}
	files, err := a.told(ctx, id, order{Verb: verbSnapshot})
	if err != nil {
		return err
	}
	defer closeAll(files)
	if len(files) < 2 {
		return errors.New("the session does not hand its state over")
	}
	if err := writeSnapshot(path, files[0], files[1:]); err != nil {
		return fmt.Errorf("write the snapshot: %w", err)
	}
	return nil
}

// snapshot serves it, in the process that looks after the session. It is recorded
// before anybody has the state.
func (c *control) snapshot(ctx context.Context, w controlConn, pid int) error {
	head, err := c.s.snapshotHead()
	if err != nil {
		return err
	}
	parts, err := enforce.Snapshot(c.inside, c.s.tier.name)
	if err != nil {
		return err
	}
	defer closeAll(parts)
	if head.Parts, err = measured(parts); err != nil {
		return fmt.Errorf("read the snapshot: %w", err)
	}
	key, err := c.s.app.readSnapshotKey(true)
	if err != nil {
		return err
	}
	if head.Seal, err = head.seal(key); err != nil {
		return err
	}
	if err := c.record(ctx, audit.SnapshotBody{Seal: head.Seal, Plan: head.Plan, PID: pid}); err != nil {
		return err
	}
	f, err := inMemory(head)
	if err != nil {
		return err
	}
	defer f.Close()
	return w.send(controlAnswer{Began: true}, append([]*os.File{f}, parts...)...)
}

// snapshotHead is how this session is begun again.
func (s *prepared) snapshotHead() (snapshotHead, error) {
	dir, err := os.Getwd()
	if err != nil {
		return snapshotHead{}, err
	}
	f := s.flags
	return snapshotHead{
		Format: snapshotFormat, Session: s.spec.ID, Tier: s.tier.name, Plan: samePlan(s.spec.Plan), Argv: s.argv, Dir: dir, Env: s.spec.Plan.Program.Env,
		Flags: snapshotFlags{Pack: f.pack, Home: f.home, Watch: f.watch, Allow: f.allow, Deny: f.deny, Volumes: f.volumes, Env: f.env, Limits: f.limits},
	}, nil
}

// runFlags are those of ambit run again.
func (h snapshotHead) runFlags() *runFlags {
	f := h.Flags
	return &runFlags{tier: h.Tier, ask: askNone, askBy: askByTrap, deno: "off", pack: f.Pack, home: f.Home, watch: f.Watch,
		allow: f.Allow, deny: f.Deny, volumes: f.Volumes, env: f.Env, limits: f.Limits}
}

// restore goes from a file to a running program, by the way of every launch.
//
// Security: what is in the file was sealed by this installation. The plan is made
// anew from what is granted now, and has to be the snapshot's: otherwise what the
// program was given then would come back by its memory's descriptors and mounts.
func (a *app) restore(ctx context.Context, path string) error {
	path, err := filepath.Abs(path)
	if err != nil {
		return err
	}
	head, parts, err := a.readSnapshot(path)
	if err != nil {
		return err
	}
	defer closeAll(parts)
	if err := os.Chdir(head.Dir); err != nil { //nolint:forbidigo // this process is for the one session, as one that is started there
		return fmt.Errorf("go where the session was started: %w", err)
	}
	s := a.begin(head.runFlags(), head.Argv)
	defer s.close()
	if err := s.prepare(ctx); err != nil {
		return errors.Join(err, s.recordRefusal(ctx, err))
	}
	tier, ok := s.tier.make(nil, nil).(gvisor.Tier)
	if samePlan(s.spec.Plan) != head.Plan || !ok {
		err := &exitError{exitDenied, errors.New("the plan is no longer the snapshot's: what is granted, or a file or folder that was, has changed since; `ambit run` starts it anew")}
		return errors.Join(err, s.recordRefusal(ctx, err))
	}
	if err := s.own(ctx); err != nil {
		return errors.Join(err, s.recordRefusal(ctx, err))
	}
	s.spec.Plan.Program.Env = head.Env // as it was: nothing reads it any more
	tier.From = parts
	c := &control{s: s}
	if err := c.record(ctx, audit.SnapshotBody{Seal: head.Seal, Plan: head.Plan, Of: head.Session, Restored: true, PID: os.Getpid()}); err != nil {
		return errors.Join(err, s.recordRefusal(ctx, err))
	}
	on, tally := &stage{told: &teller{}}, s.count()
	s.fronts = a.fronts(s.flags, on)
	if !a.json {
		printf(a.err, "ambit: goes on from %s, where %s was\n", capability.Printable(filepath.Base(path)), head.Session)
	}
	return a.supervise(ctx, s, tier, on, tally, s.newRechecker())
}
