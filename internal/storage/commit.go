package storage

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"ambit.dev/ambit/internal/statefile"
)

// By says who commits, and when.
type By struct {
	Session string // "": a person
	Now     time.Time
	// Record is told of each commit before it is one: an error keeps it from being one.
	Record func(Commit) error
}

// A Commit is what is about to become a key's current version.
type Commit struct {
	Key string
	Version
	// Base is the version that the writer began with, and Was the one that it
	// replaces: another one, where somebody else has committed meanwhile.
	Base, Was int64
	Restored  int64 // the version whose content it is, in a restore
}

// Commit makes the draft the current version, in one step, and ends it. What is
// equal to what is current is no new version; then changed is false.
//
// Security: the content is on the disk before the record, and the record before the
// one rename by which readers get another version. Whatever fails or dies in between
// leaves the version that was there.
func (d *Draft) Commit(by By) (v Version, changed bool, err error) {
	defer func() { err = errors.Join(err, d.Drop()) }()
	if err := d.sync(); err != nil {
		return v, false, fmt.Errorf("commit the stored value %s: %w", d.key, err)
	}
	v = Version{Size: d.size, Session: by.Session, Time: by.Now.UTC()}
	if v.Digest, err = d.digest(); err != nil {
		return v, false, fmt.Errorf("commit the stored value %s: %w", d.key, err)
	}
	unlock, err := d.space.lock()
	if err != nil {
		return v, false, err
	}
	defer unlock()
	return d.space.put(Commit{Key: d.key, Version: v, Base: d.base}, d.file.Name(), by)
}

// Delete commits that there is nothing under a key; fs.ErrNotExist where there is
// nothing. The versions before it stay.
func (s *Space) Delete(key string, by By) (v Version, err error) {
	unlock, err := s.lock()
	if err != nil {
		return v, err
	}
	defer unlock()
	now, err := s.Get(key)
	if err != nil {
		return v, err
	}
	was, ok := now.Current()
	if !ok {
		return v, fmt.Errorf("remove the stored value %s: %w", key, fs.ErrNotExist)
	}
	v, _, err = s.put(Commit{Key: key, Base: was.Number, Version: Version{Removed: true, Session: by.Session, Time: by.Now.UTC()}}, "", by)
	return v, err
}

// Restore commits what a version had, once more.
func (s *Space) Restore(key string, number int64, by By) (v Version, changed bool, err error) {
	unlock, err := s.lock()
	if err != nil {
		return v, false, err
	}
	defer unlock()
	now, err := s.Get(key)
	if err != nil {
		return v, false, err
	}
	old, ok := now.Find(number)
	if !ok || old.Removed {
		return v, false, fmt.Errorf("%s has no version %d that could be restored: %w", key, number, fs.ErrNotExist)
	}
	v = Version{Digest: old.Digest, Size: old.Size, Session: by.Session, Time: by.Now.UTC()}
	was, _ := now.Current()
	return s.put(Commit{Key: key, Version: v, Base: was.Number, Restored: number}, "", by)
}

// Forget removes a key with all its versions.
func (s *Space) Forget(key string) error {
	unlock, err := s.lock()
	if err != nil {
		return err
	}
	defer unlock()
	if _, err := s.Get(key); err != nil {
		return err
	}
	if err := os.Remove(s.keyFile(key)); err != nil {
		return fmt.Errorf("forget the stored value %s: %w", key, err)
	}
	return errors.Join(statefile.SyncDir(filepath.Join(s.dir, keysDir)), os.RemoveAll(s.contents(key)))
}

// put is every commit. The space is locked. from is the file with the content, ""
// where a version has it already, or there is none.
func (s *Space) put(c Commit, from string, by By) (Version, bool, error) {
	all, err := s.List()
	if err != nil {
		return c.Version, false, err
	}
	now, err := s.Get(c.Key)
	if errors.Is(err, fs.ErrNotExist) {
		now = Value{Key: c.Key}
	} else if err != nil {
		return c.Version, false, err
	}
	if was, ok := now.Current(); ok {
		if c.Was = was.Number; !c.Removed && was.Digest == c.Digest {
			return was, false, nil
		}
	}
	c.Number = 1
	if n := len(now.Versions); n > 0 {
		c.Number = now.Versions[n-1].Number + 1
	}
	if now, err = s.fit(all, c.Key, c.Version); err != nil {
		return c.Version, false, fmt.Errorf("commit the stored value %s: %w", c.Key, err)
	}
	if err := s.place(c, from); err != nil {
		return c.Version, false, errors.Join(fmt.Errorf("commit the stored value %s: %w", c.Key, err), s.sweep(c.Key))
	}
	if by.Record != nil {
		if err := by.Record(c); err != nil {
			return c.Version, false, errors.Join(fmt.Errorf("the stored value %s was not changed, since it could not be recorded: %w", c.Key, err), s.sweep(c.Key))
		}
	}
	if err := statefile.Replace(s.keyFile(c.Key), now); err != nil {
		return c.Version, false, errors.Join(fmt.Errorf("commit the stored value %s: %w", c.Key, err), s.sweep(c.Key))
	}
	return c.Version, true, s.sweep(c.Key)
}

// place puts a content to where versions lie.
func (s *Space) place(c Commit, from string) error {
	if from == "" {
		return nil
	}
	to, err := s.content(c.Key, c.Digest)
	if err != nil {
		return err
	}
	dir := s.contents(c.Key)
	switch err := os.Mkdir(dir, 0o700); {
	case err == nil:
		if err := statefile.SyncDir(filepath.Dir(dir)); err != nil {
			return err
		}
	case !errors.Is(err, fs.ErrExist):
		return err
	}
	if err := os.Rename(from, to); err != nil {
		return err
	}
	return statefile.SyncDir(dir)
}

// sweep removes contents of a key that no version has. The space is locked.
func (s *Space) sweep(key string) error {
	v, err := s.Get(key)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	dir := s.contents(key)
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, e := range entries {
		has := func(ver Version) bool { return ver.Digest == digestPrefix+e.Name() }
		if slices.ContainsFunc(v.Versions, has) {
			continue
		}
		if err := os.Remove(filepath.Join(dir, e.Name())); err != nil {
			return err
		}
	}
	return nil
}

// fit is the value of a key with one version more, and as many of the old ones as
// there is room for.
func (s *Space) fit(all []Value, key string, add Version) (Value, error) {
	v := Value{Key: key}
	others, keys := int64(0), 0
	for _, o := range all {
		if o.Key == key {
			v.Versions = slices.Clone(o.Versions)
			continue
		}
		others += o.Bytes()
		keys++
		if _, ok := o.Current(); !ok || add.Removed {
			continue
		}
		if beneath(o.Key, key) {
			return v, ErrFolder
		}
		if beneath(key, o.Key) {
			return v, ErrBeneath
		}
	}
	if add.Size > s.limits.Value {
		return v, ErrLarge
	}
	if len(v.Versions) == 0 && keys >= s.limits.Keys {
		return v, ErrFull
	}
	v.Versions = append(v.Versions, add)
	for len(v.Versions) > s.limits.Versions {
		v.Versions = without(v.Versions)
	}
	for !add.Removed && others+v.Bytes() > s.limits.Total {
		if len(v.Versions) == 1 {
			return v, ErrFull
		}
		v.Versions = without(v.Versions)
	}
	return v, nil
}

// without leaves out one old version: the oldest of those that the session which
// made them replaced itself, else the oldest.
func without(all []Version) []Version {
	last := len(all) - 1
	for i := range last {
		if all[i].Session != "" && all[i].Session == all[i+1].Session {
			return slices.Delete(all, i, i+1)
		}
	}
	return all[1:]
}
