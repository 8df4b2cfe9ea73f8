package database

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// patience is how long somebody waits for their turn. Each change takes a few waits
// for the disk, so whoever waits that long waits for one that does not go on.
const patience = time.Minute

// How long SQLite looks again and again for its locks to be free: in a turn for those
// who read, and outside of it, where a read takes its turn then.
const (
	inTurn  = 10 * time.Second
	outside = 200 * time.Millisecond
)

// change runs do in a transaction that nobody else writes beside, in its turn.
func (f *file) change(ctx context.Context, do func(tx *sql.Tx) error) error {
	end, err := takeTurn(ctx, f.path)
	if err != nil {
		return err
	}
	defer end()
	if err := f.look(ctx, inTurn); err != nil {
		return err
	}
	return f.write(ctx, do)
}

// read runs do, which reads. Where others change the file without a break there is
// hardly a moment to read in, but in a turn there is nobody else.
func read[T any](ctx context.Context, f *file, do func() (T, error)) (all T, err error) {
	if err = f.look(ctx, outside); err == nil {
		all, err = do()
	}
	if !busy(err) {
		return all, err
	}
	end, err := takeTurn(ctx, f.path)
	if err != nil {
		return all, err
	}
	defer end()
	if err := f.look(ctx, inTurn); err != nil {
		return all, err
	}
	return do()
}

// look bounds how long SQLite looks for its locks. The first use opens the file, and
// finds them taken sooner.
func (f *file) look(ctx context.Context, most time.Duration) error {
	for end := time.Now().Add(most); ; {
		_, err := f.db.ExecContext(ctx, fmt.Sprintf("PRAGMA busy_timeout=%d", most.Milliseconds()))
		if !busy(err) || time.Now().After(end) {
			return err
		}
	}
}

// busy reports whether SQLite found its locks taken.
func busy(err error) bool {
	var e *sqlite.Error
	return errors.As(err, &e) && e.Code()&0xff == sqlite3.SQLITE_BUSY
}

// takeTurn waits until it is this process's turn to change the file at path, and
// returns what ends the turn. Left to SQLite's busy handler all who wait look again
// and again, none of them before another, and on a busy machine some never in time.
// The kernel keeps who waits for a flock(2) in their order, and ends the turn of a
// process that is gone.
//
// It is taken before SQLite's own locks and after every other one, the log's too: who
// has it waits for nobody but SQLite. It keeps nobody out: SQLite does that, of
// an older ambit as well.
//
// The lock is a file of its own, since to close the other would give SQLite's locks
// up (fcntl(2)), and each turn opens it anew, so that a wait which was given up can
// end later without taking the turn of another away.
func takeTurn(ctx context.Context, path string) (end func(), err error) {
	f, err := os.OpenFile(path+".turn", os.O_RDWR|os.O_CREATE|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, err
	}
	end = func() { _ = f.Close() } // which gives the lock up: this process has no children
	err = flock(f, syscall.LOCK_EX|syscall.LOCK_NB)
	if !errors.Is(err, syscall.EWOULDBLOCK) {
		return ended(end, err)
	}
	taken := make(chan error, 1)
	go func() { taken <- flock(f, syscall.LOCK_EX) }()
	enough := time.NewTimer(patience)
	defer enough.Stop()
	select {
	case err := <-taken:
		return ended(end, err)
	case <-ctx.Done():
		err = ctx.Err()
	case <-enough.C:
		err = fmt.Errorf("it is locked: another process has been changing it for %v", patience)
	}
	go func() {
		<-taken //nolint:errcheck // whatever it was, nobody has the turn after this
		end()
	}()
	return nil, err
}

// ended is end, or the error after it.
func ended(end func(), err error) (func(), error) {
	if err != nil {
		end()
		return nil, fmt.Errorf("wait for the turn to change it: %w", err)
	}
	return end, nil
}

func flock(f *os.File, how int) error {
	for {
		if err := syscall.Flock(int(f.Fd()), how); !errors.Is(err, syscall.EINTR) {
			return err
		}
	}
}
