//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/google/subcommands"
	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
	"gvisor.dev/gvisor/pkg/urpc"
	"gvisor.dev/gvisor/runsc/cmd/util"
	"gvisor.dev/gvisor/runsc/config"
	"gvisor.dev/gvisor/runsc/container"
	"gvisor.dev/gvisor/runsc/flag"
	"gvisor.dev/gvisor/runsc/specutils"

	"ambit.dev/ambit/internal/enforce/gvisor/wire"
	"ambit.dev/ambit/internal/memory"
)

// ours prints which Ambit this belongs to.
type ours struct{ util.InternalSubCommand }

func (*ours) Name() string           { return "ours" }
func (*ours) Synopsis() string       { return "print the version of Ambit" }
func (*ours) Usage() string          { return "ours\n" }
func (*ours) SetFlags(*flag.FlagSet) {}
func (*ours) Execute(context.Context, *flag.FlagSet, ...any) subcommands.ExitStatus {
	if _, err := os.Stdout.WriteString(version + "\n"); err != nil {
		return subcommands.ExitFailure
	}
	return subcommands.ExitSuccess
}

// agent makes one sandbox, starts its program when it is told to, and ends when
// the program does. It is process 1 of the sandbox's outer pid namespace: with it
// ends everything.
type agent struct {
	conf *config.Config
	c    *container.Container
	asks bool // there is a line on which the sandbox's kernel asks

	mu      sync.Mutex
	started bool                // guarded by mu
	entered map[int32]*exec.Cmd // guarded by mu: programs beside the first one that run, and who sits at the terminal of each, if it has one
}

func (*agent) Name() string     { return "agent" }
func (*agent) Synopsis() string { return "keep one sandbox for its launcher" }
func (*agent) Usage() string    { return "agent [--asks] SESSION\n" }

// SetFlags takes what a launcher says of a session.
func (a *agent) SetFlags(f *flag.FlagSet) {
	f.BoolVar(&a.asks, "asks", false, "the sandbox's kernel asks before it changes or starts something")
}

// FetchSpec answers the spec that the launcher has put into the outer view.
func (*agent) FetchSpec(conf *config.Config, f *flag.FlagSet) (string, *specs.Spec, error) {
	if f.NArg() != 1 {
		return "", nil, errors.New("want the id of one session")
	}
	spec, err := specutils.ReadSpec(wire.Bundle, conf)
	return f.Arg(0), spec, err
}

// Execute serves the launcher.
func (a *agent) Execute(_ context.Context, f *flag.FlagSet, args ...any) subcommands.ExitStatus {
	conf, ok := args[0].(*config.Config)
	if !ok {
		return subcommands.ExitUsageError
	}
	a.conf = conf
	a.passSignals()
	memory.Settle()
	ready := wire.Reply{Kind: wire.Ready, Version: version}
	if err := a.create(f); err != nil {
		ready.Error = err.Error() + lastWords()
	}
	if err := wire.Send(wire.Descriptor, ready); err != nil || ready.Error != "" {
		return subcommands.ExitFailure
	}
	for {
		var q wire.Request
		files, err := wire.ReceiveFiles(wire.Descriptor, &q)
		if err != nil {
			return subcommands.ExitFailure // the launcher is gone, and so is all of this
		}
		r := a.answer(q, files)
		for _, f := range files {
			_ = f.Close() // who wanted it has a copy
		}
		if err := wire.Send(wire.Descriptor, r); err != nil {
			return subcommands.ExitFailure
		}
		if r.PID > 0 { // not before the launcher knows of it
			go a.leave(r.PID)
		}
	}
}

// create makes the sandbox, with its program at the threshold.
func (a *agent) create(f *flag.FlagSet) error {
	id, spec, err := a.FetchSpec(a.conf, f)
	if err != nil {
		return err
	}
	made := container.Args{ID: id, Spec: spec, BundleDir: wire.Bundle}
	if a.asks { // the sandbox's kernel has it, and nobody else
		unix.CloseOnExec(wire.Asks)
		file := os.NewFile(wire.Asks, "line on which is asked")
		made.PassFiles = map[int]*os.File{wire.Asks: file}
		defer file.Close()
	}
	a.c, err = container.New(a.conf, made)
	return err
}

// lastWords are the first lines of what a sentry said that died.
func lastWords() string {
	file, err := os.Open(wire.Panic)
	if err != nil {
		return ""
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, 2000))
	if err != nil || len(text) == 0 {
		return ""
	}
	return ": " + string(text)
}

func (a *agent) answer(q wire.Request, files []*os.File) wire.Reply {
	r := wire.Reply{Kind: wire.Done}
	var err error
	switch q.Op {
	case wire.OpStart:
		err = a.start()
		if err != nil {
			r.Errno = errnoOf(err)
		}
	case wire.OpEnter:
		r.PID, r.Errno, err = a.enter(q.Command, files)
	case wire.OpSnapshot:
		err = a.snapshot(files)
	case wire.OpRestore:
		err = a.restore(files)
	case wire.OpOpen:
		r.Open, err = a.open(q.Paths)
	case wire.OpSignal:
		if q.PID > 0 {
			err = a.signalEntered(q.PID, unix.Signal(q.Signal))
			break
		}
		err = a.signal(unix.Signal(q.Signal))
	case wire.OpPause:
		err = a.c.Sandbox.Pause(a.c.ID)
	case wire.OpResume:
		err = a.c.Sandbox.Resume(a.c.ID)
	default:
		err = fmt.Errorf("internal error: the request %q", q.Op)
	}
	if err != nil {
		r.Error = err.Error()
	}
	return r
}

// start has the sentry enter its filter and make the program's process, which
// does not run: tasks of a kernel that is paused begin stopped. Its end is waited
// for from now on, so that it is not missed.
func (a *agent) start() error {
	if err := a.c.Sandbox.Pause(a.c.ID); err != nil {
		return err
	}
	if err := a.c.Start(a.conf); err != nil {
		return err
	}
	a.begun()
	return nil
}

// begun notes that there is a program, and waits for its end.
func (a *agent) begun() {
	a.mu.Lock()
	a.started = true
	a.mu.Unlock()
	go a.wait()
}

// wait says how the program ended, or that its kernel did before, and ends
// everything.
func (a *agent) wait() {
	const program = 1 // of its own kernel's processes
	ws, asked := a.c.WaitPID(program)
	gofer := (asked != nil || ws != 0) && killed(int(a.c.GoferPid.Load())) // the next may take its end away
	stopped, err := a.c.Wait()                                             // until the sentry has ended: if nobody could say how the program did, how the sentry did
	if asked != nil {
		ws = stopped
	}
	if err == nil {
		err = wire.Send(wire.Descriptor, wire.Reply{Kind: wire.Ended, Status: uint32(ws), Error: lost(gofer, asked, stopped)})
	}
	if err != nil {
		os.Exit(1) // the launcher sees that it ended without a word
	}
	os.Exit(0)
}

// lost says which part of the sandbox was ended before the program, if one was. The
// sentry did not answer then, and a signal ended it: by itself it ends with a
// status. Where the gofer is gone, the sentry ends the program.
func lost(gofer bool, asked error, stopped unix.WaitStatus) string {
	_, answered := errors.AsType[urpc.RemoteError](asked)
	switch {
	case gofer:
		return "what opens its files was killed"
	case asked != nil && !answered && stopped.Signaled():
		return "its kernel was ended by " + unix.SignalName(stopped.Signal()) + lastWords()
	}
	return ""
}

// killed reports whether a signal ended the gofer, and leaves it to who waits for it. The
// gofer ends by itself where the sentry has. Its sockets are closed before it can be waited
// for, so that the sentry, or the program, may have ended for it by then.
func killed(pid int) bool {
	const exited = 1 // CLD_EXITED (asm-generic/siginfo.h)
	for end := time.Now().Add(2 * time.Second); time.Now().Before(end); time.Sleep(time.Millisecond) {
		var how unix.Siginfo
		err := unix.Waitid(unix.P_PID, pid, &how, unix.WEXITED|unix.WNOWAIT|unix.WNOHANG, nil)
		if err != nil || how.Signo != 0 {
			return err == nil && how.Code != exited
		}
	}
	return false
}

// errnoOf reads out of an error why a program cannot be executed. The sentry says
// it in words only.
func errnoOf(err error) syscall.Errno {
	for _, errno := range []syscall.Errno{unix.ENOENT, unix.EACCES, unix.ENOEXEC, unix.ENOTDIR, unix.EISDIR, unix.ELOOP} {
		if strings.HasSuffix(err.Error(), errno.Error()) {
			return errno
		}
	}
	return 0
}

// signal sends a signal to the program; what comes from a keyboard goes to who is
// in its foreground.
func (a *agent) signal(sig unix.Signal) error {
	a.mu.Lock()
	started := a.started
	a.mu.Unlock()
	if !started {
		return nil
	}
	if a.c.Spec.Process.Terminal && (sig == unix.SIGINT || sig == unix.SIGQUIT || sig == unix.SIGTSTP || sig == unix.SIGWINCH) {
		return a.c.Sandbox.SignalProcess(a.c.ID, 0, sig, true)
	}
	return a.c.SignalContainer(sig, false)
}

// passSignals passes on what the terminal sends: the agent is in the launcher's
// process group, and the program, which has another kernel, is in none.
func (a *agent) passSignals() {
	all := make(chan os.Signal, 16)
	signal.Notify(all, unix.SIGINT, unix.SIGQUIT, unix.SIGTSTP, unix.SIGCONT, unix.SIGWINCH, unix.SIGHUP, unix.SIGTERM, unix.SIGUSR1, unix.SIGUSR2, unix.SIGTTIN, unix.SIGTTOU)
	go func() {
		for sig := range all {
			n, ok := sig.(syscall.Signal)
			if !ok || n == unix.SIGTTIN || n == unix.SIGTTOU {
				continue // for ourselves
			}
			_ = a.signal(n) // it may have ended
		}
	}()
}
