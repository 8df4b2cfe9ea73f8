package audit

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// snapshot is what a reader sees: the segments with their lengths at one moment
// when nobody was writing.
type snapshot struct {
	dir      string
	segments []int
	sizes    []int64
	head     []byte // of the head file
	headErr  error
	hashes   int64 // length of the file of hashes
}

// takeSnapshot looks at the log in dir, under the lock if there is a lock that
// can be taken: a copy on a read-only disk has no writers. A writer that is
// stopped while it holds the lock does not stop readers for long; what it was
// writing is then seen as uncommitted.
func takeSnapshot(dir string) (snapshot, error) {
	s := snapshot{dir: dir}
	//nolint:forbidigo // readers have no context; this bounds the wait
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	unlock, err := lock(ctx, dir, syscall.LOCK_SH, nil)
	if err == nil {
		defer unlock()
	}
	if s.segments, err = listSegments(dir); errors.Is(err, os.ErrNotExist) {
		return s, fmt.Errorf("there is no audit log in %q (%w): nothing was recorded yet", dir, os.ErrNotExist)
	} else if err != nil {
		return s, fmt.Errorf("read audit log: %w", err)
	}
	for _, n := range s.segments {
		info, err := os.Lstat(filepath.Join(dir, segmentName(n)))
		if err != nil {
			return s, fmt.Errorf("read audit log: %w", err)
		}
		s.sizes = append(s.sizes, info.Size())
	}
	s.head, s.headErr = readFile(filepath.Join(dir, "head"), headSize+1)
	if len(s.segments) == 0 && errors.Is(s.headErr, os.ErrNotExist) {
		return s, fmt.Errorf("there is no audit log in %q (%w): nothing was recorded yet", dir, os.ErrNotExist)
	}
	if info, err := os.Lstat(filepath.Join(dir, "hashes")); err == nil {
		s.hashes = info.Size()
	}
	return s, nil
}

// open opens the i-th segment as it was.
func (s snapshot) open(i int) (io.Reader, io.Closer, error) {
	f, err := openSegment(s.dir, s.segments[i], os.O_RDONLY)
	if err != nil {
		return nil, nil, fmt.Errorf("read audit log: %w", err)
	}
	return io.NewSectionReader(f, 0, s.sizes[i]), f, nil
}
