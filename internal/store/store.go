// Package store keeps what has to be looked up: grants, in a Store, and the
// sessions that run or ran with the questions that they put, in a List. Each is
// an SQLite file, used by any number of processes at once.
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
//   - A change of grants has returned when it is on the disk (a rollback journal,
//     synchronous=FULL). A change of the list survives the end of the process.
//   - Nothing is deleted; a grant is revoked, a session ended and a question
//     answered and closed, each once.
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
	"sync"

	_ "modernc.org/sqlite" // the driver "sqlite"
)

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

// Store is an open store of grants. It is safe for use by many goroutines.
type Store struct {
	*file
	before string   // fingerprint when it was opened
	look   *os.File // the same file, to see whether it has changed

	mu    sync.Mutex
	found []row // guarded by mu: what was read of it
	asked bool  // guarded by mu: it was read
	memo  memo  // guarded by mu
}

// List is an open list of sessions and questions. It is safe for use by many goroutines.
type List struct{ *file }

// Open opens the store at path, and makes it if there is no file. The folder
// must be there.
//
// Security: whoever can write the file can grant; one that others may write is
// refused.
func Open(path string) (*Store, error) {
	before := Fingerprint(path)
	f, err := open(path, grants)
	if err != nil {
		return nil, fmt.Errorf("open store %q: %w", path, err)
	}
	look, err := os.Open(path)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open store %q: %w", path, err), f.Close())
	}
	return &Store{file: f, before: before, look: look}, nil
}

// Close ends the use of the store, and leaves what was read of it for others.
func (s *Store) Close() error {
	err := s.file.Close()
	s.look.Close()
	s.leave()
	return err
}

// OpenList opens the list at path, and makes it if there is no file. The folder
// must be there.
func OpenList(path string) (*List, error) {
	f, err := open(path, sessions)
	if err != nil {
		return nil, fmt.Errorf("open list of sessions %q: %w", path, err)
	}
	l := &List{f}
	//nolint:forbidigo // as in migrate
	if err := l.TakeIn(context.Background()); err != nil {
		return nil, errors.Join(fmt.Errorf("open list of sessions %q: %w", path, err), f.Close())
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

func open(path string, k kind) (*file, error) {
	c, err := inspect(path, k)
	if errors.Is(err, os.ErrNotExist) {
		if err = create(path, k); err == nil || errors.Is(err, os.ErrExist) {
			c, err = inspect(path, k)
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
	if c.version < len(k.schema) {
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
	db, err := sql.Open("sqlite", name+"?mode=rw&_txlock=immediate&_pragma=busy_timeout(10000)&_pragma=synchronous("+k.synchronous+")")
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	return db, nil
}

// content is what can be told of a file by its first bytes.
type content struct {
	version int
	print   string // see fingerprint
}

// inspect looks at the first bytes of the file, before SQLite does: it takes an empty
// file for a new database, and a foreign one for one that lacks our tables.
func inspect(path string, k kind) (c content, err error) {
	f, err := os.Open(path)
	if err != nil {
		return c, err
	}
	defer f.Close()
	info, err := f.Stat()
	switch {
	case err != nil:
		return c, err
	case !info.Mode().IsRegular():
		return c, errors.New("it is not a file")
	case info.Mode().Perm()&0o022 != 0:
		return c, fmt.Errorf("others may write it (mode %#o); chmod 600 it if nobody has", info.Mode().Perm())
	}
	const advice = "; move it away to start with no grants, or put a copy back"
	var header [100]byte // sqlite.org/fileformat.html, 1.3
	if _, err := io.ReadFull(f, header[:]); errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return c, errors.New("it is empty or cut off" + advice)
	} else if err != nil {
		return c, err
	}
	if string(header[:16]) != "SQLite format 3\x00" || binary.BigEndian.Uint32(header[68:]) != k.applicationID {
		return c, errors.New("it was not written by ambit" + advice)
	}
	if info.Size()%pageSize != 0 {
		return c, errors.New("it is cut off" + advice)
	}
	c = content{int(binary.BigEndian.Uint32(header[60:])), printOf(header, info)}
	if c.version > len(k.schema) {
		return content{}, k.newer(c.version)
	}
	return c, nil
}

func (k kind) newer(version int) error {
	return fmt.Errorf("it has version %d, this ambit knows %d: use a newer ambit", version, len(k.schema))
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
		fmt.Sprintf("PRAGMA page_size=%d", pageSize),
		fmt.Sprintf("PRAGMA application_id=%d", k.applicationID),
	} {
		if _, err := db.Exec(q); err != nil {
			return err
		}
	}
	return (&file{db: db, path: path, kind: k}).migrate()
}

// Close ends the use of the file.
func (f *file) Close() error { return f.db.Close() }

// change runs do in a transaction that nobody else writes beside.
func (f *file) change(ctx context.Context, do func(tx *sql.Tx) error) error {
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
		return f.kind.newer(version)
	}
	return nil
}
