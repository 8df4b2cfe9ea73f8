package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/enforce"
	"ambit.dev/ambit/internal/enforce/process"
	"ambit.dev/ambit/internal/keep"
	"ambit.dev/ambit/internal/thread"
)

// standByArgs are the arguments of a launcher that stands by: it makes what most
// launches have, and waits to be told which one it is.
var standByArgs = []string{"run", "--" + keep.StandByFlag}

// standBy makes namespaces and the view of a command that was granted nothing, and
// waits for the launch. Not ok: there will be none.
//
// Security: nothing is decided yet and nothing granted. What the launch reads it reads
// when it is known: this host, policy, grants and the base view. Of what is made here
// Start takes what is the same as in the plan, and makes anew what is not.
func (a *app) standBy() (launch keep.Launch, ok bool, err error) {
	line := os.NewFile(keep.StandByFD, "the launch")
	unix.CloseOnExec(keep.StandByFD) // before anything is started
	defer line.Close()
	thread.Exact() // a launch may need it, and it cannot be had once a row waits
	s := &prepared{app: a, flags: &runFlags{ask: askNone}, facts: hostFacts(who())}
	a.early = process.Begin(enforce.Outline(bounds(s.facts, enforce.Limits{})), a.stdio())
	s.ahead(a.early)
	switch err := json.NewDecoder(io.LimitReader(line, keep.MaxLaunch)).Decode(&launch); {
	case errors.Is(err, io.EOF):
		return launch, false, nil // nobody needs it any more
	case err != nil:
		return launch, false, fmt.Errorf("read what to launch: %w", err)
	}
	told := traceOf(launch.Trace, launch.TraceState)
	a.belongs = &told
	if launch.Dir == "" {
		return launch, true, nil
	}
	return launch, true, os.Chdir(launch.Dir) //nolint:forbidigo // it is where the launcher would have been started; nothing else runs here
}

// runStandBy is run for a launcher that stands by.
func (a *app) runStandBy() int {
	defer func() { a.early.Discard() }()
	launch, ok, err := a.standBy()
	if err != nil {
		printf(a.err, "ambit: %v\n", err)
		return exitFailed
	}
	if !ok {
		return 0
	}
	return a.execute(launch.Args)
}

func standsBy(args []string) bool { return slices.Equal(args, standByArgs) }

// beginTier begins with a sandbox of the process tier, while it is decided what it has,
// or goes on with the one that stands by.
func (s *prepared) beginTier() process.Tier {
	if early := s.app.early; early.Begun() {
		return early
	}
	tier := process.Begin(enforce.Outline(bounds(s.facts, enforce.Limits{})), s.app.stdio())
	s.ahead(tier)
	return tier
}
