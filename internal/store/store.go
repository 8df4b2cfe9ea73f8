// Package store keeps what has to be looked up: grants, and the sessions that
// run or ran. It is one SQLite file, used by any number of processes at once.
//
// It does not decide anything and is no evidence; that is the audit log, which
// knows nothing of this file.
//
// Invariants:
//
//   - A grant that cannot be read is an error, never skipped: a deny that went
//     missing would open what somebody closed.
//   - What is not a store (an empty, truncated or foreign file, or one of a newer
//     version) is an error that names the file. Only a file that is not there
//     is made, and it appears whole: made elsewhere, synced, then linked.
//   - A change has returned when it is on the disk (WAL, synchronous=FULL).
//   - Nothing is deleted; a grant is revoked and a session ended, each once.
//
// Layer: it imports internal/core only.
package store

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"

	_ "modernc.org/sqlite" // the driver "sqlite"
)

// applicationID marks our files among those of SQLite: "ambt".
const applicationID = 0x616d6274

// pageSize of the file. One page is one page of the page cache, so that a file
// that is not a multiple of it was cut, not caught while it grew.
const pageSize = 4096

// Errors worth telling apart.
var (
	ErrNotFound = errors.New("there is none in the store")
	ErrRevoked  = errors.New("it was revoked before")
	ErrEnded    = errors.New("it has ended before")
	ErrExists   = errors.New("one with this id is in the store already")
)

// Store is an open store. It is safe for use by many goroutines.
type Store struct {
	db   *sql.DB
	path string
}

// Open opens the store at path, and makes it if there is no file. The folder
// must be there.
//
// Security: whoever can write the file can grant; one that others may write is
// refused.
func Open(path string) (*Store, error) {
	s, err := open(path)
	if err != nil {
		return nil, fmt.Errorf("open store %q: %w", path, err)
	}
	return s, nil
}

func open(path string) (*Store, error) {
	version, err := inspect(path)
	if errors.Is(err, os.ErrNotExist) {
		if err = create(path); err == nil || errors.Is(err, os.ErrExist) {
			version, err = inspect(path)
		}
	}
	if err != nil {
		return nil, err
	}
	db, err := connect(path)
	if err != nil {
		return nil, err
	}
	s := &Store{db: db, path: path}
	if version < len(schema) {
		err = s.migrate()
	} else { // the write-ahead log may have a newer one
		err = current(context.Background(), db) //nolint:forbidigo // Open has no context; the busy timeout bounds it
	}
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return s, nil
}

// connect opens the file, which must exist. One connection is enough for a
// process, and spares a second reading of the schema.
func connect(path string) (*sql.DB, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	name := (&url.URL{Scheme: "file", Path: abs}).String()
	db, err := sql.Open("sqlite", name+"?mode=rw&_txlock=immediate&_pragma=busy_timeout(10000)&_pragma=synchronous(normal)")
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	return db, nil
}

// inspect looks at the first bytes of the file, before SQLite does: it takes an empty
// file for a new database, and a foreign one for one that lacks our tables.
// The version is that of the last checkpoint.
func inspect(path string) (version int, err error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	info, err := f.Stat()
	switch {
	case err != nil:
		return 0, err
	case !info.Mode().IsRegular():
		return 0, errors.New("it is not a file")
	case info.Mode().Perm()&0o022 != 0:
		return 0, fmt.Errorf("others may write it (mode %#o); chmod 600 it if nobody has", info.Mode().Perm())
	}
	const advice = "; move it away to start with no grants, or put a copy back"
	var header [100]byte // sqlite.org/fileformat.html, 1.3
	if _, err := io.ReadFull(f, header[:]); errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return 0, errors.New("it is empty or cut off" + advice)
	} else if err != nil {
		return 0, err
	}
	if string(header[:16]) != "SQLite format 3\x00" || binary.BigEndian.Uint32(header[68:]) != applicationID {
		return 0, errors.New("it was not written by ambit" + advice)
	}
	if info.Size()%pageSize != 0 {
		return 0, errors.New("it is cut off" + advice)
	}
	version = int(binary.BigEndian.Uint32(header[60:]))
	if version > len(schema) {
		return 0, newer(version)
	}
	return version, nil
}

func newer(version int) error {
	return fmt.Errorf("it has version %d, this ambit knows %d: use a newer ambit", version, len(schema))
}

// create makes an empty store beside path and links it there. That fails with
// os.ErrExist if another process was faster, whose file is as good.
func create(path string) (err error) {
	temp := path + ".new-" + rand.Text()[:8]
	f, err := os.OpenFile(temp, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close(), os.Remove(temp)) }()
	if err := fill(temp); err != nil {
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
func fill(path string) (err error) {
	db, err := connect(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }() // moves all of it from the write-ahead log to the file
	for _, q := range []string{
		fmt.Sprintf("PRAGMA page_size=%d", pageSize),
		"PRAGMA journal_mode=WAL",
		fmt.Sprintf("PRAGMA application_id=%d", applicationID),
	} {
		if _, err := db.Exec(q); err != nil {
			return err
		}
	}
	return (&Store{db: db, path: path}).migrate()
}

// Close ends the use of s.
func (s *Store) Close() error { return s.db.Close() }

// keep runs f in a transaction that is durable when it returns. It is for
// grants: what a person answered survives power loss.
func (s *Store) keep(ctx context.Context, f func(tx *sql.Tx) error) error {
	if _, err := s.db.ExecContext(ctx, "PRAGMA synchronous=full"); err != nil {
		return err
	}
	return s.change(ctx, f)
}

// change runs f in a transaction that nobody else writes beside. It survives
// the end of this process; the list of sessions needs no more, since the log
// is what tells of them for certain.
func (s *Store) change(ctx context.Context, f func(tx *sql.Tx) error) error {
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() //nolint:errcheck // after a commit there is nothing to undo, and otherwise an error to return
	if err := current(ctx, tx); err != nil {
		return err
	}
	if err := f(tx); err != nil {
		return err
	}
	return tx.Commit()
}

// current refuses what a newer ambit has changed, before or since s was opened.
func current(ctx context.Context, q interface {
	QueryRowContext(context.Context, string, ...any) *sql.Row
}) error {
	var version int
	if err := q.QueryRowContext(ctx, "PRAGMA user_version").Scan(&version); err != nil {
		return err
	}
	if version > len(schema) {
		return newer(version)
	}
	return nil
}
