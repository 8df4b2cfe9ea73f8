//go:build linux

package process

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Pause stops every process of the sandbox but init, so that none draws on the
// terminal or reads from it meanwhile. The returned function continues those
// that were stopped here, and may be called once.
//
// It is no boundary: SIGCONT from inside continues a process. Processes that
// appear while it goes on are stopped too.
func (s *session) Pause() (resume func(), err error) {
	var all []stopped
	resume = func() {
		slices.Reverse(all) // children first: a parent that looks finds no stopped child
		for _, p := range all {
			_ = unix.PidfdSendSignal(p.fd, unix.SIGCONT, nil, 0) // it may have ended
			_ = unix.Close(p.fd)
		}
	}
	for {
		pids, err := s.processes()
		if err != nil {
			resume()
			return nil, err
		}
		found := false
		for _, pid := range pids {
			if pid == s.pid || slices.ContainsFunc(all, func(p stopped) bool { return p.pid == pid }) {
				continue
			}
			p, err := s.stop(pid)
			if err != nil {
				resume()
				return nil, err
			}
			if p.fd >= 0 {
				all, found = append(all, p), true
			}
		}
		if !found {
			settled(all)
			return resume, nil
		}
	}
}

// settle is how long Pause waits for processes that are about to stop.
const settle = 50 * time.Millisecond

// settled waits a little until none of the processes runs: one that was told to
// stop may still be about to write.
func settled(all []stopped) {
	for end := time.Now().Add(settle); time.Now().Before(end); time.Sleep(time.Millisecond) {
		if !slices.ContainsFunc(all, func(p stopped) bool { return state(p.pid) == "R" }) {
			return
		}
	}
}

// A stopped is a process that Pause stopped.
type stopped struct{ pid, fd int }

// stop stops a process that runs; fd is -1 for one that is stopped or gone.
func (s *session) stop(pid int) (stopped, error) {
	fd, err := unix.PidfdOpen(pid, 0)
	if errors.Is(err, unix.ESRCH) {
		return stopped{pid, -1}, nil
	}
	if err != nil {
		return stopped{}, fmt.Errorf("stop process %d: %w", pid, err)
	}
	// Looked at again: the id may have become another process's.
	if !s.holds(pid) || state(pid) == "T" {
		return stopped{pid, -1}, unix.Close(fd)
	}
	if err := unix.PidfdSendSignal(fd, unix.SIGSTOP, nil, 0); err != nil {
		return stopped{pid, -1}, unix.Close(fd) // it has ended
	}
	return stopped{pid, fd}, nil
}

// state is the letter of proc_pid_stat(5) for a process; "" where it is gone.
func state(pid int) string { return stateIn("/proc/" + itoa(pid)) }

// threadState is that letter for a thread.
func threadState(pid, tid int) string { return stateIn("/proc/" + itoa(pid) + "/task/" + itoa(tid)) }

func stateIn(dir string) string {
	text, err := os.ReadFile(dir + "/stat")
	if err != nil {
		return ""
	}
	rest := string(text[strings.LastIndexByte(string(text), ')')+1:])
	f := strings.Fields(rest)
	if len(f) == 0 {
		return ""
	}
	return f[0]
}
