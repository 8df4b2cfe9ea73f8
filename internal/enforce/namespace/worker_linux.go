package namespace

import (
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// WorkerLine is the descriptor over which a worker is told to go on. Rows of a
// worker leave it alone.
const WorkerLine = 3

// A Worker is a process in namespaces of its own that performs rows of calls,
// one after another, for as long as it is wanted. It shares this process's
// memory, and has a copy of its descriptors until the first row closes what it
// does not need. It runs no Go code, so it can enter namespaces that a process
// with threads cannot.
type Worker struct {
	over atomic.Bool // it is to end

	mu sync.Mutex // one row at a time; guards all below
	// line blocks: the runtime's way of waiting wakes one thread more each time it is
	// written to, and each time it can be read. It is hung up without mu.
	line int
	// The process goes round these three: it waits, does the job, says so.
	wait, job, done List
	ended           chan struct{}
}

// StartWorker makes a worker and has it perform first. It has ended with an
// error if a step of first does not do what it must.
//
// Security: the worker is made without locking out other starts of processes,
// so first has to begin by closing what it does not need; what it needs stands
// at 16 and above. It is killed when the
// thread that made it ends, and that lives as long as the worker.
func StartWorker(first *List) (*Worker, error) {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("make the line to a worker: %w", err)
	}
	w := &Worker{line: pair[0], ended: make(chan struct{})}
	w.wait.Call("wait for work", unix.SYS_READ, N(WorkerLine), w.wait.Bytes(make([]byte, 1)), N(1)).MustYield(1)
	w.done.Call("say that it is done", unix.SYS_WRITE, N(WorkerLine), w.done.Bytes(make([]byte, 1)), N(1)).MustYield(1)
	w.wait.next, w.job.next, w.done.next = &w.job, &w.done, &w.wait
	w.job.soft = true
	head := &List{Flags: first.Flags}
	head.Call("set up the line to a worker", unix.SYS_DUP3, N(pair[1]), N(WorkerLine), N(0))
	head.next, first.next = first, &w.done
	go w.run(head)
	if err := w.hear(); err != nil {
		w.hangUp()
		<-w.ended
		_, _ = unix.Close(pair[0]), unix.Close(pair[1])
		return nil, errors.Join(head.refusal(first), err)
	}
	return w, unix.Close(pair[1])
}

// refusal is the step of a worker's beginning that failed.
func (l *List) refusal(first *List) error {
	for _, row := range []*List{l, first} {
		if err := row.failure(); err != nil {
			return err
		}
	}
	return nil
}

// run owns the thread to which the kernel binds the life of the worker.
func (w *Worker) run(head *List) {
	defer close(w.ended)
	runtime.LockOSThread() // never unlocked: the thread ends with this goroutine
	pid, errno := forkExec(head, false)
	runtime.KeepAlive(head)
	if errno != 0 {
		head.failed, head.errno = 1, errno
		w.hangUp() // whoever waits for the first word hears that there is none
		return
	}
	for {
		if _, err := unix.Wait4(pid, nil, 0, nil); !errors.Is(err, unix.EINTR) {
			break
		}
	}
	w.hangUp()
}

// hangUp ends every wait on the line, at either end.
func (w *Worker) hangUp() { _ = unix.Shutdown(w.line, unix.SHUT_RDWR) }

// hear waits until the row is done, with a thread: the kernel wakes it up directly.
func (w *Worker) hear() error {
	for {
		n, err := unix.Read(w.line, make([]byte, 1))
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case err == nil && n == 0:
			return errWorkerGone
		}
		return err
	}
}

var errWorkerGone = errors.New("the worker has ended")

// Do has the worker perform l, and waits for it. A step that fails ends the
// row and is the error; the worker goes on.
func (w *Worker) Do(l *List) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.job.steps, w.job.slots, w.job.alive = l.steps, l.slots, l.alive
	w.job.failed, w.job.errno = 0, 0
	if w.over.Load() {
		return errWorkerGone
	}
	if err := unix.Send(w.line, []byte{1}, unix.MSG_NOSIGNAL); err != nil {
		return fmt.Errorf("%w: %w", errWorkerGone, err)
	}
	if err := w.hear(); err != nil {
		return fmt.Errorf("%w: %w", errWorkerGone, err)
	}
	return w.job.failure()
}

// Close ends the worker and waits until it is gone.
func (w *Worker) Close() error {
	if w.over.Swap(true) {
		<-w.ended
		return nil
	}
	w.hangUp() // also a row that is under way
	<-w.ended
	w.mu.Lock()
	defer w.mu.Unlock()
	return unix.Close(w.line)
}
