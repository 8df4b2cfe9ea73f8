package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/audit"
	"ambit.dev/ambit/internal/core/capability"
	"ambit.dev/ambit/internal/core/decision"
	"ambit.dev/ambit/internal/core/grant"
	"ambit.dev/ambit/internal/enforce"
	"ambit.dev/ambit/internal/storage"
)

// storageFolder, in the state directory, has what outlives sessions.
const storageFolder = "storage"

func (a *app) storageDir() (string, error) {
	dir, err := a.state()
	return filepath.Join(dir, storageFolder), err
}

// A storing is what outlives sessions, as one session has it.
type storing struct {
	s     *prepared
	space *storage.Space
	asks  *toucher // nil: nobody is asked

	mu     sync.Mutex
	have   []capability.Capability // guarded by mu; granted, and not taken back since
	grants []grant.Grant           // guarded by mu; that stand now
	rights map[string]enforce.StoredRights
	left   float64 // guarded by mu; commits that may come at once
	at     time.Time
}

var _ enforce.Storer = (*storing)(nil)

// openStorage opens what is stored for whom a plan is.
func (s *prepared) openStorage(asks *toucher) (*storing, error) {
	dir, err := s.app.makeState()
	if err != nil {
		return nil, err
	}
	l := storage.Limits{Total: s.input.Limits.Storage, Versions: int(s.input.Limits.Versions)}
	space, err := storage.Open(filepath.Join(dir, storageFolder), storage.Owner{Principal: s.subject.Principal, Pack: s.subject.Pack}, l)
	if err != nil {
		return nil, err
	}
	v := &storing{s: s, space: space, asks: asks, grants: s.grants(), rights: map[string]enforce.StoredRights{}, left: commitsAtOnce, at: s.app.now()}
	for _, c := range s.input.Effective {
		if isStorage(c) {
			v.have = append(v.have, c)
		}
	}
	return v, nil
}

func isStorage(c capability.Capability) bool {
	return c.Kind() == capability.StorageRead || c.Kind() == capability.StorageWrite
}

// storedRight is the capability for exactly one key.
func storedRight(key string, write bool) (capability.Capability, error) {
	if err := storage.CheckKey(key); err != nil {
		return capability.Capability{}, err
	}
	k := capability.StorageRead
	if write {
		k = capability.StorageWrite
	}
	return capability.Parse(string(k) + ":" + key)
}

// Rights are what the session may do with one key now.
//
// Security: what was granted covers the very key, and nothing that stands now, policy
// or grant, denies it. What is no key has no rights.
func (v *storing) Rights(key string) enforce.StoredRights {
	v.mu.Lock()
	defer v.mu.Unlock()
	has, known := v.rights[key]
	if known {
		return has
	}
	has = enforce.StoredRights{Read: v.may(key, false), Write: v.may(key, true)}
	if len(v.rights) >= maxRights {
		clear(v.rights)
	}
	v.rights[key] = has
	return has
}

// maxRights bounds what is remembered of keys that a program names.
const maxRights = 4096

// may decides about one right. v.mu is held.
func (v *storing) may(key string, write bool) bool {
	c, err := storedRight(key, write)
	if err != nil || !capability.Covered(c, v.have) {
		return false
	}
	d := v.s.still(c, nil, v.grants)
	if d.Outcome == decision.Allow {
		return true
	}
	// A grant for once is used up, and this session is that once.
	return len(d.Reasons) == 1 && d.Reasons[0].Rule == decision.NotGranted
}

// changed is told of the grants that stand from now on.
func (v *storing) changed(grants []grant.Grant) {
	if v == nil {
		return
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.grants = grants
	clear(v.rights)
}

// lose is told of what is no longer granted.
func (v *storing) lose(c capability.Capability) {
	if v == nil || !isStorage(c) {
		return
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.have = slices.DeleteFunc(v.have, func(h capability.Capability) bool { return h == c })
	clear(v.rights)
}

// gain is told of what was granted after a question.
func (v *storing) gain(c capability.Capability, grants []grant.Grant) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.have, v.grants = append(v.have, c), grants
	clear(v.rights)
}

// Leading are the keys that are granted, or can be asked about.
func (v *storing) Leading() (keys []string) {
	v.mu.Lock()
	have := slices.Clone(v.have)
	v.mu.Unlock()
	if v.asks != nil && !v.s.manifest.Open {
		have = append(have, v.s.storageWants()...)
	}
	for _, c := range have {
		if c.Scope() != "*" {
			keys = append(keys, c.Scope())
		}
	}
	return keys
}

// storageWants are the rights to what is stored that a manifest declares.
func (s *prepared) storageWants() (all []capability.Capability) {
	for _, w := range s.manifest.Wants {
		if isStorage(w.Capability) {
			all = append(all, w.Capability)
		}
	}
	return all
}

// asksToStore are those that were not granted and can be asked about.
func (s *prepared) asksToStore(in enforce.Input) (all []capability.Capability) {
	if !in.Ask || s.flags.ask == askRule {
		return nil
	}
	return slices.DeleteFunc(s.storageWants(), func(c capability.Capability) bool { return capability.Covered(c, in.Effective) })
}

// Values are what there is now.
func (v *storing) Values() (all []enforce.StoredValue, err error) {
	values, err := v.space.List()
	for _, val := range values {
		if cur, ok := val.Current(); ok {
			all = append(all, enforce.StoredValue{Key: val.Key, Size: cur.Size, Time: cur.Time})
		}
	}
	return all, err
}

// Look is what a key has now.
func (v *storing) Look(key string) (enforce.StoredValue, error) {
	val, err := v.space.Get(key)
	if err != nil {
		return enforce.StoredValue{}, err
	}
	cur, ok := val.Current()
	if !ok {
		return enforce.StoredValue{}, fs.ErrNotExist
	}
	return enforce.StoredValue{Key: key, Size: cur.Size, Time: cur.Time}, nil
}

// Open opens what a key has now.
func (v *storing) Open(key string) (*os.File, enforce.StoredValue, error) {
	f, cur, err := v.space.Open(key)
	return f, enforce.StoredValue{Key: key, Size: cur.Size, Time: cur.Time}, err
}

// Room is how much is stored, where that is counted, and how much may be.
func (v *storing) Room(count bool) (used, most int64) {
	if count {
		all, _ := v.space.List() // where it cannot be read, nothing is told of it
		for _, val := range all {
			used += val.Bytes()
		}
	}
	return used, v.space.Limits().Total
}

// Remove commits that there is nothing under a key.
func (v *storing) Remove(key string) error {
	if err := v.pace(); err != nil {
		return err
	}
	_, err := v.space.Delete(key, v.by())
	return errnoOf(err)
}

// by is the session, whose commits are recorded before they are made.
func (v *storing) by() storage.By {
	return storage.By{Session: v.s.subject.Session, Now: v.s.app.now(), Record: func(c storage.Commit) error {
		rec, err := commitRecord(c)
		if err != nil {
			return err
		}
		rec.Session, rec.Principal, rec.Pack = v.s.subject.Session, v.s.subject.Principal, v.s.subject.Pack
		_, err = v.s.Append(context.Background(), rec) // what a program has closed is recorded, however its launcher is ended
		return err
	}}
}

// Commits of a session that may come at once, and how many more each second: each is
// a record, and a program must not fill the log.
const (
	commitsAtOnce   = 256
	commitsASecond  = 20
	commitsTooQuick = "too many versions in a short time"
)

// pace takes room for one commit.
func (v *storing) pace() error {
	v.mu.Lock()
	defer v.mu.Unlock()
	now := v.s.app.now()
	if since := now.Sub(v.at).Seconds(); since > 0 {
		v.left = min(commitsAtOnce, v.left+since*commitsASecond)
	}
	v.at = now
	if v.left < 1 {
		return fmt.Errorf("%s: %w", commitsTooQuick, unix.EAGAIN)
	}
	v.left--
	return nil
}

// Draft begins what is to be committed.
func (v *storing) Draft(key string, old bool) (enforce.StoredDraft, error) {
	d, err := v.space.Draft(key, old)
	if err != nil {
		return nil, errnoOf(err)
	}
	return storedDraft{d, v}, nil
}

type storedDraft struct {
	*storage.Draft
	v *storing
}

func (d storedDraft) WriteAt(b []byte, off int64) (int, error) {
	n, err := d.Draft.WriteAt(b, off)
	return n, errnoOf(err)
}

func (d storedDraft) Truncate(size int64) error { return errnoOf(d.Draft.Truncate(size)) }

// Seal is what a close finds; the room for the commit that follows is taken here.
func (d storedDraft) Seal() error {
	if err := d.v.pace(); err != nil {
		return err
	}
	return errnoOf(d.Draft.Seal())
}

func (d storedDraft) Commit() error {
	_, _, err := d.Draft.Commit(d.v.by())
	return errnoOf(err)
}

// errnoOf adds what a program hears to what went wrong.
func errnoOf(err error) error {
	for _, e := range []struct {
		is error
		no unix.Errno
	}{{storage.ErrFull, unix.EDQUOT}, {storage.ErrLarge, unix.EFBIG}, {storage.ErrFolder, unix.EISDIR}, {storage.ErrBeneath, unix.ENOTDIR}, {fs.ErrNotExist, unix.ENOENT}} {
		if errors.Is(err, e.is) {
			return fmt.Errorf("%w: %w", e.no, err)
		}
	}
	return err
}

// Lost tells of what was closed and could not be committed.
func (v *storing) Lost(key string, cause error) {
	printf(v.s.app.err, "ambit: what was written to the stored value %s is lost, what was there before stays: %s\n", capability.Printable(key), capability.Printable(cause.Error()))
}

// commitRecord tells of a commit.
func commitRecord(c storage.Commit) (audit.Record, error) {
	r, err := audit.New(audit.StoredBody{Key: audit.Text(c.Key), Version: c.Number, Digest: c.Digest, Size: c.Size, Base: c.Base, Was: c.Was, Restored: c.Restored, Removed: c.Removed})
	r.ID = audit.NewID("w")
	return r, err
}
