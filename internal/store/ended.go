package store

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
)

// A line is added to a file for a small part of what opening SQLite takes. So
// a session that is over already waits in such a file beside the list, and
// whoever opens the list next takes it in. Both hold the lock of that file; what
// was taken in and not yet cut off, because a process ended in between, is
// known by its id the second time.

// maxWaiting is the length of the file at which its writer takes it in.
const maxWaiting = 128 << 10

// waiting is a line of the file. A program's path may be bytes of any kind,
// which JSON keeps in this way alone.
type waiting struct {
	Session
	Program []byte
}

func waitingPath(list string) string { return list + ".ended" }

// AddEnded keeps a session that has begun and ended in the list at path, without
// opening it. It outlives the end of the process, as all that the list keeps.
func AddEnded(path string, n Session) error {
	size, err := addWaiting(waitingPath(path), n)
	if err != nil {
		return fmt.Errorf("add session %q to %q: %w", n.ID, waitingPath(path), err)
	}
	if size < maxWaiting {
		return nil
	}
	l, err := OpenList(path)
	if err != nil {
		return err
	}
	return l.Close()
}

// addWaiting adds a line and returns how long the file is then.
func addWaiting(path string, n Session) (size int64, err error) {
	if !n.over() {
		return 0, errors.New("it needs an id, an end and a status")
	}
	n.Started, n.Ended = n.Started.UTC(), n.Ended.UTC() // no file of a time zone is read for it
	text, err := json.Marshal(waiting{n, []byte(n.Program)})
	if err != nil {
		return 0, err
	}
	f, err := openWaiting(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	// Between two newlines: what a full disk left of another's line stays apart.
	if _, err := f.Write(append(append([]byte{'\n'}, text...), '\n')); err != nil {
		return 0, err
	}
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

// openWaiting opens the file and locks it. Closing it gives the lock up.
//
// Security: as with the list itself, one that others may write is refused. A
// link in its place is not followed.
func openWaiting(path string, flag int) (*os.File, error) {
	f, err := os.OpenFile(path, flag|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	switch {
	case err != nil:
	case !info.Mode().IsRegular():
		err = errors.New("it is not a file")
	case info.Mode().Perm()&0o022 != 0:
		err = fmt.Errorf("others may write it (mode %#o); chmod 600 it if nobody has", info.Mode().Perm())
	default:
		for {
			if err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX); !errors.Is(err, syscall.EINTR) {
				break
			}
		}
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// takeIn moves the sessions that wait beside the list into it.
func (s *List) takeIn(ctx context.Context) (err error) {
	f, err := openWaiting(waitingPath(s.path), os.O_RDWR)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("%q: %w", waitingPath(s.path), err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	text, err := io.ReadAll(f)
	if err != nil || len(text) == 0 {
		return err
	}
	if err := s.addSessions(ctx, readWaiting(text)); err != nil {
		return err
	}
	return f.Truncate(0)
}

// readWaiting reads the lines of the file. One that is not whole was being
// written when the disk was full or the host stopped, and nobody was told that
// it is kept.
func readWaiting(text []byte) (all []Session) {
	for line := range bytes.Lines(text) {
		var w waiting
		if err := json.Unmarshal(line, &w); err != nil || !w.over() {
			continue
		}
		w.Session.Program = string(w.Program)
		all = append(all, w.Session)
	}
	return all
}

// over reports whether n can be kept as a session that has ended.
func (n Session) over() bool { return n.ID != "" && n.Status != "" && !n.Ended.IsZero() }
