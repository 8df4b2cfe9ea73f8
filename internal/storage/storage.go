// Package storage keeps what outlives sessions: values under keys, each in the
// versions that were committed, one space for each pack of each principal.
//
// A value is committed as a whole. Until then it is a draft, of which nobody else
// sees anything; a draft whose writer is gone is removed by the next one who opens
// the space.
//
// Invariants, each with the test that holds it:
//   - Who reads a key reads one whole version, whatever happens to the writer
//     (TestCrashAtEveryStep; TestF47FullDisk in test/escape).
//   - Nothing is committed before whoever records it has (TestRecordFails).
//   - Of two who commit, both versions are kept, the later one as what is current
//     (TestTwoWriters).
//   - A space holds no more keys, versions and bytes than its limits say. What makes
//     room are the oldest versions of the key that is written, and before them those
//     that the same session has replaced itself: whoever writes often takes from no
//     other key, and not what was there before (TestFlood, TestBounds).
//   - A key is a plain name, or names parted by slashes, as a capability has them
//     (TestKeys). No file of a space is called after one.
//
// Layer: beside the log. It decides nothing, and does not know who may what.
package storage

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"ambit.dev/ambit/internal/core/capability"
	"ambit.dev/ambit/internal/statefile"
)

// Owner says whose a space is. Pack is "" for all that a principal runs without one.
// Left says when its pack was removed: a pack that gets the id later is another owner.
type Owner struct {
	Principal string    `json:"principal"`
	Pack      string    `json:"pack,omitempty"`
	Left      time.Time `json:"left,omitzero"`
}

// Limits bound a space. A field that is 0 is that of Defaults.
type Limits struct {
	Value    int64 // bytes of one value
	Total    int64 // bytes of all versions of all values
	Keys     int
	Versions int // of each key, with the current one
}

// Defaults are the limits where nothing else was said.
func Defaults() Limits {
	return Limits{Value: 16 << 20, Total: 64 << 20, Keys: 512, Versions: 32}
}

func (l Limits) or(d Limits) Limits {
	if l.Total > 0 {
		d.Value = min(d.Value, l.Total)
	}
	for _, f := range []struct{ to, from *int64 }{{&d.Value, &l.Value}, {&d.Total, &l.Total}} {
		if *f.from > 0 {
			*f.to = *f.from
		}
	}
	for _, f := range []struct{ to, from *int }{{&d.Keys, &l.Keys}, {&d.Versions, &l.Versions}} {
		if *f.from > 0 {
			*f.to = *f.from
		}
	}
	return d
}

// A Version is what a key had from one commit to the next.
type Version struct {
	Number  int64     `json:"number"` // from 1 on, without a gap when it was made
	Digest  string    `json:"digest,omitempty"`
	Size    int64     `json:"size"`
	Time    time.Time `json:"time"`
	Session string    `json:"session,omitempty"` // "": a person
	Removed bool      `json:"removed,omitempty"` // from here on there was nothing
}

// A Value is a key with its versions, oldest first. The last one is what is current.
type Value struct {
	Key      string    `json:"key"`
	Versions []Version `json:"versions"`
}

// Current is the version that is read; false where there is none.
func (v Value) Current() (Version, bool) {
	if len(v.Versions) == 0 || v.Versions[len(v.Versions)-1].Removed {
		return Version{}, false
	}
	return v.Versions[len(v.Versions)-1], true
}

// Find finds a version by its number.
func (v Value) Find(number int64) (Version, bool) {
	for _, ver := range v.Versions {
		if ver.Number == number {
			return ver, true
		}
	}
	return Version{}, false
}

// Errors by which callers tell what a commit came to.
var (
	ErrFull  = errors.New("the limit of what is stored is reached")
	ErrLarge = errors.New("it is larger than a stored value may be")
	// ErrFolder says that values lie beneath the key.
	ErrFolder = errors.New("other values lie beneath that key")
	// ErrBeneath says that a key above is a value.
	ErrBeneath = errors.New("a key above it is a value")
)

// maxKey bounds a key. Each of its names is bounded by the vocabulary.
const maxKey = 512

// CheckKey refuses what is no key.
func CheckKey(key string) error {
	c, err := capability.Parse(string(capability.StorageRead) + ":" + key)
	switch {
	case len(key) > maxKey:
		return fmt.Errorf("a key has at most %d bytes", maxKey)
	case err != nil:
		return fmt.Errorf("%s is no key: %w", capability.Printable(key), err)
	case c.Scope() != key || key == "*":
		return fmt.Errorf("%s names many keys, not one", capability.Printable(key))
	}
	return nil
}

// A Space is what one owner has stored. It may be used by several goroutines, and
// by several processes at once.
type Space struct {
	dir    string
	owner  Owner
	limits Limits
	at     os.FileInfo // the folder; another one may get its name
}

// Names in the folder of a space.
const (
	ownerFile  = "owner.json"
	keysDir    = "keys"
	contentDir = "content"
	draftsDir  = "drafts"
)

// folderOf is the name of an owner's space.
func folderOf(o Owner) string {
	text := o.Principal + "\x00" + o.Pack
	if !o.Left.IsZero() {
		text += "\x00" + o.Left.UTC().Format(time.RFC3339Nano)
	}
	return hash(text)
}

func hash(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:16])
}

// Open opens the space of an owner beneath a folder, making both where they are not
// there, and removes the drafts of writers that are gone.
func Open(root string, o Owner, l Limits) (*Space, error) {
	s := &Space{dir: filepath.Join(root, folderOf(o)), owner: o, limits: l.or(Defaults())}
	for _, d := range []string{keysDir, contentDir, draftsDir} {
		if err := os.MkdirAll(filepath.Join(s.dir, d), 0o700); err != nil {
			return nil, fmt.Errorf("open what is stored: %w", err)
		}
	}
	var err error
	if s.at, err = os.Lstat(s.dir); err != nil {
		return nil, fmt.Errorf("open what is stored: %w", err)
	}
	unlock, err := s.lock()
	if err != nil {
		return nil, err
	}
	defer unlock()
	// The folder's name says whose it is; the file, which is for lists, may be from
	// before it was given to somebody else.
	known, err := readOwner(s.dir)
	if errors.Is(err, fs.ErrNotExist) || err == nil && known != o {
		err = statefile.Replace(filepath.Join(s.dir, ownerFile), o)
	}
	if err == nil {
		err = s.sweepDrafts()
	}
	if err != nil {
		return nil, fmt.Errorf("open what is stored: %w", err)
	}
	return s, nil
}

// Find is Open for a space that is there; fs.ErrNotExist where it is not.
func Find(root string, o Owner) (*Space, error) {
	if _, err := readOwner(filepath.Join(root, folderOf(o))); err != nil {
		return nil, err
	}
	return Open(root, o, Limits{})
}

// All are the owners of the spaces beneath a folder.
func All(root string) (all []Owner, err error) {
	entries, err := os.ReadDir(root)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("look at what is stored: %w", err)
	}
	for _, e := range entries {
		o, err := readOwner(filepath.Join(root, e.Name()))
		if errors.Is(err, fs.ErrNotExist) {
			continue // it is being made, or removed
		}
		if err != nil {
			return nil, fmt.Errorf("look at what is stored: %w", err)
		}
		if folderOf(o) == e.Name() {
			all = append(all, o)
		}
	}
	return all, nil
}

func readOwner(dir string) (o Owner, err error) {
	text, err := statefile.Read(filepath.Join(dir, ownerFile))
	if err != nil {
		return o, err
	}
	return o, statefile.Decode(text, &o)
}

// Owner says whose it is.
func (s *Space) Owner() Owner { return s.owner }

// Limits are its bounds.
func (s *Space) Limits() Limits { return s.limits }

// lock waits until nobody else changes the space.
func (s *Space) lock() (unlock func(), err error) {
	unlock, err = statefile.Lock(filepath.Join(s.dir, "space"))
	if err != nil {
		return nil, fmt.Errorf("lock what is stored: %w", err)
	}
	if now, err := os.Lstat(s.dir); err != nil || !os.SameFile(now, s.at) {
		unlock()
		return nil, errors.Join(errors.New("what was stored there belongs to somebody else now"), err)
	}
	return unlock, nil
}

// Remove removes a space with all that is in it. Whoever has it open can commit
// nothing more.
func (s *Space) Remove() error {
	gone := s.dir + ".gone-" + hash(time.Now().String())
	if err := os.Rename(s.dir, gone); err != nil {
		return fmt.Errorf("remove what is stored: %w", err)
	}
	return os.RemoveAll(gone)
}

// Give gives a space to another owner, who must have none.
func (s *Space) Give(o Owner) error {
	unlock, err := s.lock()
	if err != nil {
		return err
	}
	defer unlock()
	to := filepath.Join(filepath.Dir(s.dir), folderOf(o))
	if _, err := readOwner(to); !errors.Is(err, fs.ErrNotExist) {
		return errors.Join(fmt.Errorf("%s has something stored already", capability.Printable(o.Pack)), err)
	}
	if err := os.RemoveAll(to); err != nil { // what was being made
		return err
	}
	if err := os.Rename(s.dir, to); err != nil {
		return fmt.Errorf("give what is stored to another one: %w", err)
	}
	if err := statefile.Replace(filepath.Join(to, ownerFile), o); err != nil {
		return errors.Join(err, os.Rename(to, s.dir))
	}
	return statefile.SyncDir(filepath.Dir(to))
}

// beneath reports whether a key lies beneath another one.
func beneath(key, of string) bool {
	rest, ok := strings.CutPrefix(key, of)
	return ok && len(rest) > 0 && rest[0] == '/'
}
