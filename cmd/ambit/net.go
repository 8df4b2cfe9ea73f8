package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/core/capability"
)

func (a *app) netCommand() *cobra.Command {
	var watch bool
	cmd := &cobra.Command{
		Use:   "net [SESSION]",
		Short: "Show what the sessions that run do in the network",
		Long: `Show the connections of the sessions that run: which program has them, to what
name and address, whether they are open or wait for an answer, and how many bytes
went in and out; ports that can be reached from this machine; and how much was
carried and refused before. What has ended stands in the log: ambit audit ls.`,
		Example: `  ambit net
  ambit net --watch
  ambit net --json | jq -r '.[].flows[] | select(.open) | .name'`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			only := strings.Join(args, "")
			if !watch {
				return a.showNet(only)
			}
			return a.watchNet(cmd.Context(), only)
		},
	}
	cmd.Flags().BoolVar(&watch, "watch", false, "go on and show it anew each second, until you interrupt")
	return cmd
}

// netEvery is how often it is shown anew.
const netEvery = time.Second

func (a *app) watchNet(ctx context.Context, only string) error {
	ctx, stop := untilInterrupt(ctx)
	defer stop()
	tick := time.NewTicker(netEvery)
	defer tick.Stop()
	for {
		if colour(a.out) && !a.json {
			printf(a.out, "\x1b[H\x1b[2J")
		}
		if err := a.showNet(only); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

func (a *app) showNet(only string) error {
	all, err := a.liveNetworks()
	if err != nil {
		return err
	}
	if only != "" {
		all = slices.DeleteFunc(all, func(n liveNetwork) bool { return n.Session != only })
		if len(all) == 0 {
			return fmt.Errorf("no session %q runs with a network; `ambit net` shows those that do", only)
		}
	}
	if a.json {
		return a.printJSON(append([]liveNetwork{}, all...))
	}
	if len(all) == 0 {
		printf(a.err, "No session with a network runs.\n")
	}
	for i, n := range all {
		if i > 0 {
			printf(a.out, "\n")
		}
		if err := a.printNet(n); err != nil {
			return err
		}
	}
	return nil
}

// liveNetworks asks every session that runs with a network.
func (a *app) liveNetworks() (all []liveNetwork, err error) {
	dir, err := a.openLive(false)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("find the sessions that run: %w", err)
	}
	defer dir.Close()
	names, err := dir.Readdirnames(-1)
	if err != nil {
		return nil, fmt.Errorf("find the sessions that run: %w", err)
	}
	slices.Sort(names)
	for _, name := range names {
		switch n, err := askLive(dir, name); {
		case errors.Is(err, unix.ECONNREFUSED):
			_ = os.Remove(socketIn(dir, name)) // its launcher was killed
		case errors.Is(err, fs.ErrNotExist): // it has just ended
		case err != nil:
			printf(a.err, "ambit: session %s does not say what it does: %v\n", name, err)
		default:
			all = append(all, n)
		}
	}
	slices.SortFunc(all, func(a, b liveNetwork) int { return strings.Compare(a.Session, b.Session) })
	return all, nil
}

// maxLive bounds what a session may say.
const maxLive = 64 << 20

func askLive(dir *os.File, name string) (n liveNetwork, err error) {
	c, err := net.DialTimeout("unix", socketIn(dir, name), wantTime)
	if err != nil {
		return n, err
	}
	defer c.Close() //nolint:errcheck // nothing was written
	_ = c.SetDeadline(time.Now().Add(2 * wantTime))
	return n, json.NewDecoder(io.LimitReader(c, maxLive)).Decode(&n)
}

// printNet writes one session for people.
func (a *app) printNet(n liveNetwork) error {
	what := filepath.Base(n.Program)
	if n.Pack != "" {
		what = n.Pack
	}
	printf(a.out, "%s  %s (process %d)\n", capability.Printable(n.Session), capability.Printable(what), n.PID)
	before := fmt.Sprintf("%d connections, %s in, %s out", n.Carried.Flows, size(n.Carried.In), size(n.Carried.Out))
	if n.Carried.Refused > 0 {
		before += fmt.Sprintf("; %d refused", n.Carried.Refused)
	}
	printf(a.out, "  ended before: %s\n", before)
	for _, p := range n.Ports {
		printf(a.out, "  %s leads to its port %d\n", p.At, p.Port)
	}
	var rows [][]string
	for _, f := range n.Flows {
		rows = append(rows, a.netRow(f))
	}
	if len(rows) == 0 {
		return nil
	}
	return table(a.out, []string{"  IN", "OUT", "STATE", "TO", "BY", "SINCE"}, rows)
}

func (a *app) netRow(f liveFlow) []string {
	state, to, by := "waits", f.To.String(), f.Program
	if f.Open {
		state = "open"
	}
	if f.Name != "" {
		to = fmt.Sprintf("%s:%d", f.Name, f.To.Port())
	}
	if f.Dialled != "" && f.Name != "" {
		to += " (" + f.Dialled + ")"
	}
	if f.UDP {
		to += " udp"
	}
	if f.Inbound {
		to = "from this machine, at " + to
	}
	if f.PID != 0 {
		by = fmt.Sprintf("%s %d", by, f.PID)
	}
	return []string{"  " + size(f.In), size(f.Out), state, to, by, a.now().Sub(f.Begun).Round(time.Second).String()}
}

// size is a number of bytes for people.
func size(n uint64) string {
	const step = 1000
	if n < step {
		return fmt.Sprintf("%d B", n)
	}
	value, units := float64(n)/step, "kMGTPE"
	for value >= step {
		value, units = value/step, units[1:]
	}
	return fmt.Sprintf("%.1f %cB", value, units[0])
}
