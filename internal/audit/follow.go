package audit

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// A Follower reads records as they are committed. It is for one goroutine.
//
// It shows only records that a head covers, as they were when nobody was writing,
// and each once. As Read does, it checks neither chain nor signatures.
type Follower struct {
	dir     string
	segment int   // 0: there is no log yet
	offset  int64 // behind the last head that was read
}

// Follow begins behind the last record that the log in dir has now. Where there is
// none, it begins with the first one.
//
// It reads the end of the last segment alone, however long the log is.
func Follow(dir string) (*Follower, error) {
	f := &Follower{dir: dir}
	snap, err := takeSnapshot(dir)
	if errors.Is(err, os.ErrNotExist) || err == nil && len(snap.segments) == 0 {
		return f, nil
	}
	if err != nil {
		return nil, err
	}
	last := len(snap.segments) - 1
	f.segment = snap.segments[last]
	if f.offset, err = snap.endOf(last); err != nil {
		return nil, fmt.Errorf("read audit log: %s: %w", segmentName(f.segment), err)
	}
	return f, nil
}

// endOf is where the last head of the i-th segment ends. Its end is read, and all of it only where
// there is none.
func (s snapshot) endOf(i int) (int64, error) {
	var buf []byte
	for most := min(s.sizes[i], newestIn); ; most = s.sizes[i] {
		raw, err := s.raw(i, most, &buf)
		if err != nil {
			return 0, err
		}
		begin := 0
		if most < s.sizes[i] {
			begin = bytes.IndexByte(raw, '\n') + 1 // of the first line the beginning lacks
		}
		if whole := headed(raw[begin:]); len(whole) > 0 || most == s.sizes[i] {
			return s.sizes[i] - most + int64(begin+len(whole)), nil
		}
	}
}

// Next returns the records that were committed since, of one segment at most: who
// gets some calls again. Where nothing was written that costs two looks at files.
func (f *Follower) Next() ([]Record, error) {
	if f.segment != 0 && !f.changed() {
		return nil, nil
	}
	snap, err := takeSnapshot(f.dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	for i, n := range snap.segments {
		if n < f.segment {
			continue
		}
		if n > f.segment {
			f.segment, f.offset = n, 0
		}
		all, err := f.read(snap, i)
		if err != nil || len(all) > 0 {
			return all, err
		}
	}
	return nil, nil
}

// changed reports whether something may have been written.
func (f *Follower) changed() bool {
	info, err := os.Lstat(filepath.Join(f.dir, segmentName(f.segment)))
	if err != nil || info.Size() != f.offset {
		return true
	}
	_, err = os.Lstat(filepath.Join(f.dir, segmentName(f.segment+1)))
	return err == nil
}

// read reads the i-th segment from the offset on, up to the last head.
func (f *Follower) read(snap snapshot, i int) (all []Record, err error) {
	if snap.sizes[i] <= f.offset {
		return nil, nil
	}
	file, err := openSegment(snap.dir, snap.segments[i], os.O_RDONLY)
	if err != nil {
		return nil, fmt.Errorf("read audit log: %w", err)
	}
	defer file.Close()
	var pending []Record
	at := f.offset
	err = lines(io.NewSectionReader(file, f.offset, snap.sizes[i]-f.offset), func(line []byte) error {
		at += int64(len(line))
		if bytes.HasPrefix(line, headPrefix) {
			all, pending, f.offset = append(all, pending...), nil, at
			return nil
		}
		r, err := parseRecord(bytes.Clone(line[:len(line)-1]))
		pending = append(pending, r)
		return err
	})
	if errors.Is(err, errNoNewline) || errors.Is(err, errLineTooLong) {
		err = nil // a commit that did not end; the next writer cuts it off
	}
	if err != nil {
		err = fmt.Errorf("read audit log: %s: %w", segmentName(snap.segments[i]), err)
	}
	return all, err
}
