package microvm

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/enforce/microvm/channel"
	"ambit.dev/ambit/internal/enforce/microvm/machine"
)

// templatesDir, in an image's folder, is where its templates are.
const templatesDir = "templates"

// template opens the template for a shape, or makes it: one cold boot.
//
// Security: a template is taken only under the fingerprint that it was made under.
// It holds no secret and nothing of a user: it is stopped when the guest's first
// program waits to be spoken to.
func (t Tier) template(ctx context.Context, s machine.Shape) (machine.Template, error) {
	mark, err := t.Driver.Fingerprint(ctx, s)
	if err != nil {
		return machine.Template{}, err
	}
	all := filepath.Join(t.Image.Dir, templatesDir)
	dir := filepath.Join(all, mark.Short())
	if tpl, err := t.Driver.Open(dir); err == nil && tpl.Fingerprint == mark {
		return tpl, nil
	}
	if err := os.MkdirAll(all, 0o700); err != nil {
		return machine.Template{}, fmt.Errorf("make the folder of templates: %w", err)
	}
	unlock, err := lock(filepath.Join(all, "lock"))
	if err != nil {
		return machine.Template{}, err
	}
	defer unlock()
	if tpl, err := t.Driver.Open(dir); err == nil && tpl.Fingerprint == mark {
		return tpl, nil // somebody made it meanwhile
	}
	return t.makeTemplate(ctx, s, all, dir)
}

// makeTemplate boots a machine, stops it when it is ready, and keeps it. Others
// that were left half made are removed: their makers are gone.
func (t Tier) makeTemplate(ctx context.Context, s machine.Shape, all, dir string) (tpl machine.Template, err error) {
	left, err := filepath.Glob(filepath.Join(all, ".new-*"))
	if err != nil {
		return tpl, err
	}
	for _, l := range append(left, dir) {
		if err := os.RemoveAll(l); err != nil {
			return tpl, fmt.Errorf("remove half a template: %w", err)
		}
	}
	fresh, err := os.MkdirTemp(all, ".new-")
	if err != nil {
		return tpl, fmt.Errorf("make a template: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(fresh)) }()
	t.say("booting a machine to make a template of it, which is done once for each image")
	m, err := t.Driver.Save(ctx, s, fresh)
	if err != nil {
		return tpl, fmt.Errorf("boot a machine: %w", err)
	}
	defer m.Close(0) //nolint:errcheck // it ended when its template was made, or the error is said
	if err := channel.AwaitReady(m.Channel(), soon(bootIn)); err != nil {
		return tpl, fmt.Errorf("boot a machine: %w; its console ends with %q", err, tail(m.Console()))
	}
	if _, err := m.Template(ctx); err != nil {
		return tpl, fmt.Errorf("make a template: %w", err)
	}
	if err := os.Rename(fresh, dir); err != nil {
		return tpl, fmt.Errorf("keep a template: %w", err)
	}
	return t.Driver.Open(dir)
}

func tail(text []byte) []byte { return text[max(0, len(text)-500):] }

// lock waits until nobody else makes a template.
func lock(path string) (unlock func(), err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("wait for another to make a template: %w", err)
	}
	for {
		if err = unix.Flock(int(f.Fd()), unix.LOCK_EX); !errors.Is(err, unix.EINTR) {
			break
		}
	}
	if err != nil {
		_ = f.Close() // nothing was written
		return nil, fmt.Errorf("wait for another to make a template: %w", err)
	}
	return func() { _ = f.Close() }, nil // which unlocks it
}
