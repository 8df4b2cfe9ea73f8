//go:build linux

// ambit-runsc is the second kernel of a sandbox: gVisor's runsc with the commands
// that Ambit uses, built from the same go.mod as Ambit, and one of Ambit's own,
// the agent, which keeps one sandbox and answers its launcher.
//
// It is its own binary: it starts itself again as sentry and gofer, and nothing
// else is to run in those processes. The package runsc/cli/maincli is not used:
// it embeds a prebuilt program of 47 MB that is for checkpoints in object stores.
package main

import (
	"gvisor.dev/gvisor/runsc/cli"
	"gvisor.dev/gvisor/runsc/cmd/sentry/sentrycmd"
	"gvisor.dev/gvisor/runsc/cmd/util"
)

// version is set when the binary is linked. A launcher takes none but its own.
var version string

func main() {
	cli.Run(nil, map[util.SubCommand]string{
		new(agent): "internal", new(sentry): "internal", new(gofer): "internal", new(sentrycmd.Umount): "internal",
		new(sitter): "internal", new(ours): "",
	}, nil)
}
