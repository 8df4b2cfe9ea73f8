package keep

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

// StandBy is Run for a job that is not there yet. It has the launcher stand by, waits
// for the name of the job's folder in dir, which is one line, and runs it. Where told
// ends without one there is nothing to run.
//
// Security: like Run it is for a process of its own, and the launcher ends with it.
func StandBy(told io.Reader, launcher, state, dir string, most int64) error {
	runtime.LockOSThread() // as in run
	w, err := newWaiting(launcher, state)
	if err != nil {
		return err
	}
	named := make(chan string)
	go func() {
		defer close(named)
		if name, err := bufio.NewReader(told).ReadString('\n'); err == nil {
			named <- name
		}
	}()
	select {
	case <-w.gone:
		return w.discard() // another one takes its place
	case name, ok := <-named:
		if !ok {
			return w.discard() // whoever wanted it is gone
		}
		return runJob(filepath.Join(dir, strings.TrimSuffix(name, "\n")), most, w)
	}
}

// waiting is a launcher that stands by.
type waiting struct {
	cmd      *exec.Cmd
	tell     *os.File // where the launch is written
	out, err io.ReadCloser
	gone     chan struct{} // closed when it has ended
	claimed  chan bool     // whether the job is its own, once that is known; nil: it was told of none
}

func newWaiting(launcher, state string) (*waiting, error) {
	w := &waiting{cmd: exec.Command(launcher, "run", "--"+StandByFlag, StateFlag+state)}
	w.cmd.Args[0], w.cmd.SysProcAttr = filepath.Base(launcher), withThis()
	read, write, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer read.Close()
	w.tell, w.cmd.ExtraFiles = write, []*os.File{read} // StandByFD
	var bad [2]error
	w.out, bad[0] = w.cmd.StdoutPipe()
	w.err, bad[1] = w.cmd.StderrPipe()
	if err := errors.Join(bad[:]...); err != nil {
		return nil, errors.Join(err, write.Close())
	}
	if err := w.cmd.Start(); err != nil {
		return nil, errors.Join(err, write.Close())
	}
	w.gone = goneWith(w.cmd.Process.Pid)
	return w, nil
}

// goneWith is closed when a child has ended; never where the kernel does not tell.
func goneWith(pid int) chan struct{} {
	gone := make(chan struct{})
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return gone
	}
	go func() {
		defer unix.Close(fd) //nolint:errcheck // nothing was written
		poll := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
		for {
			if _, err := unix.Poll(poll, -1); !errors.Is(err, unix.EINTR) {
				close(gone)
				return
			}
		}
	}()
	return gone
}

// serves reports whether a job can be run by it: its standard input is empty, and a
// pipe would be another thing to programs than that.
func (w *waiting) serves(j Job) bool {
	select {
	case <-w.gone:
		return false
	default:
	}
	return j.Path == w.cmd.Path && len(j.Stdin) == 0 && j.Terminal == nil && j.Session == ""
}

// discard ends the launcher, which has launched nothing.
func (w *waiting) discard() error {
	if w == nil {
		return nil
	}
	var err error
	if w.claimed != nil {
		close(w.claimed)
	} else {
		err = w.tell.Close()
	}
	_ = w.cmd.Wait() // it does nothing more
	return err
}

// announce tells it of a job, which it prepares. It does nothing about it before it is
// told that the job is its own.
func (w *waiting) announce(j Job) error {
	text, err := json.Marshal(Launch{Args: j.Args, Dir: j.Dir, Trace: j.Trace, TraceState: j.TraceState})
	if err != nil {
		return err
	}
	w.claimed = make(chan bool, 1)
	go func() { // a pipe takes less than a job may have
		_, _ = w.tell.Write(text) // one that is gone has said why
		if <-w.claimed {
			_, _ = w.tell.Write([]byte{Claimed})
		}
		_ = w.tell.Close()
	}()
	return nil
}

// run says that the job is its own, keeps what is written, and waits for the end.
func (w *waiting) run(out *Output) error {
	w.claimed <- true
	var copies sync.WaitGroup
	copies.Go(func() { _, _ = io.Copy(out.stream(Stdout), w.out) })
	copies.Go(func() { _, _ = io.Copy(out.stream(Stderr), w.err) })
	copies.Wait()
	return w.cmd.Wait()
}
