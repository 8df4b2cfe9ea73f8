//go:build linux

package main

import (
	"context"

	"github.com/google/subcommands"
	"gvisor.dev/gvisor/runsc/cmd"
	"gvisor.dev/gvisor/runsc/cmd/sentry/sentrycmd"
	"gvisor.dev/gvisor/runsc/flag"

	"ambit.dev/ambit/internal/memory"
)

// sentry is gVisor's, the program's kernel.
type sentry struct{ sentrycmd.Boot }

// Execute is the sentry's whole life.
func (s *sentry) Execute(ctx context.Context, f *flag.FlagSet, args ...any) subcommands.ExitStatus {
	memory.Settle()
	return s.Boot.Execute(ctx, f, args...)
}

// gofer is gVisor's, which opens files for the sentry.
type gofer struct{ cmd.Gofer }

// Execute is the gofer's whole life.
func (g *gofer) Execute(ctx context.Context, f *flag.FlagSet, args ...any) subcommands.ExitStatus {
	memory.Settle()
	return g.Gofer.Execute(ctx, f, args...)
}
