package audit

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// Fault is the first thing that is wrong with a log.
type Fault struct {
	Seq  uint64 `json:"seq"`  // the record it concerns, 0: none in particular
	File string `json:"file"` // in the folder of the log
	Line int    `json:"line"` // of that file, 0: all of it
	What string `json:"what"`
}

func (f *Fault) Error() string {
	where := f.File
	if f.Line > 0 {
		where = fmt.Sprintf("%s:%d", f.File, f.Line)
	}
	if f.Seq > 0 {
		where = fmt.Sprintf("record %d (%s)", f.Seq, where)
	}
	return where + ": " + f.What
}

// waypoint is a root that the tree must have at a size.
type waypoint struct {
	head Head
	file string // where it is from
	what string
}

// chain walks a log from one good head to the next. It is used by Verify, and by
// a writer that finds the end of its log in disorder.
type chain struct {
	verifier  note.Verifier
	waypoints []waypoint
	kept      Head        // the one of the head file
	floor     uint64      // records that must be there by it
	leaves    io.ReaderAt // the file of hashes, a second opinion on who is to blame; may be nil

	tree   peaks
	last   link         // what the next record must carry
	before *entry       // the line before, nil at the start
	stored *[]tlog.Hash // if set, collects the hashes of the records

	good    mark   // the last good head
	covered uint64 // records that good covers
	at      int    // index of the entry that the fault was met at
	missed  *Fault // a waypoint that the tree did not pass through
	forged  bool   // the fault is one that no crash leaves
}

// mark is a place right behind a good head.
type mark struct {
	segment int
	entry   entry
	tree    peaks
}

// segment walks one segment, which must end with a good, signed head.
func (c *chain) segment(n int, s scanned) *Fault {
	for i := range s.entries {
		c.at = i
		if f := c.step(n, &s.entries[i]); f != nil {
			return f
		}
	}
	c.at = len(s.entries)
	name := segmentName(n)
	switch {
	case s.bad != nil:
		f := &Fault{Seq: c.tree.size + 1, File: name, Line: s.badLine, What: s.bad.Error()}
		if s.badHead {
			f.Seq, f.What = c.tree.size, "the head that signs it was changed: "+f.What
		} else if errors.Is(s.bad, errNoNewline) {
			f.Seq, f.What = c.covered+1, "the segment is cut off: "+f.What
		}
		return f
	case len(s.entries) == 0:
		return &Fault{Seq: c.tree.size + 1, File: name, What: "the segment is empty"}
	case c.covered != c.tree.size:
		return &Fault{Seq: c.covered + 1, File: name, Line: len(s.entries), What: "the segment ends without a signed head that covers the record"}
	}
	return c.signatures(name, s.entries)
}

// step walks one line.
func (c *chain) step(n int, e *entry) *Fault {
	f := c.record
	if e.isHead {
		f = c.head
	}
	fault := f(segmentName(n), e)
	if fault == nil {
		c.before, c.last = e, e.link
		if e.isHead {
			c.good, c.covered = mark{segment: n, entry: *e, tree: c.tree.clone()}, c.tree.size
		}
	}
	return fault
}

func (c *chain) record(file string, e *entry) *Fault {
	want := c.tree.size + 1
	switch {
	case e.seq > want:
		return &Fault{Seq: want, File: file, Line: e.line, What: fmt.Sprintf("missing: record %d stands in its place", e.seq)}
	case e.seq < want:
		return &Fault{Seq: want, File: file, Line: e.line, What: fmt.Sprintf("record %d stands in its place", e.seq)}
	case e.prev != c.last:
		return c.broken(file, e)
	}
	stored := c.tree.add(e.leaf, nil)
	if c.stored != nil {
		*c.stored = append(*c.stored, stored...)
	}
	for _, w := range c.waypoints {
		if w.head.Size == c.tree.size && w.head.Root != c.tree.root() {
			c.missed = &Fault{Seq: e.seq, File: file, Line: e.line, What: "this record or one before it is not the one that was there: " + w.what + " has another root"}
		}
	}
	return nil
}

// broken finds out who is to blame if e does not hold on to what stands before it.
func (c *chain) broken(file string, e *entry) *Fault {
	self := &Fault{Seq: e.seq, File: file, Line: e.line, What: "its prev is not the hash of what stands before it"}
	switch b := c.before; {
	case b == nil:
		if e.seq == 1 {
			self.What = "its prev is not the hash of key.pub"
		}
		return self
	case b.isHead:
		if _, err := openHead(b.head.Note, c.verifier); err != nil {
			return &Fault{Seq: b.head.Size, File: c.file(file, b), Line: b.line, What: "the head that signs it was changed: " + err.Error()}
		}
		return self // the root of that head is right, so are the records before it
	default:
		if c.intact(b) {
			return self
		}
		return &Fault{Seq: b.seq, File: c.file(file, b), Line: b.line, What: "it was changed: the record after it holds another hash"}
	}
}

// file is the segment that b, the line before, stands in; the name of the
// present one is given.
func (c *chain) file(present string, b *entry) string {
	if b.isHead && c.at == 0 {
		return segmentName(c.good.segment)
	}
	return present
}

// intact reports whether the file of hashes knows this record as it stands.
func (c *chain) intact(e *entry) bool {
	if c.leaves == nil {
		return false
	}
	h, err := readHash(c.leaves, tlog.StoredHashIndex(0, int64(e.seq-1)))
	return err == nil && h == e.leaf
}

func (c *chain) head(file string, e *entry) *Fault {
	h, f := e.head, &Fault{Seq: c.tree.size, File: file, Line: e.line}
	switch {
	case h.Origin != c.verifier.Name():
		f.What = fmt.Sprintf("the head that signs it is of another log, %q", h.Origin)
	case h.Size > c.tree.size:
		f.Seq++
		f.What = fmt.Sprintf("missing: the next head covers %d records", h.Size)
	case h.Size < c.tree.size || h.Size == c.covered:
		f.What = fmt.Sprintf("the head after it covers %d records", h.Size)
	case h.Root != c.tree.root():
		f.What = "it was changed: the head that signs it has another root"
		if c.before != nil && c.intact(c.before) {
			f.What = "the head that signs it was changed: its root is another"
		}
	case c.missed != nil:
		c.forged = true
		return c.missed
	default:
		return nil
	}
	return f
}

// signatures checks the signature of the last head of a segment. It speaks for
// the heads before, since the chain runs through them.
func (c *chain) signatures(file string, entries []entry) *Fault {
	if _, err := openHead(c.good.entry.head.Note, c.verifier); err == nil {
		return nil
	}
	c.forged = true
	for _, e := range entries {
		if !e.isHead {
			continue
		}
		if _, err := openHead(e.head.Note, c.verifier); err != nil {
			return &Fault{Seq: e.head.Size, File: file, Line: e.line, What: "the head that signs it is not signed by the key of the log: " + err.Error()}
		}
	}
	return nil
}

// torn reports whether the fault that segment has just met, in the last
// segment, may be what a crash leaves of the last commit: no head stands behind
// the last good one, unless at the very end, and nobody was told of more (floor
// is what the head file covers).
func (c *chain) torn(s scanned, floor uint64) bool {
	heads := s.headsAfterBad
	for _, e := range s.entries[min(c.at, len(s.entries)):] {
		if e.isHead {
			heads++
		}
	}
	return !c.forged && floor <= c.covered && (heads == 0 || heads == 1 && s.endsInHead)
}

// toLink reads the hash of a prev.
func toLink(prev string) (l link) {
	_, _ = hex.Decode(l[:], []byte(prev)) // ours: 64 digits
	return l
}
