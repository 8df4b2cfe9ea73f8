package audit

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"ambit.dev/ambit/internal/stopping"
	"ambit.dev/ambit/internal/thread"
)

// patience is after how long somebody who waits for the lock says so.
const patience = 2 * time.Second

// A Holder is a process that holds the lock of the log.
type Holder struct {
	PID     int    // 0: it cannot be told
	Program string // its name
	Stopped bool   // it stands still, and the log with it
}

// errStopped says that the wait for the lock was given up to be stopped.
var errStopped = errors.New("stopped")

// lock takes the lock of the log in dir, for all processes and for all
// goroutines of this one, and returns what releases it. It waits until ctx ends,
// and tells told, unless it is nil, once when that takes long.
//
// Who is stopped from the terminal while it has the lock stops when it has
// released it: else every other process would wait.
//
// Each call opens the file anew, since a flock(2) belongs to the open file and
// would not hold two holders of the same one apart; so a wait that was given up
// can end later, in its own time, without taking another's lock away.
func lock(ctx context.Context, dir string, how int, told func(Holder)) (unlock func(), err error) {
	for {
		asked, goOn := stopping.Hold()
		unlock, err := lockOnce(ctx, asked, filepath.Join(dir, "lock"), how, told)
		if err == nil {
			return func() { unlock(); goOn() }, nil
		}
		goOn() // it may be stopped here
		if !errors.Is(err, errStopped) {
			return nil, err
		}
	}
}

// lockOnce is lock that gives up when it is asked to stop.
func lockOnce(ctx context.Context, asked <-chan struct{}, path string, how int, told func(Holder)) (unlock func(), err error) {
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
		if err := flock(ctx, asked, f, how, told); err != nil {
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
func flock(ctx context.Context, asked <-chan struct{}, f *os.File, how int, told func(Holder)) error {
	fd := int(f.Fd())
	err := retryLock(fd, how|syscall.LOCK_NB, syscall.Flock)
	if !errors.Is(err, syscall.EWOULDBLOCK) {
		if err != nil {
			f.Close()
		}
		return err
	}
	locked := make(chan error, 1)
	go func() { locked <- retryLock(fd, how, thread.Flock) }()
	long := time.NewTimer(patience)
	defer long.Stop()
	for {
		select {
		case err = <-locked:
			if err != nil {
				f.Close()
			}
			return err
		case <-long.C:
			if told != nil {
				told(holder(f))
			}
			continue
		case <-ctx.Done():
			err = ctx.Err()
		case <-asked:
			err = errStopped
		}
		go func() {
			<-locked //nolint:errcheck // whatever it was, nobody holds the lock after this
			f.Close()
		}()
		return err
	}
}

func retryLock(fd, how int, flock func(fd, how int) error) error {
	for {
		if err := flock(fd, how); !errors.Is(err, syscall.EINTR) {
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
