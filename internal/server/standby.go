package server

import (
	"errors"
	"io"
	"os/exec"
	"sync"
	"syscall"
	"time"

	"ambit.dev/ambit/internal/keep"
)

// A standby has keepers ready whose launchers stand by, so that a session begins in
// less time than a launcher does. None is needed: where there is none, or it is lost, a
// session is started from the beginning.
type standby struct {
	keeper, launcher, state, jobs string
	many                          int

	starting sync.WaitGroup

	mu     sync.Mutex
	ready  []*ready // guarded by mu
	coming int      // guarded by mu; that are about to be started
	closed bool     // guarded by mu
}

// ready is a keeper that waits for the folder of a job.
type ready struct {
	tell  io.WriteCloser
	ended chan struct{} // closed when it has
}

// after is how long nothing new is made ready once a session was begun: it has the
// processors first. And so is it where one was lost: a broken one is not started
// again and again.
const (
	afterUse  = 50 * time.Millisecond
	afterLoss = 5 * time.Second
)

// endWithin is how long those that nobody took have to end.
const endWithin = 5 * time.Second

// fill starts as many as are missing, after a while.
func (b *standby) fill(after time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for ; !b.closed && len(b.ready)+b.coming < b.many; b.coming++ {
		time.AfterFunc(after, b.add)
	}
}

// add starts one.
func (b *standby) add() {
	b.mu.Lock()
	if b.closed {
		b.mu.Unlock()
		return
	}
	b.starting.Add(1)
	b.mu.Unlock()
	r, cmd := b.start()
	b.mu.Lock()
	b.coming--
	if r != nil {
		b.ready = append(b.ready, r)
	}
	b.mu.Unlock()
	b.starting.Done()
	if r == nil {
		b.fill(afterLoss)
		return
	}
	_ = cmd.Wait() // how its job ended, the job's folder says
	close(r.ended)
	if b.drop(r) {
		b.fill(afterLoss)
	}
}

func (b *standby) start() (*ready, *exec.Cmd) {
	cmd := detached(b.keeper, "--"+keep.StandByFlag, b.launcher, b.state, b.jobs)
	tell, err := cmd.StdinPipe()
	if err != nil {
		return nil, nil
	}
	if err := cmd.Start(); err != nil {
		return nil, nil // who starts one for a session says why
	}
	return &ready{tell: tell, ended: make(chan struct{})}, cmd
}

// drop forgets one that nobody took.
func (b *standby) drop(r *ready) (was bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for i, other := range b.ready {
		if other == r {
			b.ready = append(b.ready[:i], b.ready[i+1:]...)
			return true
		}
	}
	return false
}

// take gives the job in a folder of jobs to one that is ready; nil where there is none.
func (b *standby) take(name string) *ready {
	for {
		b.mu.Lock()
		if len(b.ready) == 0 {
			b.mu.Unlock()
			return nil
		}
		r := b.ready[0]
		b.ready = b.ready[1:]
		b.mu.Unlock()
		b.fill(afterUse)
		_, err := io.WriteString(r.tell, name+"\n")
		if err = errors.Join(err, r.tell.Close()); err == nil {
			return r
		}
	}
}

// close ends those that nobody took, and gives them some time for it.
func (b *standby) close() {
	b.mu.Lock()
	b.closed = true
	b.mu.Unlock()
	b.starting.Wait()
	b.mu.Lock()
	ready := b.ready
	b.ready = nil
	b.mu.Unlock()
	for _, r := range ready {
		_ = r.tell.Close() // it ends by that
	}
	late := time.After(endWithin)
	for _, r := range ready {
		select {
		case <-r.ended:
		case <-late:
			return
		}
	}
}

// detached is a command in a session of its own: what ends the host at a terminal does
// not end it.
func detached(path string, args ...string) *exec.Cmd {
	cmd := exec.Command(path, args...)
	cmd.Dir, cmd.SysProcAttr = "/", &syscall.SysProcAttr{Setsid: true}
	return cmd
}
