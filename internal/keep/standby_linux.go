package keep

import (
	"bufio"
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
// for the name of the job's folder in dir, and runs it.
//
// Security: like Run it is for a process of its own, and the launcher ends with it.
func StandBy(s Stand, launcher, state, dir string, most int64) error {
	runtime.LockOSThread() // as in run
	w, err := newWaiting(s, launcher, state)
	if err != nil {
		return err
	}
	if !w.waits(s.Name) {
		return w.discard() // another one takes its place
	}
	line, err := bufio.NewReader(s.Name).ReadString('\n')
	if err != nil {
		return w.discard() // whoever wanted it is gone
	}
	name, how, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
	w.told = how == Told
	return runJob(filepath.Join(dir, name), most, w)
}

// waiting is a launcher that stands by.
type waiting struct {
	cmd      *exec.Cmd
	claim    *os.File // where it is told that the job is its own
	out, err io.ReadCloser
	process  int  // a descriptor of its process
	told     bool // what to launch
}

// newWaiting starts one. What it has of s is its own from then on.
func newWaiting(s Stand, launcher, state string) (*waiting, error) {
	w := &waiting{cmd: exec.Command(launcher, "run", "--"+StandByFlag, StateFlag+state)}
	w.cmd.Args[0], w.cmd.SysProcAttr = filepath.Base(launcher), withThis()
	read, write, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	for _, f := range []*os.File{read, s.Launch, s.Stands} {
		defer f.Close()
	}
	w.claim, w.cmd.ExtraFiles = write, []*os.File{s.Launch, read, s.Stands} // LaunchFD, ClaimFD, StandsFD
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

// serves reports whether the job is launched by it.
func (w *waiting) serves() bool { return w != nil && w.told && w.lives() }

// discard ends the launcher, which has launched nothing: the host tells it of no other
// job, and nobody says that one is its own.
func (w *waiting) discard() error {
	if w == nil {
		return nil
	}
	err := w.claim.Close()
	_ = w.cmd.Wait() // it does nothing more
	return err
}

// run says that the job is its own, keeps what is written, and waits for the end.
func (w *waiting) run(out *Output) error {
	_, _ = w.claim.Write([]byte{Claimed}) // one that is gone has said why
	_ = w.claim.Close()
	var copies sync.WaitGroup
	copies.Go(func() { _, _ = io.Copy(out.stream(Stdout), w.out) })
	copies.Go(func() { _, _ = io.Copy(out.stream(Stderr), w.err) })
	copies.Wait()
	return w.cmd.Wait()
}
