// Package vault keeps secrets: each with its binding, all in one file that is
// encrypted with age (X25519) to an identity beside it.
//
// It knows nothing of who may use a secret; that is decided before it is asked
// for a value.
//
// Invariants:
//
//   - A value is in the clear only in the memory of who asked for it. No error,
//     and nothing else that this package returns, has any of one in it.
//   - The file is whole, the old one or the new one, whatever stops a writer
//     (TestKilledWriter); of two writers at once both changes are there
//     (TestWriters).
//   - What cannot be read, decrypted and understood as a whole is an error, never
//     an empty vault, and is never written over.
//   - The identity and the file are the user's alone; what others may read or
//     write is refused.
//
// Layer: it imports internal/core only.
package vault

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"filippo.io/age"

	"ambit.dev/ambit/internal/core/binding"
)

// ErrNotFound says that there is no secret of that name.
var ErrNotFound = errors.New("there is no such secret")

// Entry is what may be known of a secret: all but its value.
type Entry struct {
	Name    string          `json:"name"`
	Binding binding.Binding `json:"binding"`
	Created time.Time       `json:"created"`
	Changed time.Time       `json:"changed"`
}

// Vault is the secrets in a folder. It is safe for use by any number of
// goroutines and processes.
type Vault struct {
	dir string
	now func() time.Time

	mu    sync.Mutex
	key   *age.X25519Identity // guarded by mu; nil before it was read
	keyOf []byte              // guarded by mu; the file that key was made of
}

// In is the vault in a folder, which need not be there yet. Nothing is read or
// made before it is used.
func In(dir string, now func() time.Time) *Vault { return &Vault{dir: dir, now: now} }

// List returns what there is, by name.
func (v *Vault) List() ([]Entry, error) {
	all, err := v.read()
	if err != nil {
		return nil, err
	}
	var entries []Entry
	for _, r := range all {
		entries = append(entries, r.Entry)
	}
	return entries, nil
}

// Entry returns what may be known of one secret.
func (v *Vault) Entry(name string) (Entry, error) {
	e, _, err := v.Value(name)
	return e, err
}

// Value returns a secret, as it is now.
//
// Security: the caller has had it decided, just now, that this may be.
func (v *Vault) Value(name string) (Entry, binding.Value, error) {
	all, err := v.read()
	if err != nil {
		return Entry{}, binding.Value{}, err
	}
	i, ok := find(all, name)
	if !ok {
		return Entry{}, binding.Value{}, fmt.Errorf("%s: %w", name, ErrNotFound)
	}
	return all[i].Entry, all[i].value, nil
}

// Set puts a secret in the place of one of that name, if there is one.
func (v *Vault) Set(name string, b binding.Binding, value binding.Value) error {
	if err := errors.Join(binding.Name(name), b.Check()); err != nil {
		return err
	}
	now := v.now().UTC()
	return v.change(func(all []secret) ([]secret, error) {
		s := secret{Entry{Name: name, Binding: b, Created: now, Changed: now}, value}
		i, ok := find(all, name)
		if !ok {
			return slices.Insert(all, i, s), nil
		}
		s.Created = all[i].Created
		all[i] = s
		return all, nil
	})
}

// Remove takes a secret out.
func (v *Vault) Remove(name string) error {
	return v.change(func(all []secret) ([]secret, error) {
		i, ok := find(all, name)
		if !ok {
			return nil, fmt.Errorf("%s: %w", name, ErrNotFound)
		}
		return slices.Delete(all, i, i+1), nil
	})
}

// find returns where a name is, or where it would go.
func find(all []secret, name string) (int, bool) {
	return slices.BinarySearchFunc(all, name, func(s secret, name string) int { return strings.Compare(s.Name, name) })
}

// read returns all secrets. No file is no secrets. It takes no lock: a file is
// replaced whole.
func (v *Vault) read() ([]secret, error) {
	all, err := v.load()
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the vault %s: %w", v.dir, err)
	}
	return all, nil
}

func (v *Vault) load() ([]secret, error) {
	sealed, err := readPrivate(filepath.Join(v.dir, secretsFile), maxFile)
	if err != nil {
		return nil, err
	}
	id, err := v.identity()
	if err != nil {
		return nil, err
	}
	text, err := open(sealed, id)
	if err != nil {
		return nil, err
	}
	return parse(text)
}

// change replaces the file by what do makes of it, while nobody else does.
func (v *Vault) change(do func([]secret) ([]secret, error)) (err error) {
	if err := os.MkdirAll(v.dir, 0o700); err != nil {
		return fmt.Errorf("make the vault: %w", err)
	}
	unlock, err := lock(filepath.Join(v.dir, lockFile))
	if err != nil {
		return fmt.Errorf("lock the vault: %w", err)
	}
	defer unlock()
	all, err := v.read()
	if err != nil {
		return err
	}
	if all, err = do(all); err != nil {
		return err
	}
	if err := v.store(all); err != nil {
		return fmt.Errorf("write the vault %s: %w", v.dir, err)
	}
	return nil
}

func (v *Vault) store(all []secret) error {
	id, err := v.identity()
	if errors.Is(err, errNoIdentity) {
		if _, serr := os.Lstat(filepath.Join(v.dir, secretsFile)); errors.Is(serr, fs.ErrNotExist) {
			id, err = v.newIdentity()
		}
	}
	if err != nil {
		return err
	}
	text, err := format(all)
	if err != nil {
		return err
	}
	sealed, err := seal(text, id)
	if err != nil {
		return err
	}
	return v.replace(secretsFile, sealed)
}
