package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"ambit.dev/ambit/internal/audit"
	"ambit.dev/ambit/internal/core/capability"
	"ambit.dev/ambit/internal/core/manifest"
	"ambit.dev/ambit/internal/pack"
)

// packIndex, in the state directory, says whom the ids of packs belong to.
const packIndex = "packs.json"

func (a *app) packs() (pack.Index, error) {
	dir, err := a.state()
	return pack.In(filepath.Join(dir, packIndex)), err
}

// changePack changes whom an id belongs to.
func (a *app) changePack(id string, do func(before pack.Owner, known bool) (pack.Owner, error)) error {
	dir, err := a.makeState()
	if err != nil {
		return err
	}
	return pack.In(filepath.Join(dir, packIndex)).Change(id, do)
}

// shelfDir is where installed packs lie: not in the state directory, of which no
// sandbox sees anything, but of which a pack would see itself.
func (a *app) shelfDir() (string, error) {
	if dir := os.Getenv("AMBIT_PACK_DIR"); dir != "" {
		return filepath.Abs(dir)
	}
	if a.stateDir != "" || os.Getenv("AMBIT_STATE_DIR") != "" {
		dir, err := a.state()
		return dir + ".packs", err
	}
	if xdg := os.Getenv("XDG_DATA_HOME"); filepath.IsAbs(xdg) {
		return filepath.Join(xdg, "ambit", "packs"), nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", fmt.Errorf("find the folder of installed packs: %w; set AMBIT_PACK_DIR", err)
	}
	return filepath.Join(home, ".local", "share", "ambit", "packs"), nil
}

func (a *app) shelf() (pack.Shelf, error) {
	dir, err := a.shelfDir()
	return pack.At(dir), err
}

// protectShelf forbids changes of installed packs, where there are any.
//
// Security: what a program writes there would run with what another pack was
// granted.
func (s *prepared) protectShelf() error {
	dir, err := s.app.shelfDir()
	if err != nil {
		return nil //nolint:nilerr // a person without a home has installed none
	}
	if _, err := os.Lstat(dir); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return s.protect("the installed packs", capability.FSWrite, dir)
}

// readPack reads the manifest of a pack that is named by its id, if it is
// installed, or by its folder.
//
// Security: a folder whose id belongs to another one is refused: it would get what
// was granted to that.
func (a *app) readPack(name string) (m manifest.Manifest, dir string, owned bool, err error) {
	packs, err := a.packs()
	if err != nil {
		return m, "", false, err
	}
	o, installed, err := packs.Owner(name)
	if err != nil {
		return m, "", false, err
	}
	if installed && o.Digest != "" {
		m, dir, err = readPack(o.Folder)
		if err == nil && m.ID != o.ID {
			err = fmt.Errorf("pack %q has become %q; install it again", o.ID, m.ID)
		}
		return m, dir, true, err
	}
	if m, dir, err = readPack(name); err != nil {
		if installed && errors.Is(err, fs.ErrNotExist) && filepath.Base(name) == name {
			err = fmt.Errorf("pack %q is not installed; it is the folder %q", name, o.Folder)
		}
		return m, dir, false, err
	}
	o, owned, err = packs.Owner(m.ID)
	if err == nil && owned && o.Folder != dir {
		err = notOwner(o, dir)
	}
	return m, dir, owned, err
}

func notOwner(o pack.Owner, dir string) error {
	advice := fmt.Sprintf("give the pack in %q an id of its own, or, if it has moved there, run `ambit pack adopt %s`", dir, shellWord(dir))
	whose := fmt.Sprintf("the pack in %q", o.Folder)
	if o.Digest != "" {
		whose = "the pack that is installed"
		advice = fmt.Sprintf("give the pack in %q an id of its own, install it as an update (`ambit pack install %s`), or remove the other one (`ambit pack rm %s`)", dir, shellWord(dir), o.ID)
	}
	return fmt.Errorf("the id %s belongs to %s, with what was granted to it: %s", o.ID, whose, advice)
}

// own gives the id of a pack to its folder, if it is nobody's. The record of that
// is durable before.
func (a *app) own(ctx context.Context, id, dir string, record func(context.Context, audit.Record) error) error {
	return a.changePack(id, func(before pack.Owner, known bool) (pack.Owner, error) {
		switch {
		case known && before.Folder != dir: // by somebody else, since it was read
			return before, notOwner(before, dir)
		case known:
			return before, nil
		}
		o := pack.Owner{ID: id, Folder: dir}
		rec, err := packRecord(o, false)
		if err == nil {
			err = record(ctx, rec)
		}
		return o, err
	})
}

// own gives the id of the pack that is about to run to its folder, if it is
// nobody's.
func (s *prepared) own(ctx context.Context) error {
	if !s.unowned {
		return nil
	}
	return s.app.own(ctx, s.manifest.ID, s.packDir, func(ctx context.Context, rec audit.Record) error {
		rec.Session = s.subject.Session
		_, err := s.Append(ctx, rec)
		return err
	})
}

// recordOne records something that is about to be done, in a log of its own opening.
func (a *app) recordOne(ctx context.Context, rec audit.Record) error {
	l, err := a.openLog()
	if err != nil {
		return err
	}
	defer l.Close() //nolint:errcheck // its writes are durable when they return
	if _, err := l.Append(ctx, rec); err != nil {
		return fmt.Errorf("nothing was changed, since it could not be recorded: %w", err)
	}
	return nil
}

// packRecord says whom an id belongs to from now on, or does not any more.
func packRecord(o pack.Owner, removed bool) (audit.Record, error) {
	r, err := audit.New(audit.PackBody{Folder: audit.Text(o.Folder), Digest: o.Digest, Version: audit.Text(o.Version),
		Signer: audit.Text(o.Signer), Source: audit.Text(o.Source), Removed: removed})
	r.ID, r.Principal, r.Pack = audit.NewID("p"), operator(), o.ID
	return r, err
}
