package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"ambit.dev/ambit/internal/companion/start"
	"ambit.dev/ambit/internal/core/binding"
	"ambit.dev/ambit/internal/core/capability"
	"ambit.dev/ambit/internal/core/grant"
	"ambit.dev/ambit/internal/vault/wire"
)

// vaultProgram keeps secrets, beside this program.
const vaultProgram = "ambit-vault"

// vaultDir, in the state directory, is where secrets are kept, in vaultFile.
const (
	vaultDir  = "vault"
	vaultFile = "secrets.age"
)

// A safe is the process of the vault, which is started when it is needed and goes
// on for whoever asks next. It is safe for concurrent use.
type safe struct {
	app   *app
	write bool // it may change the vault

	mu      sync.Mutex
	process *start.Process // guarded by mu; nil: not started
	client  *wire.Client   // guarded by mu; of process
}

// open answers with somebody to ask. Where there is no vault yet that is nil,
// which knows of no secret, and nothing is started or made.
func (v *safe) open() (*wire.Client, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.process != nil {
		select {
		case <-v.process.Ended(): // it was killed: another one takes its place
			v.process.Stop()
		default:
			return v.client, nil
		}
	}
	state, err := v.app.state()
	if err != nil {
		return nil, err
	}
	dir := filepath.Join(state, vaultDir)
	if _, err := os.Lstat(filepath.Join(dir, vaultFile)); errors.Is(err, fs.ErrNotExist) && !v.write {
		return nil, nil //nolint:nilnil // it is the client of a vault in which there is nothing
	}
	path, err := start.Path(vaultProgram)
	if err != nil {
		return nil, err
	}
	v.process, err = start.Start(start.Config{Path: path, Stderr: v.app.err})
	if err != nil {
		return nil, fmt.Errorf("secrets are kept by %s: %w", path, err)
	}
	v.client, err = wire.NewClient(v.process.Line, wire.Hello{Dir: dir, Write: v.write})
	return v.client, err
}

// want asks for a secret, as it is now. Its answer is to be taken; it comes while
// something else is done.
func (v *safe) want(name string) (wire.Wanted, error) {
	c, err := v.open()
	if err != nil {
		return wire.Wanted{}, err
	}
	return c.Want(name), nil
}

// value asks for a secret, and waits for it.
//
// Security: the caller has had it decided, just now, that this may be.
func (v *safe) value(name string) (wire.Entry, binding.Value, error) {
	w, err := v.want(name)
	if err != nil {
		return wire.Entry{}, binding.Value{}, err
	}
	return w.Value()
}

// begin starts the process where it will be needed, so that it is there by then.
func (v *safe) begin(grants []grant.Grant) {
	if slices.ContainsFunc(grants, func(g grant.Grant) bool { return g.Capability.Kind() == capability.SecretUse }) {
		_, _ = v.open() // whoever needs it tries again, and says what is wrong
	}
}

// close ends the process.
func (v *safe) close() {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.process != nil {
		_ = v.process.Line.Close() // it may have ended
		v.process.Stop()
	}
}
