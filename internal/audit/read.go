package audit

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
)

// ErrNotFound says that the log has no such record.
var ErrNotFound = errors.New("no such record in the audit log")

// Read returns the records of the log in dir, oldest first, as they were when
// the loop began. It shows only records that a head covers, but checks neither
// chain nor signatures: that is Verify. After an error it ends.
func Read(dir string) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		snap, err := takeSnapshot(dir)
		if err != nil {
			yield(Record{}, err)
			return
		}
		for i := range snap.segments {
			more := true
			err := snap.committed(i, func(_ int, line []byte) bool {
				var r Record
				if r, err = parseRecord(line); err != nil {
					return false
				}
				more = yield(r, nil)
				return more
			})
			if !more {
				return
			}
			if err != nil {
				yield(Record{}, err)
				return
			}
		}
	}
}

var errStop = errors.New("stop")

// committed calls yield with every record line of the i-th segment that a head
// follows, with its line number, until yield returns false.
func (s snapshot) committed(i int, yield func(n int, line []byte) bool) error {
	r, closer, err := s.open(i)
	if err != nil {
		return err
	}
	defer closer.Close()
	type pendingLine struct {
		n    int
		text []byte
	}
	var pending []pendingLine
	n := 0
	err = lines(r, func(line []byte) error {
		n++
		line = line[:len(line)-1]
		if !bytes.HasPrefix(line, headPrefix) {
			pending = append(pending, pendingLine{n, bytes.Clone(line)})
			return nil
		}
		for _, p := range pending {
			if !yield(p.n, p.text) {
				return errStop
			}
		}
		pending = pending[:0]
		return nil
	})
	last := i == len(s.segments)-1
	if errors.Is(err, errStop) || last && (errors.Is(err, errNoNewline) || errors.Is(err, errLineTooLong)) {
		return nil
	}
	if err == nil && len(pending) > 0 && !last {
		err = errors.New("the segment ends without a signed head")
	}
	if err != nil {
		return fmt.Errorf("%s: %w", segmentName(s.segments[i]), err)
	}
	return nil
}

// place is where a record stands.
type place struct {
	record Record
	line   []byte
}

// find looks for the newest record that match accepts, newest segment first.
// A segment without the bytes of hint is not looked into.
func (s snapshot) find(hint []byte, match func(Record) bool) (place, error) {
	for i := range slices.Backward(s.segments) {
		r, closer, err := s.open(i)
		if err != nil {
			return place{}, err
		}
		all, err := io.ReadAll(r)
		closer.Close()
		if err != nil {
			return place{}, err
		}
		if !bytes.Contains(all, hint) {
			continue
		}
		var found place
		err = s.committed(i, func(_ int, line []byte) bool {
			if bytes.Contains(line, hint) {
				if r, err := parseRecord(line); err == nil && match(r) {
					found = place{r, line}
				}
			}
			return true
		})
		if err != nil {
			return place{}, err
		}
		if found.line != nil {
			return found, nil
		}
	}
	return place{}, ErrNotFound
}

func (s snapshot) findID(id string) (place, error) {
	hint := appendString([]byte(`"id":`), id)
	p, err := s.find(hint, func(r Record) bool { return r.ID == id })
	if err != nil {
		err = fmt.Errorf("record %q: %w", id, err)
	}
	return p, err
}

func (s snapshot) findSeq(seq uint64) (place, error) {
	hint := fmt.Appendf(nil, `{"seq":%d,`, seq)
	p, err := s.find(hint, func(r Record) bool { return r.Seq == seq })
	if err != nil {
		err = fmt.Errorf("record %d: %w", seq, err)
	}
	return p, err
}

// Find returns the newest record with this id, or ErrNotFound.
func Find(dir, id string) (Record, error) {
	snap, err := takeSnapshot(dir)
	if err != nil {
		return Record{}, err
	}
	p, err := snap.findID(id)
	return p.record, err
}

// At returns the record with this number, or ErrNotFound.
func At(dir string, seq uint64) (Record, error) {
	snap, err := takeSnapshot(dir)
	if err != nil {
		return Record{}, err
	}
	p, err := snap.findSeq(seq)
	return p.record, err
}

// Last returns the last n records that keep accepts, oldest first. It reads no
// more segments than it takes to find them. n < 0 means all.
func Last(dir string, n int, keep func(Record) bool) ([]Record, error) {
	snap, err := takeSnapshot(dir)
	if err != nil {
		return nil, err
	}
	var newest [][]Record // of each segment, newest segment first
	count := 0
	for i := len(snap.segments) - 1; i >= 0 && (n < 0 || count < n); i-- {
		var kept []Record
		var bad error
		err := snap.committed(i, func(_ int, line []byte) bool {
			r, err := parseRecord(line)
			if bad = err; err == nil && keep(r) {
				kept = append(kept, r)
			}
			return err == nil
		})
		if err := errors.Join(err, bad); err != nil {
			return nil, fmt.Errorf("read audit log: %s: %w", segmentName(snap.segments[i]), err)
		}
		newest, count = append(newest, kept), count+len(kept)
	}
	slices.Reverse(newest)
	all := slices.Concat(newest...)
	if n >= 0 && len(all) > n {
		all = all[len(all)-n:]
	}
	return all, nil
}
