// Package database keeps the files of a store in SQLite, for launchers that ask
// by a socket each: it is what ambit-store is made of. What is kept, and the
// invariants of it, are said in package store.
//
// Each request is one transaction at most, and done before it is answered. When
// a launcher is gone, what it asked for is given up or was done as a whole.
//
// Layer: above store, beneath nothing but ambit-store.
package database

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"

	_ "modernc.org/sqlite" // the driver "sqlite"

	"ambit.dev/ambit/internal/core/grant"
	"ambit.dev/ambit/internal/store"
)

// grantsFile is an open store of grants.
type grantsFile struct {
	*file
	before string // fingerprint when it was opened

	found []grant.Grant // what stood in it when it was read
	asked bool          // it was read
}

// listFile is an open list of sessions and questions.
type listFile struct{ *file }

func openGrants(path string, create bool) (*grantsFile, error) {
	before := store.Fingerprint(path)
	f, err := open(path, grants, create)
	if err != nil {
		return nil, err
	}
	return &grantsFile{file: f, before: before}, nil
}

// Close ends the use of the store, and leaves what was read of it for others if
// nothing has changed since it was opened.
func (s *grantsFile) Close() error {
	err := s.file.Close()
	if s.asked && store.Fingerprint(s.path) == s.before {
		store.Leave(s.path, s.before, s.found)
	}
	return err
}

func openList(ctx context.Context, path string, create bool) (*listFile, error) {
	f, err := open(path, sessions, create)
	if err != nil {
		return nil, err
	}
	l := &listFile{f}
	if err := l.takeIn(ctx); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return l, nil
}

// file is an open SQLite file. Both kinds have a rollback journal, not a
// write-ahead log: a launch reads a little and ends, and would make, sync and
// remove that log each time.
type file struct {
	db   *sql.DB
	path string
	kind kind
}

func open(path string, k kind, make bool) (*file, error) {
	c, err := store.Inspect(path, k.Format)
	if make && errors.Is(err, os.ErrNotExist) {
		if err = create(path, k); err == nil || errors.Is(err, os.ErrExist) {
			c, err = store.Inspect(path, k.Format)
		}
	}
	if err != nil {
		return nil, err
	}
	db, err := connect(path, k)
	if err != nil {
		return nil, err
	}
	f := &file{db: db, path: path, kind: k}
	if c.Version < len(k.schema) {
		if err := f.migrate(); err != nil {
			return nil, errors.Join(err, db.Close())
		}
	}
	return f, nil
}

// connect opens the file, which must exist. One connection is enough for a
// process, and spares a second reading of the schema.
func connect(path string, k kind) (*sql.DB, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	name := (&url.URL{Scheme: "file", Path: abs}).String()
	name += fmt.Sprintf("?mode=rw&_txlock=immediate&_pragma=busy_timeout(%d)&_pragma=temp_store(memory)&_pragma=synchronous(%s)", outside.Milliseconds(), k.synchronous)
	db, err := sql.Open("sqlite", name)
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	return db, nil
}

// create makes an empty store beside path and links it there. That fails with
// os.ErrExist if another process was faster, whose file is as good.
func create(path string, k kind) (err error) {
	temp := path + ".new-" + rand.Text()[:8]
	f, err := os.OpenFile(temp, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close(), os.Remove(temp)) }()
	if err := fill(temp, k); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if err := os.Link(temp, path); err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	defer dir.Close()
	return dir.Sync()
}

// fill makes an empty file a store.
func fill(path string, k kind) (err error) {
	db, err := connect(path, k)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	for _, q := range []string{
		fmt.Sprintf("PRAGMA page_size=%d", store.PageSize),
		fmt.Sprintf("PRAGMA application_id=%d", k.ApplicationID),
	} {
		if _, err := db.Exec(q); err != nil {
			return err
		}
	}
	f := &file{db: db, path: path, kind: k}
	return f.write(context.Background(), f.step) //nolint:forbidigo // nobody else has this file yet
}

// Close ends the use of the file.
func (f *file) Close() error { return f.db.Close() }

// write runs do in a transaction that nobody else writes beside.
func (f *file) write(ctx context.Context, do func(tx *sql.Tx) error) error {
	tx, err := f.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() //nolint:errcheck // after a commit there is nothing to undo, and otherwise an error to return
	if err := f.current(ctx, tx); err != nil {
		return err
	}
	if err := do(tx); err != nil {
		return err
	}
	return tx.Commit()
}

// current refuses what a newer ambit has changed, before or since s was opened.
func (f *file) current(ctx context.Context, q interface {
	QueryRowContext(context.Context, string, ...any) *sql.Row
}) error {
	var version int
	if err := q.QueryRowContext(ctx, "PRAGMA user_version").Scan(&version); err != nil {
		return err
	}
	if version > len(f.kind.schema) {
		return f.kind.Newer(version)
	}
	return nil
}
