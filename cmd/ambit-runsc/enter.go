//go:build linux

package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
	"gvisor.dev/gvisor/pkg/sentry/control"
	"gvisor.dev/gvisor/pkg/sentry/kernel/auth"

	"ambit.dev/ambit/internal/enforce/gvisor/wire"
)

// enter starts another program in the sandbox, with the descriptors 0 to 2 that
// came along, and the program itself, if it is Ambit's own.
//
// Security: it has no capability, and no_new_privs; its limits and its filter are
// made by its kernel from the spec, as those of the first program were.
func (a *agent) enter(c *wire.Command, files []*os.File) (pid int32, errno syscall.Errno, err error) {
	if c == nil || len(files) < 3 || (len(files) == 4) != c.Own {
		return 0, 0, errors.New("internal error: a command without its descriptors")
	}
	var own *os.File
	if c.Own {
		own = files[3]
	}
	args := &control.ExecArgs{
		Argv: c.Args, Envv: c.Env, WorkingDirectory: c.Dir,
		NoNewPrivileges: true, Capabilities: &auth.TaskCapabilities{},
		StdioIsPty: c.Terminal, SupportTTYs: true,
		FilePayload: control.NewFilePayload(map[int]*os.File{0: files[0], 1: files[1], 2: files[2]}, own),
	}
	var at *exec.Cmd
	var line *os.File
	if c.Terminal {
		if at, line, err = sit(files[0]); err != nil {
			return 0, 0, err
		}
	}
	pid, err = a.c.Execute(a.conf, args)
	if err != nil {
		leaveTerminal(at)
		if strings.Contains(err.Error(), "working directory") {
			return 0, 0, fmt.Errorf("the directory %q is not there", c.Dir)
		}
		return 0, errnoOf(err), err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.entered == nil {
		a.entered = map[int32]*exec.Cmd{}
	}
	a.entered[pid] = at
	if line != nil {
		go a.hearTerminal(pid, line)
	}
	return pid, 0, nil
}

// leaveTerminal ends who sits at a terminal.
func leaveTerminal(at *exec.Cmd) {
	if at != nil {
		_ = at.Process.Kill() // it may have ended with its terminal
		_ = at.Wait()
	}
}

// leave says how an entered program ended.
func (a *agent) leave(pid int32) {
	ws, err := a.c.WaitPID(pid)
	a.mu.Lock()
	at := a.entered[pid]
	delete(a.entered, pid)
	a.mu.Unlock()
	leaveTerminal(at)
	if err != nil {
		return // the sandbox has ended, and the launcher hears of that
	}
	if err := wire.Send(wire.Descriptor, wire.Reply{Kind: wire.Left, PID: pid, Status: uint32(ws)}); err != nil {
		os.Exit(1) // the launcher is gone
	}
}

// signalEntered sends a signal to an entered program; what comes from a keyboard
// goes to who is in the foreground of its terminal.
func (a *agent) signalEntered(pid int32, sig unix.Signal) error {
	a.mu.Lock()
	at, runs := a.entered[pid]
	a.mu.Unlock()
	switch {
	case !runs:
		return nil
	case sig == unix.SIGKILL:
		return a.killAll(pid)
	}
	fromKeyboard := sig == unix.SIGINT || sig == unix.SIGQUIT || sig == unix.SIGTSTP || sig == unix.SIGWINCH
	return a.c.Sandbox.SignalProcess(a.c.ID, pid, sig, at != nil && fromKeyboard)
}

// killAll kills a program with all that come from it or are in their process
// groups. Nothing runs meanwhile, so that none is missed.
func (a *agent) killAll(pid int32) error {
	if err := a.c.Sandbox.Pause(a.c.ID); err != nil {
		return err
	}
	all, err := a.c.Sandbox.Processes(a.c.ID)
	if err == nil {
		doomed := map[int32]bool{pid: true}
		for before := 0; before < len(doomed); {
			before = len(doomed)
			for _, p := range all {
				if doomed[int32(p.PPID)] || doomed[int32(p.PGID)] {
					doomed[int32(p.PID)] = true
				}
			}
		}
		for pid := range doomed {
			if e := a.c.Sandbox.SignalProcess(a.c.ID, pid, unix.SIGKILL, false); e != nil && pid > 0 {
				err = errors.Join(err, e)
			}
		}
	}
	return errors.Join(err, a.c.Sandbox.Resume(a.c.ID))
}
