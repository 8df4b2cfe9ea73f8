package audit

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"time"

	"ambit.dev/ambit/internal/core/trace"
)

const (
	defaultSegment = 8 << 20
	maxCommit      = 4 << 20 // bytes after which a commit takes no further request
)

// ErrClosed is returned by the methods of a Log that was closed.
var ErrClosed = errors.New("the log is closed")

// ErrDamaged says that the log cannot be continued, because what it holds is
// not what a crash leaves. Verify tells where.
var ErrDamaged = errors.New("the audit log is damaged; `ambit audit verify` tells where")

// Options of Open. The zero value is the usual choice.
type Options struct {
	SegmentSize int64            // a new segment is begun when one has this many bytes; 0: 8 MiB
	Now         func() time.Time // nil: time.Now
	// Waits is told who holds the lock of the log when something waits long for it;
	// nil: nobody is. It may be called at any time, and must not use the log.
	Waits func(Holder)
	Trace trace.Parent // of the records that say no other; none: they belong to none

	disk disk          // nil: that of the host
	boot func() string // nil: that of the host
}

// Log appends to the log of one folder. It is safe for use by many goroutines;
// any number of processes may have the same folder open.
type Log struct {
	dir  string
	opt  Options
	key  signer
	tail tail // guarded by the lock of the folder

	// broken is why nothing can be appended any more: a commit failed and could
	// not be taken back. Guarded by the lock of the folder.
	broken error

	took tookOf

	mu      sync.Mutex
	queue   []*request // guarded by mu
	leading bool       // guarded by mu: some request commits
	closed  bool       // guarded by mu
}

// request is one call of Append that waits to be committed.
type request struct {
	records []Record
	soon    bool // it may be acknowledged before it is on the disk
	bytes   int
	done    chan struct{} // closed when records or err is final
	err     error
	lead    chan struct{} // closed when this request must commit the queue
	leader  bool          // guarded by Log.mu: lead is closed
}

// Open opens the log in dir, which it makes, with a new key, if it is not
// there. It reads no segment: a log that cannot be continued shows at the first
// Append. A folder with segments but without key or head file is an error.
func Open(dir string, opt Options) (*Log, error) {
	if opt.SegmentSize == 0 {
		opt.SegmentSize = defaultSegment
	}
	if opt.Now == nil {
		opt.Now = time.Now
	}
	if opt.disk == nil {
		opt.disk = osDisk{}
	}
	if opt.boot == nil {
		opt.boot = hostBoot
	}
	l := &Log{dir: dir, opt: opt}
	_, err := os.Lstat(filepath.Join(dir, "head"))
	if errors.Is(err, os.ErrNotExist) {
		err = l.create()
	}
	if err != nil {
		return nil, fmt.Errorf("open audit log %q: %w", dir, err)
	}
	if l.key, err = loadKey(dir); err != nil {
		return nil, fmt.Errorf("open audit log %q: %w", dir, err)
	}
	return l, nil
}

// create makes an empty log. The head file is made last: a folder that has one
// has everything. What a crash leaves before that is made again or used.
func (l *Log) create() error {
	if err := makeDir(l.opt.disk, l.dir); err != nil {
		return err
	}
	//nolint:forbidigo // Open has no context; what it waits for is others who make the same log
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	unlock, err := lock(ctx, l.dir, syscall.LOCK_EX, l.opt.Waits)
	if err != nil {
		return err
	}
	defer unlock()
	headPath, keyPath := filepath.Join(l.dir, "head"), filepath.Join(l.dir, "key")
	if _, err := os.Lstat(headPath); err == nil {
		return nil // another process was faster
	}
	if segments, err := listSegments(l.dir); err != nil {
		return err
	} else if len(segments) > 0 {
		return fmt.Errorf("%w: its head file is missing", ErrDamaged)
	}
	if _, err := os.Lstat(keyPath); errors.Is(err, os.ErrNotExist) {
		content, _, err := newKey()
		if err != nil {
			return err
		}
		if err := placeFile(l.opt.disk, keyPath, []byte(content), 0o600); err != nil {
			return err
		}
	}
	key, err := loadKey(l.dir)
	if err != nil {
		return err
	}
	if err := placeFile(l.opt.disk, keyPath+".pub", []byte(key.public+"\n"), 0o644); err != nil {
		return err
	}
	var none peaks
	head, err := signHead(key.sign, Head{Root: none.root()})
	if err != nil {
		return err
	}
	content, err := head.padded()
	if err != nil {
		return err
	}
	return placeFile(l.opt.disk, headPath, content, 0o644)
}

// Append adds records, in order and next to each other, and returns them with
// Seq, Time and Prev once they are durable. On an error none of them counts:
// they are not in the log, unless the process dies first. Calls that meet share a commit.
//
// Security: whoever acts on an answer acts after this has returned; what is in
// the log then survives a crash of process and machine. It does not survive
// someone who may write the folder, but Verify shows that.
func (l *Log) Append(ctx context.Context, records ...Record) ([]Record, error) {
	return l.append(ctx, &request{records: slices.Clone(records)})
}

// AppendSoon is Append that does not wait for the disk: for what nobody acts on, as the
// end of what was recorded before. The records survive this process from when it
// returns, and the machine from when the kernel has written them, within seconds or as
// the next one is appended. Verify misses them as any other until the machine
// begins anew, and then says what may have been lost (VerifyResult.Lost).
func (l *Log) AppendSoon(ctx context.Context, records ...Record) ([]Record, error) {
	return l.append(ctx, &request{records: slices.Clone(records), soon: true})
}

// Ready does what an Append does before it writes, so that the next one need not, unless
// something else has been appended by then: it reads the end of the log, and waits until
// that is on the disk. It repairs nothing: whoever does has to say so. An error is the
// next Append's, too, or that there is something to repair.
func (l *Log) Ready(ctx context.Context) error {
	r := &request{soon: true, done: make(chan struct{}), lead: make(chan struct{})}
	if err := l.enqueue(r); err != nil {
		return fmt.Errorf("read the end of the audit log: %w", err)
	}
	if err := l.wait(ctx, r); err != nil {
		return fmt.Errorf("read the end of the audit log: %w", err)
	}
	return nil
}

// append has r, a new request, committed.
func (l *Log) append(ctx context.Context, r *request) ([]Record, error) {
	if len(r.records) == 0 {
		return nil, ctx.Err()
	}
	r.done, r.lead = make(chan struct{}), make(chan struct{})
	for i := range r.records {
		var err error
		if r.records[i].Trace.None() {
			r.records[i].Trace = l.opt.Trace
		}
		if r.records[i], err = checkNew(r.records[i]); err != nil {
			return nil, fmt.Errorf("append to audit log: %w", err)
		}
		r.bytes += len(r.records[i].Body) + 512
	}
	if r.bytes > 64<<20 {
		return nil, fmt.Errorf("append to audit log: %d bytes at once", r.bytes)
	}
	began := time.Now()
	if err := l.enqueue(r); err != nil {
		return nil, fmt.Errorf("append to audit log: %w", err)
	}
	if err := l.wait(ctx, r); err != nil {
		return nil, fmt.Errorf("append to audit log: %w", err)
	}
	l.took.note(time.Since(began))
	return r.records, nil
}

// enqueue adds r to the queue; if nobody leads, r does.
func (l *Log) enqueue(r *request) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return ErrClosed
	}
	l.queue = append(l.queue, r)
	if !l.leading {
		l.leading = true
		l.promote()
	}
	return nil
}

// promote makes the first of the queue the leader. l.mu is held.
func (l *Log) promote() {
	l.queue[0].leader = true
	close(l.queue[0].lead)
}

// wait returns when r is committed or failed, and leads if it is its turn.
func (l *Log) wait(ctx context.Context, r *request) error {
	select {
	case <-r.lead:
		l.leadCommit(ctx, r)
	case <-r.done:
	case <-ctx.Done():
		if l.withdraw(r) {
			return ctx.Err()
		}
		select { // too late: it is being written, or it is its turn
		case <-r.lead:
			l.leadCommit(ctx, r)
		case <-r.done:
		}
	}
	<-r.done
	return r.err
}

// withdraw takes r out of the queue, unless it is being committed or leads.
func (l *Log) withdraw(r *request) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	i := slices.Index(l.queue, r)
	if i < 0 || r.leader {
		return false
	}
	l.queue = slices.Delete(l.queue, i, i+1)
	return true
}

// leadCommit commits r, the first of the queue, and what waits behind it, and
// hands the lead on. If the lock cannot be had, r alone fails: its context is
// not that of the others.
func (l *Log) leadCommit(ctx context.Context, r *request) {
	batch := []*request{r}
	unlock, err := lock(ctx, l.dir, syscall.LOCK_EX, l.opt.Waits)
	l.mu.Lock()
	if err == nil {
		batch = l.take()
	} else {
		l.queue = slices.Delete(l.queue, 0, 1)
	}
	l.mu.Unlock()
	if err == nil {
		err = l.commit(batch)
		unlock()
	}
	for _, b := range batch {
		b.err = err
		close(b.done)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.leading = len(l.queue) > 0; l.leading {
		l.promote()
	} else if l.closed {
		l.tail.close()
	}
}

// take removes from the queue what one commit may hold. l.mu is held.
func (l *Log) take() []*request {
	n, bytes := 0, 0
	for n < len(l.queue) && (n == 0 || bytes+l.queue[n].bytes <= maxCommit) {
		bytes += l.queue[n].bytes
		n++
	}
	batch := slices.Clone(l.queue[:n])
	l.queue = slices.Delete(l.queue, 0, n)
	return batch
}

// Close ends the use of l. Appends that have begun still end.
func (l *Log) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil
	}
	l.closed = true
	if !l.leading {
		l.tail.close()
	}
	return nil
}
