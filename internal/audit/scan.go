package audit

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"

	"golang.org/x/mod/sumdb/tlog"
)

// entry is a line of a segment, reduced to what checking the chain takes.
type entry struct {
	line   int   // number in the file, from 1
	end    int64 // offset behind it
	isHead bool
	head   Head      // if isHead; signature not checked
	seq    uint64    // of a record
	prev   link      // of a record
	leaf   tlog.Hash // of a record
	link   link      // what prev of the next record must be if this is what stands before it
}

// link is the hash by which a record holds on to what stands before it.
type link [sha256.Size]byte

// scanned is what stands in a segment.
type scanned struct {
	entries []entry
	end     int64 // bytes read

	// bad is the first line that is neither record nor head, and what comes
	// after it is not in entries.
	bad           error
	badLine       int
	badHead       bool // it begins like a head
	headsAfterBad int
	endsInHead    bool // the last line of the segment is a head
}

// scan reads the lines of a segment. It checks each line alone. The error is
// one of reading.
func scan(r io.Reader) (scanned, error) {
	var s scanned
	line := 0
	sum := sha256.New() // of the last record line and of the head after it
	err := lines(r, func(b []byte) error {
		line++
		s.end += int64(len(b))
		e, err := readEntry(b[:len(b)-1])
		s.endsInHead = err == nil && e.isHead
		switch {
		case s.bad == nil && err != nil:
			s.bad, s.badLine, s.badHead = err, line, e.isHead
		case s.bad != nil && s.endsInHead:
			s.headsAfterBad++
		case s.bad == nil:
			if !e.isHead {
				sum.Reset()
			}
			sum.Write(b)
			sum.Sum(e.link[:0])
			e.line, e.end = line, s.end
			s.entries = append(s.entries, e)
		}
		return nil
	})
	if errors.Is(err, errNoNewline) || errors.Is(err, errLineTooLong) {
		s.endsInHead = false
		if s.bad == nil {
			s.bad, s.badLine = err, line+1
		}
		err = nil
	}
	return s, err
}

// readEntry reads one line, without its newline.
func readEntry(line []byte) (e entry, err error) {
	if bytes.HasPrefix(line, headPrefix) {
		e.isHead = true
		e.head, err = parseHeadLine(line)
		return e, err
	}
	r, err := parseRecord(line)
	if err != nil {
		return e, err
	}
	if _, err := hex.Decode(e.prev[:], []byte(r.Prev)); err != nil {
		return e, err
	}
	e.seq, e.leaf = r.Seq, tlog.RecordHash(line)
	return e, nil
}
