package audit

import (
	"bytes"
	"fmt"
	"slices"
)

// A Query says which records are wanted. The zero value wants all.
type Query struct {
	Before uint64            // only records with a lower number; 0: all
	Hints  []string          // a record that is kept has each of these texts in its line
	Keep   func(Record) bool // nil: every one
}

// HintSession is what the line of every record of a session has in it.
func HintSession(id string) string { return string(appendString([]byte(`"session":`), id)) }

// HintKind is what the line of every record of a kind has in it.
func HintKind(k Kind) string { return string(appendString([]byte(`"kind":`), string(k))) }

// Page returns the last n records that q wants, newest first, and whether there
// are more. It reads no more segments than it takes, and parses no line without
// the hints: a filter that names a session or a kind costs little more than
// reading the disk.
func Page(dir string, n int, q Query) (page []Record, more bool, err error) {
	snap, err := takeSnapshot(dir)
	if err != nil {
		return nil, false, err
	}
	for i := range slices.Backward(snap.segments) {
		later, err := snap.beginsAt(i, q.Before)
		if err != nil {
			return nil, false, fmt.Errorf("read audit log: %w", err)
		}
		if later {
			continue
		}
		page, err = snap.page(i, page, n+1, q)
		if err != nil {
			return nil, false, fmt.Errorf("read audit log: %s: %w", segmentName(snap.segments[i]), err)
		}
		if len(page) > n {
			return page[:n], true, nil
		}
	}
	return page, false, nil
}

// beginsAt reports whether the i-th segment has only records from before on.
func (s snapshot) beginsAt(i int, before uint64) (later bool, err error) {
	if before == 0 {
		return false, nil
	}
	err = s.committed(i, func(_ int, line []byte) bool {
		r, bad := parseRecord(line)
		later, err = bad == nil && r.Seq >= before, bad
		return false
	})
	return later, err
}

// page adds what q wants of the i-th segment, newest first, until there are most.
func (s snapshot) page(i int, page []Record, most int, q Query) ([]Record, error) {
	var all [][]byte
	if err := s.committed(i, func(_ int, line []byte) bool {
		if !slices.ContainsFunc(q.Hints, func(h string) bool { return !bytes.Contains(line, []byte(h)) }) {
			all = append(all, line)
		}
		return true
	}); err != nil {
		return nil, err
	}
	for _, line := range slices.Backward(all) {
		if len(page) >= most {
			break
		}
		r, err := parseRecord(line)
		if err != nil {
			return nil, err
		}
		if (q.Before == 0 || r.Seq < q.Before) && (q.Keep == nil || q.Keep(r)) {
			page = append(page, r)
		}
	}
	return page, nil
}
