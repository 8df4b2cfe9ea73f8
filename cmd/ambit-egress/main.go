// Command ambit-egress is the network of one sandbox. It is started by ambit,
// with a socket to it as descriptor 3, and is of no use by itself.
//
// It reads the packets that a stranger's program sends, so it is apart from what
// decides, records and keeps grants: it has no file but what the resolver reads,
// and asks the launcher about each flow. When it ends, its sandbox is ended.
package main

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"slices"

	"ambit.dev/ambit/internal/companion"
	"ambit.dev/ambit/internal/egress/wire"
)

// maxMemory is what the collector of garbage keeps below, by more work if it must.
// What the buffers of all connections may hold (egress.Limits) is less.
const maxMemory = 50 << 20

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "ambit-egress:", err)
		os.Exit(1)
	}
}

func run() error {
	line, err := companion.Inherit()
	if err != nil {
		return err
	}
	defer line.Close() //nolint:errcheck // nobody is there any more
	// Thousands of connections, and readers that do not read, cost no more.
	debug.SetMemoryLimit(maxMemory)
	// What a request leaves is little; collecting it as often as usual took a tenth
	// of the time of all of them.
	debug.SetGCPercent(300)
	// Packets, the stack and the sockets take turns. With more processors they
	// wake each other for every packet, which costs more than they gain; and what
	// a sandbox sends keeps one processor busy at most.
	runtime.GOMAXPROCS(1)
	if err := confine(); err != nil {
		return err
	}
	return serve(context.Background(), line, slices.Contains(os.Args[1:], wire.WithAuthority))
}
