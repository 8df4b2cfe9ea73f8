package main

import (
	"context"
	"os"
	"path/filepath"

	"ambit.dev/ambit/internal/enforce"
	"ambit.dev/ambit/internal/enforce/view"
)

// touchStart asks about the directory that a command is started in, before it
// begins. Who is in a directory goes on with relative paths that begin there, so
// what it may be has to be known when it is entered. It changes nothing where the
// answer is no: the command is started there and finds it empty. Signals are caught
// only where there is a question: that keeps threads, which a start pays for.
func (s *prepared) touchStart(ctx context.Context, t *toucher) error {
	touch, ok := s.startTouch()
	if !ok || tooWide(touch, t.in.HomePath) {
		return nil
	}
	return unlessEnded(ctx, func(ctx context.Context) error {
		if !t.Touched(ctx, touch).Allow {
			return nil
		}
		if err := s.arrange(ctx); err != nil {
			return err
		}
		t.compiled(s.input)
		return nil
	})
}

// startTouch is the touch of that directory, if the view has it and hides it.
func (s *prepared) startTouch() (touch enforce.Touch, ok bool) {
	dir := s.base.Dir
	if s.packDir != "" || s.spec.Plan.Program.Dir != dir || s.shows(dir) || s.spec.Plan.Has(dir) {
		return touch, false
	}
	o, err := view.Resolve(dir)
	if err != nil || o.Path != dir {
		return touch, false // the view has no such directory
	}
	return enforce.Touch{Kind: enforce.TouchRead, Path: dir, Dir: true, Dev: o.Dev, Ino: o.Ino, PID: os.Getpid(),
		Program: filepath.Base(s.argv[0]), Argv: s.argv, Call: "start"}, true
}
