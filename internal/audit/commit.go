package audit

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/mod/sumdb/tlog"
)

// tail is the end of the log as the last commit left it. It holds as long as
// the segment has this length; the zero value means that it must be read.
type tail struct {
	segment int      // number of the last segment, 0: there is none
	file    *os.File // that segment
	hashes  *os.File // the file of hashes
	head    *os.File // the head file
	end     int64    // bytes of the segment that are committed
	tree    peaks
	prev    string      // of the next record
	repair  *RepairBody // what was cut off and is still to be told
	loaded  bool
	ahead   bool // of the disk: the last commit may not be on it
}

func (t *tail) close() {
	for _, f := range []*os.File{t.file, t.hashes, t.head} {
		if f != nil {
			f.Close()
		}
	}
	*t = tail{}
}

// group is a commit in the making.
type group struct {
	lines  []byte
	stored []tlog.Hash
	tree   peaks
	prev   string // of the next record
	head   Head
}

// onDisk reports whether the commit is to be on the disk before it is acknowledged.
func (g group) onDisk() bool { return g.head.Boot == "" }

// commit writes the records of batch. The lock of the folder is held.
func (l *Log) commit(batch []*request) error {
	if l.broken != nil {
		return l.broken
	}
	more := slices.ContainsFunc(batch, func(r *request) bool { return len(r.records) > 0 })
	if err := l.refresh(more); err != nil {
		l.tail.close()
		return err
	}
	if err := l.settle(); err != nil {
		l.tail.close()
		return err
	}
	if !more {
		return nil
	}
	if err := l.rotate(); err != nil {
		l.tail.close()
		return err
	}
	g, err := l.build(batch)
	if err != nil {
		return err
	}
	if err := l.write(g); err != nil {
		l.tail.close()
		return err
	}
	t := &l.tail
	t.end += int64(len(g.lines))
	t.tree, t.prev, t.repair, t.ahead = g.tree, g.prev, nil, !g.onDisk()
	l.publish(g.head)
	return nil
}

// settle has the last commit on the disk before another one is written behind it: what a
// crash leaves torn is the last one then, and can be told from what was changed.
func (l *Log) settle() error {
	t := &l.tail
	if !t.ahead {
		return nil
	}
	if err := l.opt.disk.Sync(t.file); err != nil {
		return err
	}
	t.ahead = false
	return nil
}

// soonIn is the boot that the head of batch names; "" if it has to be on the disk before it is
// acknowledged: where somebody waits for that, where the name of a new segment has to
// be as well, and where boots cannot be told apart.
func (l *Log) soonIn(batch []*request) string {
	if l.tail.end == 0 || slices.ContainsFunc(batch, func(r *request) bool { return !r.soon }) {
		return ""
	}
	return l.opt.boot()
}

// build makes the lines of a commit: what the log itself has to say first.
func (l *Log) build(batch []*request) (group, error) {
	g := group{tree: l.tail.tree.clone(), prev: l.tail.prev, lines: make([]byte, 0, room(batch))}
	var last int
	add := func(r *Record) {
		r.Seq, r.Time, r.Prev = g.tree.size+1, l.opt.Now().UTC(), g.prev
		last = len(g.lines)
		g.lines = append(r.appendLine(g.lines), '\n')
		g.stored = g.tree.add(tlog.RecordHash(g.lines[last:len(g.lines)-1]), g.stored)
		g.prev = hexSum(g.lines[last:])
	}
	var own []Body
	if g.tree.size == 0 {
		own = append(own, OpenBody{Version: 1, Origin: l.key.verify.Name(), Key: l.key.public})
	}
	if l.tail.repair != nil {
		own = append(own, *l.tail.repair)
	}
	for _, b := range own {
		r, err := New(b)
		if err != nil {
			return group{}, bug(err)
		}
		add(&r)
	}
	for _, b := range batch {
		for i := range b.records {
			add(&b.records[i])
		}
	}
	g.head = Head{Size: g.tree.size, Root: g.tree.root()}
	if g.head.Boot = l.soonIn(batch); g.head.Boot != "" {
		g.head.Synced = l.tail.tree.size
	}
	var err error
	if g.head, err = signHead(l.key.sign, g.head); err != nil {
		return group{}, err
	}
	g.lines = append(g.head.appendLine(g.lines), '\n')
	g.prev = hexSum(g.lines[last:])
	return g, nil
}

// room is what the lines of a batch and its head usually take.
func room(batch []*request) int {
	const each, head = 384, 1024 // beside the body
	n := head
	for _, b := range batch {
		for i := range b.records {
			n += each + len(b.records[i].Body)
		}
	}
	return n
}

// rotate begins a new segment if the last is full, or if there is none. What
// the new one rests on is made durable first.
func (l *Log) rotate() error {
	t, d := &l.tail, l.opt.disk
	if t.segment > 0 && t.end < l.opt.SegmentSize {
		return nil
	}
	if t.segment > 0 {
		if err := errors.Join(d.Sync(t.file), d.Sync(t.hashes)); err != nil {
			return err
		}
	}
	f, err := d.Create(filepath.Join(l.dir, segmentName(t.segment+1)), 0o600)
	if err != nil {
		return err
	}
	if t.file != nil {
		t.file.Close()
	}
	t.segment, t.file, t.end = t.segment+1, f, 0
	return nil
}

// write makes a commit durable, or takes it back and fails.
//
// Security: nil means that the lines are on the disk, unless the head says that they may
// not be. After an error the
// segment is as long as before; if even that fails, the next writer finds a torn
// commit or, if all of it was written, a whole one that nobody was told of.
func (l *Log) write(g group) error {
	t, d := &l.tail, l.opt.disk
	if err := d.WriteAt(t.hashes, flatten(g.stored), hashOffset(t.tree.size)); err != nil {
		return err
	}
	err := d.WriteAt(t.file, g.lines, t.end)
	if err == nil && g.onDisk() {
		err = d.Sync(t.file)
	}
	if err == nil && t.end == 0 {
		err = d.SyncDir(l.dir)
	}
	if err != nil {
		if undo := d.Truncate(t.file, t.end); undo != nil {
			l.broken = fmt.Errorf("an earlier commit failed (%w) and could not be taken back: %w", err, undo)
			return l.broken
		}
	}
	return err
}

// publish overwrites the head file. It is allowed to fail: the commit stands,
// and an older head is what the head file may hold at any time.
func (l *Log) publish(h Head) {
	if content, err := h.padded(); err == nil {
		_ = l.opt.disk.WriteAt(l.tail.head, content, 0)
	}
}

func hexSum(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}
