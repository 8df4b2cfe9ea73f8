//go:build linux

package main

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/google/subcommands"
	"gvisor.dev/gvisor/runsc/cmd"
	"gvisor.dev/gvisor/runsc/cmd/sentry/sentrycmd"
	"gvisor.dev/gvisor/runsc/flag"

	"ambit.dev/ambit/internal/enforce/gvisor/wire"
	"ambit.dev/ambit/internal/memory"
)

// sentry is gVisor's, the program's kernel.
type sentry struct {
	sentrycmd.Boot
	line line
}

// SetFlags takes the one descriptor that is handed over for this kernel itself: to gVisor
// such descriptors are the program's.
func (s *sentry) SetFlags(f *flag.FlagSet) {
	all := flag.NewFlagSet("", flag.ContinueOnError)
	s.Boot.SetFlags(all)
	all.VisitAll(func(one *flag.Flag) {
		if one.Name == "pass-fd" {
			one.Value = &s.line
		}
		f.Var(one.Value, one.Name, one.Usage)
	})
}

// Execute is the sentry's whole life.
func (s *sentry) Execute(ctx context.Context, f *flag.FlagSet, args ...any) subcommands.ExitStatus {
	if err := hold(int(s.line)); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return subcommands.ExitFailure
	}
	memory.Settle()
	return s.Boot.Execute(ctx, f, args...)
}

// line is the number of a descriptor in this process: 0: there is none. As a flag it has
// a second number behind it, which says nothing.
type line int

func (l *line) String() string { return fmt.Sprintf("%d:%d", *l, wire.Asks) }

func (l *line) Set(text string) error {
	first, _, _ := strings.Cut(text, ":")
	n, err := strconv.Atoi(first)
	*l = line(n)
	return err
}

// gofer is gVisor's, which opens files for the sentry.
type gofer struct{ cmd.Gofer }

// Execute is the gofer's whole life.
func (g *gofer) Execute(ctx context.Context, f *flag.FlagSet, args ...any) subcommands.ExitStatus {
	memory.Settle()
	return g.Gofer.Execute(ctx, f, args...)
}
