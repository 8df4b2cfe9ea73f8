//go:build linux

package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"

	"github.com/google/subcommands"
	"golang.org/x/sys/unix"
	"gvisor.dev/gvisor/runsc/cmd/util"
	"gvisor.dev/gvisor/runsc/flag"
)

// sitter is the process that has a terminal of the host as its controlling one, in
// place of an entered program, which is no process of the host's: it hears of
// interrupts, of window sizes and of the terminal's end.
type sitter struct{ util.InternalSubCommand }

func (*sitter) Name() string           { return "sit" }
func (*sitter) Synopsis() string       { return "tell what a terminal sends" }
func (*sitter) Usage() string          { return "sit\n" }
func (*sitter) SetFlags(*flag.FlagSet) {}

// sitterLine is where the sitter writes a byte for each signal, and a first one
// when it hears them.
const sitterLine = 3

// Execute tells of signals until it is killed.
func (*sitter) Execute(context.Context, *flag.FlagSet, ...any) subcommands.ExitStatus {
	line := os.NewFile(sitterLine, "line")
	all := make(chan os.Signal, 16)
	signal.Notify(all, unix.SIGINT, unix.SIGQUIT, unix.SIGTSTP, unix.SIGWINCH, unix.SIGHUP)
	if _, err := line.Write([]byte{0}); err != nil {
		return subcommands.ExitFailure
	}
	for sig := range all {
		n, ok := sig.(syscall.Signal)
		if !ok {
			continue
		}
		if _, err := line.Write([]byte{byte(n)}); err != nil || n == unix.SIGHUP {
			break // nobody listens, or nothing more will come
		}
	}
	return subcommands.ExitSuccess
}

// sit has somebody sit at a terminal, and answers where its signals are read.
func sit(terminal *os.File) (*exec.Cmd, *os.File, error) {
	in, out, err := os.Pipe()
	if err != nil {
		return nil, nil, err
	}
	cmd := exec.Command("/proc/self/exe", "sit")
	cmd.Stdin, cmd.ExtraFiles, cmd.Env = terminal, []*os.File{out}, []string{"GOTRACEBACK=none"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	err = cmd.Start()
	_ = out.Close() // it is its
	if err == nil {
		if _, err = in.Read(make([]byte, 1)); err != nil {
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
		}
	}
	if err != nil {
		_ = in.Close()
		return nil, nil, fmt.Errorf("take the terminal: %w", err)
	}
	return cmd, in, nil
}

// hearTerminal passes on what the terminal of an entered program sends.
func (a *agent) hearTerminal(pid int32, line *os.File) {
	defer line.Close()
	b := make([]byte, 1)
	for {
		if _, err := line.Read(b); err != nil {
			return
		}
		_ = a.signalEntered(pid, unix.Signal(b[0])) // it may have ended
	}
}
