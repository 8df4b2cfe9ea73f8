package audit

import (
	"context"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// Rehearse reads the end of the log in dir as an Append does, and keeps nothing: what
// that needs of this program is in memory then. Where there is no log it makes none. It
// repairs nothing: whoever does has to say so.
func Rehearse(dir string) error {
	if _, err := os.Lstat(filepath.Join(dir, "head")); err != nil {
		return err
	}
	l, err := Open(dir, Options{})
	if err != nil {
		return err
	}
	//nolint:forbidigo // nobody waits for it
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	unlock, err := lock(ctx, dir, syscall.LOCK_EX, nil)
	if err != nil {
		return err
	}
	defer unlock()
	defer l.tail.close()
	segments, err := listSegments(dir)
	if err != nil || len(segments) == 0 {
		return err
	}
	if _, err := l.openFiles(); err != nil {
		return err
	}
	l.tail.segment = len(segments)
	if l.tail.file, err = openSegment(dir, len(segments), os.O_RDWR); err != nil {
		return err
	}
	return l.loadFast()
}
