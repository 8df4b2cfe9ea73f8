//go:build linux

package process

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/enforce"
)

var _ enforce.Freezer = (*session)(nil)

// Bounds of how long it takes until nothing runs, after how long all are stopped at once,
// how often it is looked while they stand still, and how often nothing new has to be seen
// where it cannot be counted what is made.
const (
	freezeWithin = 45 * time.Second
	stopAllAfter = time.Second
	freezeLook   = 50 * time.Millisecond
	quietLooks   = 3
)

// Freeze traces every thread of the sandbox but init, and has each stop.
//
// Security: SIGSTOP alone is none: a timer, a file or a parent's death can be made to send
// SIGCONT (timer_create(2), F_SETSIG, PR_SET_PDEATHSIG; TestPauseHolds has the timer). A thread that is stopped by its
// tracer is continued by that one and by nothing else (ptrace(2), "Stopped states"), and
// what it makes is traced and stopped from its first instruction. The tracer is a
// thread of this process, and its end ends all (PTRACE_O_EXITKILL): so a killed launcher
// leaves nothing. Init is not stopped; it runs Ambit's own code. A thread that waits in a
// call which cannot be broken off, as for an answer, stops when that returns, before
// anything of the program goes on.
func (s *session) Freeze() (way string, thaw func() error, err error) {
	s.freezing.Lock()
	defer s.freezing.Unlock()
	if s.frost == nil {
		s.frost = &frost{s: s, orders: make(chan frostOrder), all: map[int]*traced{}}
		go s.frost.run()
	}
	if err := s.frost.told(true); err != nil {
		return "", nil, fmt.Errorf("pause the session: %w", err)
	}
	return "traced, each thread stopped", func() error {
		if err := s.frost.told(false); err != nil && !errors.Is(err, errEnded) {
			return err
		}
		return nil
	}, nil
}

// A frost is the tracer of a sandbox's threads. All but told happens in its thread.
type frost struct {
	s      *session
	orders chan frostOrder

	tracer  int
	own     int             // of what count made last
	all     map[int]*traced // by thread
	stopped map[int]bool    // processes that were stopped before all were; nil: all were not
}

type frostOrder struct {
	freeze bool
	done   chan error
}

// A traced is a thread that is traced.
type traced struct {
	pid    int // of its process
	stands bool
	signal int // that it was about to get
}

// told has the tracer freeze or thaw.
func (f *frost) told(freeze bool) error {
	o := frostOrder{freeze, make(chan error, 1)}
	select {
	case f.orders <- o:
	case <-f.s.ended:
		return errEnded
	}
	select {
	case err := <-o.done:
		return err
	case <-f.s.ended:
		return errEnded
	}
}

// run carries orders out until the session has ended. Meanwhile it looks after what is
// traced: what appears is stopped, and what has ended is reaped, without which the
// sandbox could not end.
func (f *frost) run() {
	runtime.LockOSThread() // for good: a tracer is a thread
	f.tracer = unix.Gettid()
	frozen := false
	for {
		var look <-chan time.Time
		if frozen || len(f.all) > 0 {
			look = time.After(freezeLook)
		}
		select {
		case o := <-f.orders:
			var err error
			if o.freeze {
				if err = f.freeze(); err != nil {
					f.thaw()
				}
				frozen = err == nil
			} else {
				frozen = false
				f.thaw()
			}
			o.done <- err
		case <-look:
			if frozen {
				_, _ = f.seizeAll() // what cannot be seen now is seen at the next look
				f.reap()
			} else {
				f.letGo()
			}
		case <-f.s.ended:
			return
		}
	}
}

// freeze traces and stops until nothing runs, and nothing was made between two looks that
// found nothing new.
//
// Security: a process that is being made has its id before it can be seen, and is not
// traced where who makes it was not when it began to. So a look counts only where nothing
// that is traced ran when it began: what was being made then can be seen.
func (f *frost) freeze() error {
	begin := time.Now()
	f.stopped = nil
	if f.s.plan.Filter.NoSpawn { // there are threads to be made, and no processes
		f.stopAll()
	}
	last, quiet := 0, 0
	for quiet < quietLooks {
		still := !f.runs()
		seen, err := f.seizeAll()
		f.reap()
		if err != nil {
			return err
		}
		if time.Since(begin) > freezeWithin {
			return fmt.Errorf("it does not stand still within %v", freezeWithin)
		}
		before := last
		last = f.count()
		switch {
		case seen.found || !still || f.runs():
			quiet = 0
		case last > 0 && last == before+idsOfErrand:
			return nil // nothing was made since the look before this one
		case last == 0 && !seen.vanished: // it cannot be counted
			quiet++
		}
		if f.stopped == nil && time.Since(begin) > stopAllAfter {
			f.stopAll()
		}
		select {
		case <-f.s.ended:
			return errEnded
		case <-time.After(time.Millisecond):
		}
	}
	return nil
}

// idsOfErrand is how many processes init makes for an errand: what carries it out, and
// what keeps that.
const idsOfErrand = 2

// count has a process made inside, and returns its id there; 0 where none can be made.
// Ids are given one after another: between two that follow each other nothing else was
// made, no thread either.
func (f *frost) count() int {
	if f.s.plan.Filter.NoSpawn {
		return 0
	}
	e, err := f.s.send(errandToCount(), [3]int{-1, -1, -1})
	if err != nil {
		return 0
	}
	defer e.close()
	said, err := e.first()
	if err != nil {
		return 0
	}
	f.own = said.pid
	now, err := readStatus("/proc/"+itoa(said.pid), "NSpid")
	if _, e := e.line.Write([]byte{1}); err != nil || e != nil {
		return 0
	}
	ids := strings.Fields(now["NSpid"])
	if len(ids) < 2 {
		return 0
	}
	n, err := strconv.Atoi(ids[len(ids)-1])
	if err != nil {
		return 0
	}
	return n
}

// seen is what a look at the processes of this machine found.
type seen struct {
	found    bool // something of the sandbox that was not traced yet
	vanished bool // something that ended meanwhile, of whomever
}

// seizeAll traces what is not traced yet.
func (f *frost) seizeAll() (all seen, err error) {
	own, err := os.Readlink("/proc/" + itoa(f.s.pid) + "/ns/pid")
	if err != nil {
		return all, fmt.Errorf("look at the sandbox: %w", err)
	}
	names, err := os.ReadDir("/proc")
	if err != nil {
		return all, err
	}
	for _, name := range names {
		pid, err := strconv.Atoi(name.Name())
		if err != nil || pid == f.s.pid || pid == f.own {
			continue
		}
		switch ns, err := os.Readlink("/proc/" + name.Name() + "/ns/pid"); {
		case errors.Is(err, fs.ErrNotExist):
			all.vanished = true
			continue
		case err != nil || ns != own:
			continue
		}
		found, err := f.seizeProcess(pid)
		if err != nil {
			return all, err
		}
		all.found = all.found || found
	}
	return all, nil
}

// seizeProcess traces the threads of a process that are not traced yet.
func (f *frost) seizeProcess(pid int) (found bool, err error) {
	threads, err := os.ReadDir("/proc/" + itoa(pid) + "/task")
	if err != nil {
		return true, nil //nolint:nilerr // it has ended, and may have made others
	}
	for _, t := range threads {
		tid, err := strconv.Atoi(t.Name())
		if err != nil || f.all[tid] != nil {
			continue
		}
		some, err := f.seize(pid, tid)
		if err != nil {
			return found, err
		}
		found = found || some
	}
	return found, nil
}

// seize traces a thread and has it stop; false for one that has ended.
func (f *frost) seize(pid, tid int) (found bool, err error) {
	const options = unix.PTRACE_O_EXITKILL | unix.PTRACE_O_TRACECLONE | unix.PTRACE_O_TRACEFORK | unix.PTRACE_O_TRACEVFORK
	err = ptrace(unix.PTRACE_SEIZE, tid, options)
	switch {
	case err == nil && !f.s.holds(pid): // its id was another's meanwhile
		f.all[tid] = &traced{pid: pid}
		return true, errors.Join(fmt.Errorf("process %d is none of the sandbox", pid), ptrace(unix.PTRACE_INTERRUPT, tid, 0))
	case err == nil:
		f.all[tid] = &traced{pid: pid}
		_ = ptrace(unix.PTRACE_INTERRUPT, tid, 0) // it has ended
		return true, nil
	case errors.Is(err, unix.ESRCH):
		return true, nil
	}
	switch now := threadState(pid, tid); {
	case now == "Z" || now == "X":
		return false, nil
	case now == "" || f.tracedBy(pid, tid): // ended; or stopped from its beginning, since what made it is traced
		if now != "" {
			f.all[tid] = &traced{pid: pid}
		}
		return true, nil
	}
	return true, fmt.Errorf("process %d cannot be traced: %w", pid, err)
}

// reap takes what the kernel says of what is traced.
func (f *frost) reap() {
	for tid, t := range f.all {
		var ws unix.WaitStatus
		got, err := unix.Wait4(tid, &ws, unix.WNOHANG|unix.WALL, nil)
		switch {
		case errors.Is(err, unix.ECHILD), got == tid && (ws.Exited() || ws.Signaled()):
			delete(f.all, tid)
		case got == tid && ws.Stopped():
			t.stands, t.signal = true, 0
			if uint32(ws)>>16 == 0 { // about to get a signal
				t.signal = int(ws.StopSignal())
			}
		}
	}
}

// runs reports whether a thread that is traced runs.
func (f *frost) runs() bool {
	for tid, t := range f.all {
		if threadState(t.pid, tid) == "R" {
			return true
		}
	}
	return false
}

// stopAll stops every process at once, for programs that make others faster than they are
// found: to send a signal to all of a namespace the kernel lets none be made meanwhile
// (kill(2) and copy_process both hold the list of tasks).
func (f *frost) stopAll() {
	f.stopped = map[int]bool{}
	pids, err := f.s.processes()
	if err != nil {
		return // the next look says it
	}
	for _, pid := range pids {
		f.stopped[pid] = state(pid) == "T"
	}
	if f.s.plan.Filter.NoSpawn { // there are only threads to be made
		for _, pid := range pids {
			if pid != f.s.pid {
				f.s.signal(pid, unix.SIGSTOP)
			}
		}
		return
	}
	e, err := f.s.send(errandToStop(), [3]int{-1, -1, -1})
	if err != nil {
		return // as above
	}
	_, _ = e.first() // as above
	e.close()
}

// signal sends a signal to a process of the sandbox, if it is one still: its id may have
// become another's.
func (s *session) signal(pid int, sig unix.Signal) {
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return // it has ended
	}
	if s.holds(pid) {
		_ = unix.PidfdSendSignal(fd, sig, nil, 0) // as above
	}
	_ = unix.Close(fd)
}

// thaw lets go of what is traced.
func (f *frost) thaw() {
	f.letGo()
	if f.stopped == nil {
		return
	}
	pids, err := f.s.processes()
	if err != nil {
		return // it has ended
	}
	for _, pid := range pids {
		if pid != f.s.pid && !f.stopped[pid] {
			f.s.signal(pid, unix.SIGCONT)
		}
	}
	f.stopped = nil
}

// letGo lets go of what stands. What still waits in a call is let go when it stops.
func (f *frost) letGo() {
	f.reap()
	for tid, t := range f.all {
		if t.signal == int(unix.SIGSTOP) && f.stopped != nil && !f.stopped[t.pid] {
			t.signal = 0 // it is stopAll's, and would come behind what continues it
		}
		if t.stands && ptrace(unix.PTRACE_DETACH, tid, t.signal) == nil {
			delete(f.all, tid)
		}
	}
}

// tracedBy reports whether this tracer traces a thread.
func (f *frost) tracedBy(pid, tid int) bool {
	now, err := readStatus("/proc/"+itoa(pid)+"/task/"+itoa(tid), "TracerPid")
	return err == nil && now["TracerPid"] == itoa(f.tracer)
}

func ptrace(request, tid, data int) error {
	if _, _, errno := unix.Syscall6(unix.SYS_PTRACE, uintptr(request), uintptr(tid), 0, uintptr(data), 0, 0); errno != 0 {
		return errno
	}
	return nil
}
