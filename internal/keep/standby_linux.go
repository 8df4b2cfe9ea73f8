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
func StandBy(told io.Reader, launcher, dir string, most int64) error {
	runtime.LockOSThread() // as in run
	w, err := newWaiting(launcher)
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
}

func newWaiting(launcher string) (*waiting, error) {
	w := &waiting{cmd: exec.Command(launcher, "run", "--"+StandByFlag)}
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
	err := w.tell.Close()
	_ = w.cmd.Wait() // it does nothing more
	return err
}

// run tells it the job, keeps what is written, and waits for the end.
func (w *waiting) run(j Job, out *Output) error {
	text, err := json.Marshal(Launch{Args: j.Args, Dir: j.Dir, Trace: j.Trace, TraceState: j.TraceState})
	if err != nil {
		return errors.Join(err, w.discard())
	}
	var copies sync.WaitGroup
	copies.Go(func() {
		_, _ = w.tell.Write(text) // one that is gone has said why
		_ = w.tell.Close()
	})
	copies.Go(func() { _, _ = io.Copy(out.stream(Stdout), w.out) })
	copies.Go(func() { _, _ = io.Copy(out.stream(Stderr), w.err) })
	copies.Wait()
	return w.cmd.Wait()
}
