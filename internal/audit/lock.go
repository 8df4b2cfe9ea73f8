package audit

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// lock takes the lock of the log in dir, for all processes and for all
// goroutines of this one, and returns what releases it. It waits until ctx ends.
//
// Each call opens the file anew, since a flock(2) belongs to the open file and
// would not hold two holders of the same one apart; so a wait that was given up
// can end later, in its own time, without taking another's lock away.
func lock(ctx context.Context, dir string, how int) (unlock func(), err error) {
	path := filepath.Join(dir, "lock")
	for {
		if err := ctx.Err(); err != nil {
			return nil, fmt.Errorf("lock %q: %w", path, err)
		}
		flag := os.O_RDONLY
		if how == syscall.LOCK_EX {
			flag |= os.O_CREATE
		}
		f, err := openFile(path, flag, 0o600)
		if err != nil {
			return nil, err
		}
		if err := flock(ctx, f, how); err != nil {
			return nil, fmt.Errorf("lock %q: %w", path, err)
		}
		if sameFile(f, path) {
			return func() { release(f) }, nil
		}
		f.Close() // removed or replaced while we waited
	}
}

// release gives the lock up by name: a process that was cloned meanwhile may have
// a copy of the descriptor, and closing ours would leave the lock with it.
func release(f *os.File) {
	_ = syscall.Flock(int(f.Fd()), syscall.LOCK_UN) // closing does it too, where there is no copy
	f.Close()
}

// flock locks f, or closes it and fails.
func flock(ctx context.Context, f *os.File, how int) error {
	fd := int(f.Fd())
	err := retryLock(fd, how|syscall.LOCK_NB)
	if !errors.Is(err, syscall.EWOULDBLOCK) {
		if err != nil {
			f.Close()
		}
		return err
	}
	locked := make(chan error, 1)
	go func() { locked <- retryLock(fd, how) }()
	select {
	case err := <-locked:
		if err != nil {
			f.Close()
		}
		return err
	case <-ctx.Done():
		go func() {
			<-locked //nolint:errcheck // whatever it was, nobody holds the lock after this
			f.Close()
		}()
		return ctx.Err()
	}
}

func retryLock(fd, how int) error {
	for {
		if err := syscall.Flock(fd, how); !errors.Is(err, syscall.EINTR) {
			return err
		}
	}
}

// sameFile reports whether f is still what stands at path.
func sameFile(f *os.File, path string) bool {
	a, err := f.Stat()
	if err != nil {
		return false
	}
	b, err := os.Lstat(path)
	return err == nil && os.SameFile(a, b)
}
