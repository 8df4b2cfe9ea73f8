package qemu

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"ambit.dev/ambit/internal/enforce/microvm/machine"
)

// The files of a template. The first is made by Save.
const (
	memoryFile = "ram"
	stateFile  = "state"
	aboutFile  = "template.json"
)

// How long QEMU may take to write or read the state of a machine's devices.
const migrateIn = 60 * time.Second

type uri struct {
	URI string `json:"uri"`
}

type capabilities struct {
	Capabilities []migrationCapability `json:"capabilities"`
}

type migrationCapability struct {
	Capability string `json:"capability"`
	State      bool   `json:"state"`
}

// leaveMemory keeps the memory, which is a file already, out of the state.
func (q *qmp) leaveMemory(ctx context.Context) error {
	return q.do(ctx, "migrate-set-capabilities", capabilities{[]migrationCapability{{"x-ignore-shared", true}}}, nil)
}

// Template stops the machine and writes down the state of its devices.
func (v *vm) Template(ctx context.Context) (t machine.Template, err error) {
	if v.memory == "" {
		return t, errors.New("internal error: this machine's memory is not in a file")
	}
	dir := filepath.Dir(v.memory)
	if err := v.qmp.do(ctx, "stop", nil, nil); err != nil {
		return t, err
	}
	if err := v.qmp.leaveMemory(ctx); err != nil {
		return t, err
	}
	if err := v.save(ctx, filepath.Join(dir, stateFile)); err != nil {
		return t, err
	}
	if err := v.Close(5 * time.Second); err != nil {
		return t, err
	}
	if err := durable(v.memory); err != nil {
		return t, err
	}
	t = machine.Template{Fingerprint: v.mark, Memory: v.shape.Memory, Dir: dir}
	text, err := json.MarshalIndent(t, "", "  ")
	if err != nil {
		return t, err
	}
	if err := os.WriteFile(filepath.Join(dir, aboutFile), append(text, '\n'), 0o400); err != nil {
		return t, fmt.Errorf("write down a template: %w", err)
	}
	return t, nil
}

// durable has what was written to a file on the disk: after a crash of the host a
// template is whole, or not there.
func durable(path string) error {
	f, err := os.Open(path)
	if err == nil {
		err = errors.Join(f.Sync(), f.Close())
	}
	if err != nil {
		return fmt.Errorf("write down a machine: %w", err)
	}
	return nil
}

func (v *vm) save(ctx context.Context, path string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o400)
	if err != nil {
		return fmt.Errorf("write down a machine's state: %w", err)
	}
	defer f.Close()
	if err := v.qmp.give(ctx, "state", f); err != nil {
		return err
	}
	if err := v.qmp.do(ctx, "migrate", uri{"fd:state"}, nil); err != nil {
		return err
	}
	err = v.qmp.state(ctx, "query-migrate", migrateIn, func(s string) (bool, error) {
		if s == "failed" || s == "cancelled" {
			return false, fmt.Errorf("QEMU could not write down its state: %s%s", s, v.said())
		}
		return s == "completed", nil
	})
	return errors.Join(err, f.Sync())
}

// Open reads what a template says of itself.
func (Driver) Open(dir string) (t machine.Template, err error) {
	text, err := os.ReadFile(filepath.Join(dir, aboutFile))
	if err != nil {
		return t, err
	}
	if err := json.Unmarshal(text, &t); err != nil {
		return t, fmt.Errorf("read the template in %q: %w", dir, err)
	}
	t.Dir = dir
	return t, nil
}

// Clone starts a machine where the template was stopped.
func (d Driver) Clone(ctx context.Context, s machine.Shape, t machine.Template) (machine.Machine, error) {
	mark, err := d.Fingerprint(ctx, s)
	if err != nil {
		return nil, err
	}
	if t.Fingerprint != mark || t.Memory != s.Memory {
		return nil, fmt.Errorf("the template %s was made on something else than %s", t.Fingerprint.Short(), mark.Short())
	}
	v, err := d.start(ctx, s, cloned, filepath.Join(t.Dir, memoryFile))
	if err != nil {
		return nil, err
	}
	if err := v.load(ctx, filepath.Join(t.Dir, stateFile)); err != nil {
		err = fmt.Errorf("go on from the template: %w%s", err, v.said())
		_ = v.Close(0) // err says more
		return nil, err
	}
	return v, nil
}

func (v *vm) load(ctx context.Context, path string) error {
	if err := v.qmp.leaveMemory(ctx); err != nil {
		return err
	}
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := v.qmp.give(ctx, "state", f); err != nil {
		return err
	}
	if err := v.qmp.do(ctx, "migrate-incoming", uri{"fd:state"}, nil); err != nil {
		return err
	}
	return v.qmp.state(ctx, "query-status", migrateIn, func(s string) (bool, error) {
		switch s {
		case "running":
			return true, nil
		case "paused", "postmigrate", "prelaunch":
			return false, v.Resume()
		case "internal-error", "io-error":
			return false, fmt.Errorf("QEMU says %q", s)
		}
		return false, nil
	})
}
