// Package vault keeps secrets: each with its binding, all in one file that is
// encrypted with age (X25519) to an identity beside it.
//
// It knows nothing of who may use a secret; that is decided before it is asked
// for a value.
//
// Invariants:
//
//   - A value is in the clear only in the memory of who asked for it, and of the
//     process that decrypts, which keeps what it read while the files are the same
//     (TestChangedBetween). No error, and nothing else that this package returns,
//     has any of one in it.
//   - The file is whole, the old one or the new one, whatever stops a writer
//     (TestKilledWriter); of two writers at once both changes are there
//     (TestWriters).
//   - What cannot be read, decrypted and understood as a whole is an error, never
//     an empty vault, and is never written over.
//   - The identity and the file are the user's alone; what others may read or
//     write is refused.
//
// It is linked into ambit-vault alone, which others ask by internal/vault/wire.
//
// Layer: it imports internal/core, and what those questions are made of.
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
	"ambit.dev/ambit/internal/vault/wire"
)

// ErrNotFound says that there is no secret of that name.
var ErrNotFound = wire.ErrNotFound

// Entry is what may be known of a secret: all but its value.
type Entry = wire.Entry

// Vault is the secrets in a folder. It is safe for use by any number of
// goroutines and processes.
type Vault struct {
	dir string
	now func() time.Time

	mu   sync.Mutex
	kept kept // guarded by mu; what was read last
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
	if err := errors.Join(binding.Name(name), b.Check(), b.Fits(value)); err != nil {
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

// read returns all secrets, which are not to be changed. No file is no secrets.
// It takes no lock: a file is replaced whole.
func (v *Vault) read() ([]secret, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.kept.current(v.dir) {
		return v.kept.all, nil
	}
	v.kept.drop()
	all, from, err := v.load()
	if err != nil {
		return nil, err
	}
	v.kept = kept{all, from}
	return all, nil
}

// load reads all secrets, and says which files they came from. Whoever does not
// keep them closes those.
func (v *Vault) load() (all []secret, from sources, err error) {
	all, from, err = v.decrypt()
	if errors.Is(err, fs.ErrNotExist) {
		return nil, sources{}, nil
	}
	if err != nil {
		return nil, sources{}, fmt.Errorf("read the vault %s: %w", v.dir, err)
	}
	return all, from, nil
}

func (v *Vault) decrypt() (all []secret, from sources, err error) {
	defer func() {
		if err != nil {
			from.close()
		}
	}()
	var sealed []byte
	if from.secrets, sealed, err = openPrivate(filepath.Join(v.dir, secretsFile), maxFile); err != nil {
		return nil, from, err
	}
	var id *age.X25519Identity
	if from.identity, id, err = v.identity(); err != nil {
		return nil, from, err
	}
	text, err := open(sealed, id)
	if err != nil {
		return nil, from, err
	}
	all, err = parse(text)
	return all, from, err
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
	all, from, err := v.load() // not what was kept, which is not to be changed
	if err != nil {
		return err
	}
	from.close()
	if all, err = do(all); err != nil {
		return err
	}
	if err := v.store(all); err != nil {
		return fmt.Errorf("write the vault %s: %w", v.dir, err)
	}
	return nil
}

func (v *Vault) store(all []secret) error {
	from, id, err := v.identity()
	from.close()
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
