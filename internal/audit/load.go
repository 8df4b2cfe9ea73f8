package audit

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"golang.org/x/mod/sumdb/tlog"
)

// refresh makes l.tail true: it is kept if nobody else wrote, and otherwise
// read, and repaired where that is wanted. The lock of the folder is held.
func (l *Log) refresh(repair bool) error {
	t := &l.tail
	if t.loaded && t.segment > 0 && l.unchanged() {
		return nil
	}
	t.close()
	if err := l.load(repair); err != nil {
		return err
	}
	t.loaded = true
	return nil
}

// unchanged reports whether the last segment is still the one that l.tail knows.
func (l *Log) unchanged() bool {
	path := filepath.Join(l.dir, segmentName(l.tail.segment))
	info, err := os.Lstat(path)
	if err != nil || info.Size() != l.tail.end {
		return false
	}
	own, err := l.tail.file.Stat()
	if err != nil || !os.SameFile(info, own) {
		return false
	}
	_, err = os.Lstat(filepath.Join(l.dir, segmentName(l.tail.segment+1)))
	return errors.Is(err, os.ErrNotExist)
}

// load reads the end of the log.
func (l *Log) load(repair bool) error {
	t := &l.tail
	segments, err := listSegments(l.dir)
	if err != nil {
		return err
	}
	if n, lacks := gap(segments); lacks {
		return fmt.Errorf("%w: %s is missing", ErrDamaged, segmentName(n))
	}
	floor, err := l.openFiles()
	if err != nil {
		return err
	}
	if len(segments) == 0 {
		if floor > 0 {
			return fmt.Errorf("%w: its segments are gone", ErrDamaged)
		}
		t.prev = firstPrev(l.key.public)
		return nil
	}
	t.segment = len(segments)
	if t.file, err = openSegment(l.dir, t.segment, os.O_RDWR); err != nil {
		return err
	}
	if err := l.loadFast(); err != nil {
		if !repair {
			return err
		}
		if err := l.recover(floor); err != nil {
			return err
		}
	}
	if floor > t.tree.size {
		return fmt.Errorf("%w: its head file covers %d records, its segments hold %d", ErrDamaged, floor, t.tree.size)
	}
	return nil
}

// openFiles opens the files beside the segments and returns how many records
// the head file covers, as far as they must be there.
func (l *Log) openFiles() (floor uint64, err error) {
	t := &l.tail
	if t.head, err = openFile(filepath.Join(l.dir, "head"), os.O_RDWR, 0); err != nil {
		return 0, err
	}
	content, err := readAll(io.NewSectionReader(t.head, 0, headSize+1), headSize+1)
	if err != nil {
		return 0, err
	}
	head, err := parseHeadFile(content)
	if err != nil {
		return 0, fmt.Errorf("%w: head file: %w", ErrDamaged, err)
	}
	t.hashes, err = openHashes(l.opt.disk, filepath.Join(l.dir, "hashes"))
	return head.floor(l.opt.boot), err
}

// loadFast reads the last commit alone and fails if it is not whole: signed,
// with the root that its records and the hashes before them have.
func (l *Log) loadFast() error {
	t := &l.tail
	info, err := t.file.Stat()
	if err != nil {
		return err
	}
	c, err := lastCommit(t.file, info.Size())
	if err != nil {
		return err
	}
	tree, stored, err := l.commitTree(c)
	if err != nil {
		return err
	}
	if err := l.mendHashes(c.first-1, stored); err != nil {
		return err
	}
	t.end, t.tree, t.prev, t.ahead = info.Size(), tree, hexSum(c.link), c.head.Boot != ""
	return nil
}

// commitTree returns the tree behind c, if c is what its head says, and the
// hashes that its records add.
func (l *Log) commitTree(c commit) (peaks, []tlog.Hash, error) {
	if _, err := l.key.open(c.head.Note); err != nil {
		return peaks{}, nil, err
	}
	if c.first == 0 || c.head.Size != c.first-1+uint64(len(c.lines)) {
		return peaks{}, nil, errors.New("the last head does not cover the last records")
	}
	tree, err := loadPeaks(l.tail.hashes, c.first-1)
	if err != nil {
		return peaks{}, nil, err
	}
	var stored []tlog.Hash
	for _, line := range c.lines {
		stored = tree.add(tlog.RecordHash(line), stored)
	}
	if tree.root() != c.head.Root {
		return peaks{}, nil, errors.New("the last head has another root")
	}
	return tree, stored, nil
}

// mendHashes writes the hashes from the leaf with this index on, unless they are there.
func (l *Log) mendHashes(leaf uint64, stored []tlog.Hash) error {
	want := flatten(stored)
	have := make([]byte, len(want))
	if _, err := l.tail.hashes.ReadAt(have, hashOffset(leaf)); err == nil && bytes.Equal(have, want) {
		return nil
	}
	return l.opt.disk.WriteAt(l.tail.hashes, want, hashOffset(leaf))
}

// recover finds the end of a log whose last commit is torn or whose hashes are
// stale, cuts a torn commit off, and makes the hashes good.
//
// Security: it cuts off only what chain.torn accepts. Anything else is damage,
// which stops the log rather than have its traces removed.
func (l *Log) recover(floor uint64) error {
	last := l.tail.segment
	c, err := l.chainBefore(last)
	first := last
	if err != nil {
		c, first = l.newChain(), 1
	}
	var s scanned
	begin := c.tree.size
	stored := []tlog.Hash{}
	c.stored = &stored
	for n := first; n <= last; n++ {
		if s, err = l.scanSegment(n); err != nil {
			return err
		}
		if fault := c.segment(n, s); fault != nil && (n < last || !c.torn(s, floor)) {
			return fmt.Errorf("%w: %w", ErrDamaged, fault)
		}
	}
	t := &l.tail
	t.tree, t.prev, t.end = c.good.tree, hex.EncodeToString(c.good.entry.link[:]), c.good.entry.end
	t.ahead = c.good.entry.head.Boot != ""
	if c.good.segment < last { // nothing good in the last one, or nothing at all
		t.end, t.ahead = 0, false
	}
	if t.tree.size == 0 {
		t.prev = firstPrev(l.key.public)
	} else if _, err := l.key.open(c.good.entry.head.Note); err != nil { // if what follows it is torn, nobody looked yet
		return fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	keep := tlog.StoredHashCount(int64(t.tree.size)) - tlog.StoredHashCount(int64(begin))
	if err := l.mendHashes(begin, stored[:keep]); err != nil {
		return err
	}
	return l.cut()
}

func (l *Log) newChain() *chain {
	return &chain{verifier: l.key.verify, last: toLink(firstPrev(l.key.public))}
}

// chainBefore is the chain at the start of segment n, taken from the last
// commit of the segment before it and from the file of hashes.
func (l *Log) chainBefore(n int) (*chain, error) {
	if n == 1 {
		return l.newChain(), nil
	}
	f, err := openSegment(l.dir, n-1, os.O_RDONLY)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	last, err := lastCommit(f, info.Size())
	if err != nil {
		return nil, err
	}
	tree, _, err := l.commitTree(last)
	if err != nil {
		return nil, err
	}
	c := l.newChain()
	c.tree, c.covered, c.last = tree, tree.size, sha256.Sum256(last.link)
	e := entry{isHead: true, head: last.head, end: info.Size(), link: c.last}
	c.before, c.good = &e, mark{segment: n - 1, entry: e, tree: tree.clone()}
	return c, nil
}

func (l *Log) scanSegment(n int) (scanned, error) {
	f, err := openSegment(l.dir, n, os.O_RDONLY)
	if err != nil {
		return scanned{}, err
	}
	defer f.Close()
	return scan(f)
}

// cut removes what stands behind the end of the log and remembers to tell it. It
// is made durable before the next commit is written over the same place, so
// that no torn commit can mix with another.
func (l *Log) cut() error {
	t := &l.tail
	info, err := t.file.Stat()
	if err != nil || info.Size() == t.end {
		return err
	}
	sum := sha256.New()
	if _, err := io.Copy(sum, io.NewSectionReader(t.file, t.end, info.Size()-t.end)); err != nil {
		return err
	}
	t.repair = &RepairBody{
		Segment: segmentName(t.segment), Offset: t.end, Bytes: info.Size() - t.end,
		SHA256: hex.EncodeToString(sum.Sum(nil)),
	}
	return errors.Join(l.opt.disk.Truncate(t.file, t.end), l.opt.disk.Sync(t.file))
}
