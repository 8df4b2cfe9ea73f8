//go:build linux

package process

import (
	"context"
	"errors"

	"ambit.dev/ambit/internal/enforce"
	"ambit.dev/ambit/internal/enforce/row"
	"ambit.dev/ambit/internal/enforce/stored"
)

// A storedFolder is served with ids of processes of its sandbox.
type storedFolder struct {
	*stored.Folder
	ids *ids
}

func (f storedFolder) Close() error { return errors.Join(f.Folder.Close(), f.ids.close()) }

// storing opens the folder of what is stored.
func (s *session) storing(ctx context.Context, storer enforce.Storer) func(row.IDs) (row.Server, error) {
	return func(as row.IDs) (row.Server, error) {
		if storer == nil {
			return nil, errors.New("internal error: a plan with what is stored, and nobody who stores it")
		}
		pids := &ids{}
		host := func(pid int) int { return pids.outside(int(s.attach.init.Load()), pid) }
		return storedFolder{stored.New(ctx, stored.Config{Storer: storer, UID: uint32(as.UID), GID: uint32(as.GID),
			Host: host, Killed: func(pid int) bool { return killed(host(pid)) }}), pids}, nil
	}
}
