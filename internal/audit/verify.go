package audit

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// VerifyOptions of Verify. The zero value trusts the key.pub of the log.
type VerifyOptions struct {
	Key  string // the text of a key.pub that was kept elsewhere; "" for the log's own
	Head string // a signed head that was kept elsewhere; "" for none

	// Progress, if not nil, is called after each segment with the records and
	// the bytes that were checked.
	Progress func(records uint64, bytes int64)

	boot func() string // nil: that of the host
}

// VerifyResult tells what was verified.
type VerifyResult struct {
	Records     uint64 `json:"records"`
	Segments    int    `json:"segments"`
	Bytes       int64  `json:"bytes"`
	Key         string `json:"key"`         // the text of key.pub
	Head        Head   `json:"head"`        // the last one
	Uncommitted int64  `json:"uncommitted"` // bytes behind it, of a commit that was never acknowledged

	// Lost is how many records are not there that were acknowledged before they were on the
	// disk (AppendSoon), in an earlier boot of the machine: it stopped before they were, or
	// somebody cut them off.
	Lost uint64 `json:"lost"`
}

// Verify checks the whole log in dir: every line, the chain, the tree, the heads
// and their signatures. The error is a *Fault, the first one, if the log is not
// what was written; anything else means that it could not be read. It needs
// nothing but the folder, and may run while others append.
//
// Security: nil means that no record up to the last head was changed, removed,
// added or moved by anyone but a holder of the key, and with Key and Head not by
// the holder either, for what Head covers. The package comment says what it does not see.
func Verify(dir string, opt VerifyOptions) (VerifyResult, error) {
	snap, err := takeSnapshot(dir)
	if err != nil {
		return VerifyResult{}, err
	}
	c, result, err := newVerification(snap, opt)
	if err != nil {
		return result, err
	}
	if f, err := openFile(filepath.Join(dir, "hashes"), os.O_RDONLY, 0); err == nil {
		defer f.Close()
		c.leaves = f
	}
	if err := c.walk(snap, opt, &result); err != nil {
		return result, err
	}
	result.Records, result.Head = c.covered, c.good.entry.head
	for _, w := range c.waypoints {
		if w.head.Size > c.covered {
			return result, c.rolledBack(snap, w.what, w.head.Size)
		}
	}
	if c.floor > c.covered {
		return result, c.rolledBack(snap, theHeadFile, c.floor)
	}
	result.Lost = max(c.kept.Size, c.covered) - c.covered
	if c.covered == 0 {
		result.Head = c.kept
	}
	return result, nil
}

const theHeadFile = "the head file"

// newVerification reads the key and the heads that the log is held to.
func newVerification(snap snapshot, opt VerifyOptions) (*chain, VerifyResult, error) {
	var result VerifyResult
	public, err := readFile(filepath.Join(snap.dir, "key.pub"), 4096)
	if err != nil {
		return nil, result, &Fault{File: "key.pub", What: err.Error()}
	}
	text, ok := strings.CutSuffix(string(public), "\n")
	v, err := newVerifier(text)
	if err != nil || !ok {
		return nil, result, &Fault{File: "key.pub", What: "not a public key"}
	}
	if opt.Key != "" && strings.TrimSpace(opt.Key) != text {
		return nil, result, &Fault{File: "key.pub", What: "it is another key than the one that was pinned"}
	}
	result.Key, result.Segments = text, len(snap.segments)
	c := &chain{verifier: v, last: toLink(firstPrev(text))}
	if err := c.addHeads(snap, opt, v); err != nil {
		return nil, result, err
	}
	return c, result, nil
}

// addHeads adds the heads that the tree must pass through. That of the head file is none of
// them where its records may never have come to the disk: others may stand in their place.
func (c *chain) addHeads(snap snapshot, opt VerifyOptions, v note.Verifier) error {
	if snap.headErr != nil {
		return &Fault{File: "head", What: snap.headErr.Error()}
	}
	h, err := parseHeadFile(snap.head)
	if err == nil {
		h, err = openHead(h.Note, v)
	}
	if err != nil {
		return &Fault{File: "head", What: err.Error()}
	}
	if opt.boot == nil {
		opt.boot = hostBoot
	}
	c.kept, c.floor = h, h.floor(opt.boot)
	if c.floor == h.Size {
		c.waypoints = append(c.waypoints, waypoint{head: h, file: "head", what: theHeadFile})
	}
	if opt.Head != "" {
		h, err := openHead(opt.Head, v)
		if err != nil {
			return &Fault{File: "key.pub", What: "it is not the key of the earlier head: " + err.Error()}
		}
		c.waypoints = append(c.waypoints, waypoint{head: h, what: "the earlier head"})
	}
	for _, w := range c.waypoints {
		if empty, _ := tlog.TreeHash(0, nil); w.head.Size == 0 && w.head.Root != empty {
			return &Fault{File: "head", What: "it is signed, but no tree of 0 records has this root"}
		}
	}
	return nil
}

// walk checks every segment in order. The lines are checked by several
// goroutines, a segment each, ahead of the chain.
func (c *chain) walk(snap snapshot, opt VerifyOptions, result *VerifyResult) error {
	type job struct {
		scanned
		err  error
		done chan struct{}
	}
	jobs := make(chan *job, runtime.GOMAXPROCS(0)) // its length bounds how many segments are held
	stop := make(chan struct{})
	defer close(stop)
	go func() {
		defer close(jobs)
		for i := range snap.segments {
			j := &job{done: make(chan struct{})}
			select {
			case jobs <- j:
			case <-stop:
				return
			}
			go func() {
				defer close(j.done)
				j.scanned, j.err = snap.scan(i)
			}()
		}
	}()
	i := 0
	for j := range jobs {
		<-j.done
		if j.err != nil {
			return j.err
		}
		if n := i + 1; snap.segments[i] != n {
			return &Fault{Seq: c.tree.size + 1, File: segmentName(n), What: "the segment is missing"}
		}
		fault := c.segment(snap.segments[i], j.scanned)
		last := i == len(snap.segments)-1
		if fault != nil && (!last || !c.torn(j.scanned, c.floor)) {
			return fault
		}
		if fault != nil {
			if result.Uncommitted = snap.sizes[i] - c.good.entry.end; c.good.segment < snap.segments[i] {
				result.Uncommitted = snap.sizes[i]
			}
			if fault := c.signatures(segmentName(c.good.segment), j.entries); c.covered > 0 && fault != nil {
				return fault
			}
		}
		result.Bytes += snap.sizes[i]
		if opt.Progress != nil {
			opt.Progress(c.covered, result.Bytes)
		}
		i++
	}
	return nil
}

// scan reads the i-th segment as it was.
func (s snapshot) scan(i int) (scanned, error) {
	r, closer, err := s.open(i)
	if err != nil {
		return scanned{}, err
	}
	defer closer.Close()
	out, err := scan(r)
	if err == nil && out.end > s.sizes[i] {
		err = bug(errors.New("read more than there was"))
	}
	if err != nil {
		err = fmt.Errorf("read audit log: %s: %w", segmentName(s.segments[i]), err)
	}
	return out, err
}

// rolledBack is the fault of a log that ends before what covers so many records.
func (c *chain) rolledBack(snap snapshot, what string, covers uint64) *Fault {
	f := &Fault{Seq: c.covered + 1, File: segmentName(max(1, len(snap.segments)))}
	f.What = fmt.Sprintf("missing: %s covers %d records, the segments hold %d", what, covers, c.covered)
	return f
}
