package keep

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"time"
)

// MaxOutput bounds what is kept of one session.
const MaxOutput = 16 << 20

// ErrBegun says that a job was begun before.
var ErrBegun = errors.New("it was begun before")

// Run runs the job of a folder, keeps its output and how it ended, and returns when
// it has. ErrBegun if it was begun before.
//
// Security: it is for a process of its own that does nothing else. What it starts
// is told to end when this process does, however that ends: nothing runs on
// whose output nobody takes and whose end nobody would write down.
func Run(dir string, most int64) error { return runJob(dir, most, nil) }

// runJob is Run, by a launcher that stands by where there is one.
func runJob(dir string, most int64, by *waiting) (err error) {
	var j Job
	if !by.serves() { // or its launcher knows
		if j, err = Load(dir); err != nil {
			return errors.Join(err, by.discard())
		}
		err, by = by.discard(), nil
	}
	begun, bad := begin(dir)
	if bad != nil {
		return errors.Join(bad, err, by.discard())
	}
	defer begun.Close()
	out, bad := newOutput(dir, most)
	if bad != nil {
		return errors.Join(bad, err, by.discard())
	}
	end := j.run(dir, out, by)
	dropped, bad := out.end()
	end.Dropped, end.Ended = dropped, time.Now().UnixNano()
	aside := filepath.Join(dir, ".end")
	return errors.Join(err, bad, writeJSON(aside, end), os.Rename(aside, filepath.Join(dir, endFile)))
}

// begin claims the job, until this process ends.
func begin(dir string) (*os.File, error) {
	aside, err := os.CreateTemp(dir, ".begun-")
	if err != nil {
		return nil, err
	}
	err = syscall.Flock(int(aside.Fd()), syscall.LOCK_EX)
	if err == nil { // locked before it has its name: nobody finds it without the lock
		err = os.Link(aside.Name(), filepath.Join(dir, begunFile))
	}
	if err = errors.Join(err, os.Remove(aside.Name())); err != nil {
		_ = aside.Close() // nothing was written
		if errors.Is(err, os.ErrExist) {
			return nil, ErrBegun
		}
		return nil, err
	}
	return aside, nil
}

func (j Job) run(dir string, out *Output, by *waiting) End {
	runtime.LockOSThread() // the child is told when the thread ends that made it: not before this process
	cmd, err := &exec.Cmd{Path: j.Path, Args: append([]string{filepath.Base(j.Path)}, j.Args...), Dir: j.Dir, Env: j.environment()}, error(nil)
	switch {
	case by != nil:
		cmd, err = by.cmd, by.run(out)
	case j.Terminal != nil:
		err = j.runOn(dir, cmd, out)
	default:
		err = j.runPiped(dir, cmd, out)
	}
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		if status, ok := exit.Sys().(syscall.WaitStatus); ok && status.Signaled() {
			return End{Exit: 128 + int(status.Signal()), Error: fmt.Sprintf("the launcher was ended by %s", status.Signal())}
		}
		return End{Exit: exit.ExitCode()}
	}
	if err != nil && cmd.ProcessState == nil {
		return End{Exit: 125, Error: err.Error()}
	}
	return End{} // what is left is about its standard input, which it need not read
}

// environment is that of this process, but for the trace, which is the job's.
func (j Job) environment() []string {
	return append(os.Environ(), "TRACEPARENT="+j.Trace, "TRACESTATE="+j.TraceState)
}

// runPiped runs a command on pipes.
func (j Job) runPiped(dir string, cmd *exec.Cmd, out *Output) error {
	cmd.Stdout, cmd.Stderr = out.stream(Stdout), out.stream(Stderr)
	cmd.SysProcAttr = withThis()
	if len(j.Stdin) > 0 {
		cmd.Stdin = bytes.NewReader(j.Stdin)
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	if j.Session != "" {
		l, err := (&door{process: cmd.Process}).serve(dir)
		if err != nil {
			return errors.Join(err, cmd.Process.Kill(), cmd.Wait())
		}
		defer l.Close() //nolint:errcheck // nobody comes any more
	}
	return cmd.Wait()
}

// withThis has a launcher end with this process, in a group of its own.
func withThis() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
}
