// Command ambit-guest is process 1 of a machine of the microVM tier: it mounts what
// is needed, loads modules, answers the launcher over the machine's one port, and
// builds the sandbox that the program runs in. In sessions of the gVisor tier too it
// is what looks after files (internal/inside).
//
// It trusts the launcher and nothing else. The launcher does not trust it: whoever
// takes over the guest's kernel speaks in its place. It keeps nothing, makes no id
// of its own, and uses no random numbers: a template is stopped while it waits.
package main

import (
	"fmt"
	"os"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "ambit-guest:", err)
		os.Exit(1)
	}
}
