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
func StandBy(told *os.File, launcher, state, dir string, most int64) error {
	runtime.LockOSThread() // as in run
	w, err := newWaiting(launcher, state)
	if err != nil {
		return err
	}
	if !w.waits(told) {
		return w.discard() // another one takes its place
	}
	name, err := bufio.NewReader(told).ReadString('\n')
	if err != nil {
		return w.discard() // whoever wanted it is gone
	}
	return runJob(filepath.Join(dir, strings.TrimSuffix(name, "\n")), most, w)
}

// waiting is a launcher that stands by.
type waiting struct {
	cmd      *exec.Cmd
	tell     *os.File // where the launch is written
	out, err io.ReadCloser
	process  int       // a descriptor of its process
	claimed  chan bool // whether the job is its own, once that is known; nil: it was told of none
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
	if w.process, err = unix.PidfdOpen(w.cmd.Process.Pid, 0); err != nil {
		return nil, errors.Join(err, w.discard())
	}
	return w, nil
}

// waits reports whether something is told before the launcher has ended. There is one
// wait for both: handing on what was read takes longer than reading it.
func (w *waiting) waits(told *os.File) bool {
	poll := []unix.PollFd{{Fd: int32(told.Fd()), Events: unix.POLLIN}, {Fd: int32(w.process), Events: unix.POLLIN}}
	for {
		if _, err := unix.Poll(poll, -1); !errors.Is(err, unix.EINTR) {
			return err != nil || poll[1].Revents == 0
		}
	}
}

// lives reports whether the launcher has not ended.
func (w *waiting) lives() bool {
	poll := []unix.PollFd{{Fd: int32(w.process), Events: unix.POLLIN}}
	n, err := unix.Poll(poll, 0)
	return err == nil && n == 0
}

// serves reports whether a job can be run by it: its standard input is empty, and a
// pipe would be another thing to programs than that.
func (w *waiting) serves(j Job) bool {
	return w.lives() && j.Path == w.cmd.Path && len(j.Stdin) == 0 && j.Terminal == nil && j.Session == ""
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
