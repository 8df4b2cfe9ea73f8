package database

import (
	"context"
	"database/sql"
	"fmt"

	"ambit.dev/ambit/internal/store"
)

// kind is what a file is for.
type kind struct {
	store.Format
	synchronous string
	// schema is what makes each version out of the one before; the number of its
	// steps is the version of a file. Times are nanoseconds since 1970, NULL for
	// the zero time. What is read is checked again in Go.
	schema []string
}

var grants = kind{Format: store.GrantsFormat, synchronous: "full", schema: []string{`
CREATE TABLE grants (
	id         TEXT NOT NULL PRIMARY KEY CHECK (id <> ''),
	principal  TEXT NOT NULL,
	pack       TEXT NOT NULL,
	digest     TEXT NOT NULL,
	capability TEXT NOT NULL CHECK (capability <> ''),
	outcome    TEXT NOT NULL CHECK (outcome IN ('deny', 'allow')),
	span       TEXT NOT NULL CHECK (span IN ('once', 'session', 'until', 'always')),
	until      INTEGER,
	session    TEXT NOT NULL,
	origin     TEXT NOT NULL,
	reason     TEXT NOT NULL,
	created    INTEGER,
	revoked    INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX standing ON grants (principal, pack) WHERE revoked IS NULL;
`}}

// The list of sessions is for people to look at; the log tells of them for
// certain. It is not worth a wait for the disk at the end of each session. The
// questions of sessions lie there too: they are over when the machine stops.
var sessions = kind{Format: store.ListFormat, synchronous: "off", schema: []string{`
CREATE TABLE sessions (
	id         TEXT NOT NULL PRIMARY KEY CHECK (id <> ''),
	principal  TEXT NOT NULL,
	pack       TEXT NOT NULL,
	digest     TEXT NOT NULL,
	program    BLOB NOT NULL,
	pid        INTEGER NOT NULL,
	process    TEXT NOT NULL,
	tier       TEXT NOT NULL,
	started    INTEGER,
	ended      INTEGER,
	status     TEXT NOT NULL
) STRICT, WITHOUT ROWID;
`, `
CREATE TABLE approvals (
	id          TEXT NOT NULL PRIMARY KEY CHECK (id <> ''),
	session     TEXT NOT NULL,
	principal   TEXT NOT NULL,
	pack        TEXT NOT NULL,
	digest      TEXT NOT NULL,
	program     BLOB NOT NULL,
	pid         INTEGER NOT NULL,
	argv        BLOB NOT NULL,
	capability  TEXT NOT NULL CHECK (capability <> ''),
	reason      TEXT NOT NULL,
	sensitive   TEXT NOT NULL,
	offers      TEXT NOT NULL,
	asked       INTEGER NOT NULL,
	expires     INTEGER NOT NULL,
	keeper      INTEGER NOT NULL,
	process     TEXT NOT NULL,
	outcome     TEXT CHECK (outcome IN ('deny', 'allow')),
	scope       TEXT,
	span        TEXT CHECK (span IN ('once', 'session', 'until', 'always')),
	until       INTEGER,
	answered_by TEXT,
	closed      INTEGER,
	closed_text TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX waiting ON approvals (asked) WHERE closed IS NULL;
`}}

// migrate brings the store to the present version.
func (f *file) migrate() error {
	return f.change(context.Background(), f.step) //nolint:forbidigo // Open has no context; patience and the busy timeout bound it
}

// step makes the steps that are missing.
func (f *file) step(tx *sql.Tx) error {
	var version int
	if err := tx.QueryRow("PRAGMA user_version").Scan(&version); err != nil {
		return err
	}
	for i := version; i < len(f.kind.schema); i++ {
		if _, err := tx.Exec(f.kind.schema[i]); err != nil {
			return fmt.Errorf("version %d: %w", i+1, err)
		}
	}
	_, err := tx.Exec(fmt.Sprintf("PRAGMA user_version=%d", len(f.kind.schema)))
	return err
}
