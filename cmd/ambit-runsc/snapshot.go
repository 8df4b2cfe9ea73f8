//go:build linux

package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"gvisor.dev/gvisor/pkg/control/client"
	"gvisor.dev/gvisor/pkg/sentry/control"
	"gvisor.dev/gvisor/pkg/sentry/state/checkpointfiles"
	"gvisor.dev/gvisor/pkg/state/statefile"
	"gvisor.dev/gvisor/pkg/urpc"
	"gvisor.dev/gvisor/runsc/boot"

	"ambit.dev/ambit/internal/enforce/gvisor/wire"
)

// errParts is a request without its files.
var errParts = errors.New("internal error: a snapshot without its parts")

// snapshot has the sentry stop, write its state into files, and go on.
func (a *agent) snapshot(parts []*os.File) error {
	if len(parts) != wire.Parts {
		return errParts
	}
	conn, err := client.ConnectTo(a.c.Sandbox.GetControlSocketPath())
	if err != nil {
		return fmt.Errorf("speak to the sandbox's kernel: %w", err)
	}
	defer conn.Close() //nolint:errcheck // what was asked was answered
	return conn.Call(boot.ContMgrCheckpoint, &control.SaveOpts{
		Metadata: statefile.CompressionLevelNone.ToMetadata(), HavePagesFile: true, Resume: true,
		FilePayload: urpc.FilePayload{Files: parts},
	}, nil)
}

// restore has the sentry enter its filter and read a state, in place of starting the
// program. What was running goes on at once.
func (a *agent) restore(parts []*os.File) error {
	if len(parts) != wire.Parts {
		return errParts
	}
	dir, err := os.MkdirTemp("/run", "restore")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }() // it ends with the sandbox anyway
	for i, name := range []string{checkpointfiles.StateFileName, checkpointfiles.PagesMetadataFileName, checkpointfiles.PagesFileName} {
		if err := os.Symlink(fmt.Sprintf("/proc/self/fd/%d", parts[i].Fd()), filepath.Join(dir, name)); err != nil {
			return err
		}
	}
	if err := a.c.Restore(a.conf, dir, false, false, nil); err != nil {
		return err
	}
	a.begun()
	return nil
}
