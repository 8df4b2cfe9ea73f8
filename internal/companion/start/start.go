// Package start starts the programs that lie beside ambit, each with a line to
// it, and ends them.
//
// Invariants:
//
//   - A companion gets the environment that it is given, one descriptor beside
//     the standard ones, and nothing from the standard input.
//   - Its end of the line is in no other process, so that it ends when this one
//     does (TestEndsWithStarter).
//   - Stop returns when it has ended (TestStop).
//   - None is started from a folder that anybody may write (TestPathWritable).
//
// Layer: internal/companion, of the side that starts.
package start

import (
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"ambit.dev/ambit/internal/companion"
	"ambit.dev/ambit/internal/thread"
)

// Path is where a companion lies: beside this program, wherever a link to it stands.
func Path(name string) (string, error) {
	self, err := os.Executable()
	if err == nil {
		self, err = filepath.EvalSymlinks(self)
	}
	if err != nil {
		return "", fmt.Errorf("find %s: %w", name, err)
	}
	return beside(self, name)
}

// beside is where a companion lies, of a program.
//
// Security: what lies there is started with this user's rights and trusted. In a folder
// that anybody may write, also one like /tmp, anybody can put it. That its owner, or a group
// of the owner's choice, may replace it is so for the program itself too.
func beside(self, name string) (string, error) {
	dir := filepath.Dir(self)
	info, err := os.Stat(dir)
	if err != nil {
		return "", fmt.Errorf("find %s: %w", name, err)
	}
	if info.Mode().Perm()&0o002 != 0 {
		return "", fmt.Errorf("find %s: anybody may write the folder %q that ambit lies in; put ambit and what is beside it into one of their own", name, dir)
	}
	return filepath.Join(dir, name), nil
}

// Config says how a companion is started.
type Config struct {
	Path   string
	Args   []string // without the program's name; every process can read them
	Env    []string // all of its environment
	Stderr io.Writer
	// Settle is how long it has to end by itself, once its line has; 0: 2 seconds.
	Settle time.Duration
}

// A Process is a companion that was started.
type Process struct {
	Line *net.UnixConn

	name   string
	cmd    *exec.Cmd
	settle time.Duration
	ended  chan struct{}
	err    error // how it ended; set before ended is closed
}

// Start starts a companion.
func Start(cfg Config) (*Process, error) {
	name := filepath.Base(cfg.Path)
	pair, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("make a line to %s: %w", name, err)
	}
	ours, theirs := os.NewFile(uintptr(pair[0]), "line"), os.NewFile(uintptr(pair[1]), "line")
	defer theirs.Close() // it has a copy
	defer ours.Close()   // the line is a copy
	conn, err := net.FileConn(ours)
	if err != nil {
		return nil, fmt.Errorf("make a line to %s: %w", name, err)
	}
	env := cfg.Env
	if env == nil {
		env = []string{} // nil is this process's own
	}
	p := &Process{Line: conn.(*net.UnixConn), name: name, settle: cfg.Settle, ended: make(chan struct{}), //nolint:forcetypeassert // it was made as one above
		cmd: &exec.Cmd{Path: cfg.Path, Args: append([]string{name}, cfg.Args...), Env: env, Stderr: cfg.Stderr, ExtraFiles: []*os.File{theirs}}}
	if p.settle == 0 {
		p.settle = 2 * time.Second
	}
	if err := thread.Exactly(p.cmd.Start); err != nil {
		_ = p.Line.Close()
		return nil, err
	}
	go func() {
		p.err = p.cmd.Wait()
		close(p.ended)
	}()
	return p, nil
}

// Ended is closed when the process has ended.
func (p *Process) Ended() <-chan struct{} { return p.ended }

// Wait waits until it has, and says how.
func (p *Process) Wait() error {
	<-p.ended
	return p.err
}

// Conn is the line as one that carries messages. There is to be one at a time.
func (p *Process) Conn(most int) *companion.Conn { return companion.NewConn(p.Line, most) }

// Stop ends it: it hears no more, and is killed if it does not end by that.
// Whoever still reads the line reads to its end.
func (p *Process) Stop() {
	if p == nil {
		return
	}
	_ = p.Line.CloseWrite() // it may have ended
	select {
	case <-p.ended:
	case <-time.After(p.settle):
		_ = p.cmd.Process.Kill() // it may have ended meanwhile
		<-p.ended
	}
}
