package server

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"slices"
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

	mu       sync.Mutex
	ready    []*ready // guarded by mu; also the one that is being made
	busy     bool     // guarded by mu; one is being made
	sessions int      // guarded by mu; that begin
	closed   bool     // guarded by mu
}

// ready is a keeper that waits for the folder of a job. One that is nil is none.
type ready struct {
	name   *os.File      // where it is told the folder
	launch *os.File      // where its launcher is told what to launch
	stands bool          // guarded by standby.mu; its launcher does
	told   bool          // its launcher was, of the job; whoever took it has it
	ended  chan struct{} // closed when it has
}

// What a session is begun by: a launcher that stood by, or a new one.
const (
	byStanding = "standing"
	byNew      = "new"
)

// A session that begins has the processors first: nothing new is made ready for at most
// that long, and for a while after it. And so is it where one was lost: a broken one is
// not started again and again.
const (
	duringUse = 50 * time.Millisecond
	afterUse  = 5 * time.Millisecond
	afterLoss = 5 * time.Second
)

// endWithin is how long those that nobody took have to end.
const endWithin = 5 * time.Second

// hold has nothing made ready while a session begins, until its answer is called.
func (b *standby) hold() (over func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.sessions++
	over = sync.OnceFunc(func() {
		b.mu.Lock()
		b.sessions--
		b.mu.Unlock()
		time.AfterFunc(afterUse, b.next)
	})
	time.AfterFunc(duringUse, over)
	return over
}

// next starts one that is missing. They are made one after the other: what begins
// meanwhile finds a processor.
func (b *standby) next() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed || b.busy || b.sessions > 0 || len(b.ready) >= b.many {
		return
	}
	b.busy = true
	b.starting.Add(1)
	go b.add()
}

// add starts one, and waits until it stands.
func (b *standby) add() {
	r, cmd, stands := b.start()
	b.mu.Lock()
	if r != nil {
		b.ready = append(b.ready, r)
	}
	b.mu.Unlock()
	b.starting.Done()
	said := 0
	if r != nil {
		go b.wait(r, cmd)
		said, _ = stands.Read(make([]byte, 1))
		_ = stands.Close() // nothing was written
	}
	b.mu.Lock()
	if b.busy = false; said > 0 {
		r.stands = true
	}
	b.mu.Unlock()
	if said > 0 {
		b.next()
		return
	}
	time.AfterFunc(afterLoss, b.next)
}

// wait waits for the end of one.
func (b *standby) wait(r *ready, cmd *exec.Cmd) {
	_ = cmd.Wait() // how its job ended, the job's folder says
	close(r.ended)
	if b.drop(r) {
		time.AfterFunc(afterLoss, b.next)
	}
}

// start starts one. What says that its launcher stands comes by stands.
func (b *standby) start() (r *ready, cmd *exec.Cmd, stands *os.File) {
	cmd = detached(b.keeper, "--"+keep.StandByFlag, b.launcher, b.state, b.jobs)
	var own, its [3]*os.File
	var err error
	for i := range own {
		read, write, bad := os.Pipe()
		own[i], its[i], err = write, read, errors.Join(err, bad)
	}
	own[2], its[2] = its[2], own[2]
	if err == nil {
		cmd.Stdin, cmd.ExtraFiles = its[0], its[1:]
		err = cmd.Start()
	}
	for _, f := range its {
		_ = f.Close() // nothing was written
	}
	r = &ready{name: own[0], launch: own[1], ended: make(chan struct{})}
	if err != nil {
		r.discard()
		_ = own[2].Close()
		return nil, nil, nil // who starts one for a session says why
	}
	return r, cmd, own[2]
}

// drop forgets one that nobody took.
func (b *standby) drop(r *ready) (was bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	i := slices.Index(b.ready, r)
	if i < 0 {
		return false
	}
	b.ready = slices.Delete(b.ready, i, i+1)
	r.discard()
	return true
}

// take has one that stands, and tells its launcher what to launch, where that can. The
// job is its own with run. nil where there is none: a new launcher begins sooner than one
// that is being made and rehearses first.
func (b *standby) take(j keep.Job) *ready {
	for {
		r := b.first()
		if r == nil || r.tell(j) {
			return r
		}
		r.discard()
	}
}

func (b *standby) first() *ready {
	b.mu.Lock()
	defer b.mu.Unlock()
	i := slices.IndexFunc(b.ready, (*ready).standing)
	if i < 0 {
		return nil
	}
	r := b.ready[i]
	b.ready = slices.Delete(b.ready, i, i+1)
	return r
}

func (r *ready) standing() bool { return r.stands }

// standing is how many stand.
func (b *standby) standing() (n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, r := range b.ready {
		if r.stands {
			n++
		}
	}
	return n
}

// tell tells the launcher of a job. It does nothing about it but prepare before its
// keeper says that the job is its own.
func (r *ready) tell(j keep.Job) bool {
	l, ok := j.Launch()
	if !ok {
		return r.launch.Close() == nil // its keeper starts another one
	}
	text, err := json.Marshal(l)
	if err != nil {
		return false
	}
	r.told = true
	write := func() error {
		_, err := r.launch.Write(text)
		return errors.Join(err, r.launch.Close())
	}
	const room = 32 << 10 // that a pipe has
	if len(text) > room {
		go write() //nolint:errcheck // one that is gone is found by its end
		return true
	}
	return write() == nil
}

// run says which folder its job has. It is false where there is none that could do it.
func (r *ready) run(id string) bool {
	if r == nil {
		return false
	}
	line := id
	if r.told {
		line += " " + keep.Told
	}
	_, err := r.name.WriteString(line + "\n")
	return errors.Join(err, r.name.Close()) == nil
}

// launcher is a word for the launcher that its job has.
func (r *ready) launcher() string {
	if r.told {
		return byStanding
	}
	return byNew
}

// discard ends one that has no job.
func (r *ready) discard() {
	if r != nil { // what is closed already stays so
		_ = r.launch.Close()
		_ = r.name.Close()
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
		r.discard() // it ends by that
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
