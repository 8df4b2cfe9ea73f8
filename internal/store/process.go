package store

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"ambit.dev/ambit/internal/core/capability"
	"ambit.dev/ambit/internal/store/wire"
)

// Program is what a Database starts.
const Program = "ambit-store"

// ending is how long a process may take to end that was told to.
const ending = 2 * time.Second

// A Database is ambit-store as one process uses it: started when the first file
// is opened, ended when the last one is closed. All its files lie in one folder.
// It is safe for use by many goroutines.
//
// It hears the end of this process, however that ends, from its sockets: what
// was not done by then is not done.
type Database struct {
	Path string // of the program; "": it lies beside this one

	mu     sync.Mutex
	beside *beside // guarded by mu; nil: none runs
}

// beside is one process.
type beside struct {
	cmd     *exec.Cmd
	control *net.UnixConn // over which it gets a socket for each file
	folder  string
	lines   int // guarded by mu of its Database
	said    beginning
	ended   chan struct{}
	err     error // how it ended, once it has
}

// attach returns a new line to the process, and the process that it leads to.
func (d *Database) attach(folder string) (*wire.Conn, *beside, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.beside != nil && d.beside.over() {
		d.beside = nil // its lines are released one by one
	}
	if d.beside == nil {
		b, err := start(d.Path, folder)
		if err != nil {
			return nil, nil, err
		}
		d.beside = b
	}
	b := d.beside
	if b.folder != folder {
		return nil, nil, fmt.Errorf("%s was started for %q", Program, b.folder)
	}
	ours, theirs, err := pair()
	if err == nil {
		_, _, err = b.control.WriteMsgUnix([]byte{0}, syscall.UnixRights(int(theirs.Fd())), nil)
		err = errors.Join(err, theirs.Close())
	}
	if err != nil {
		return nil, nil, fmt.Errorf("make a line to %s: %w", Program, err)
	}
	b.lines++
	return wire.NewConn(ours), b, nil
}

// release gives a line back. With the last one its process ends.
func (d *Database) release(b *beside) {
	d.mu.Lock()
	b.lines--
	last := b.lines == 0
	if last && d.beside == b {
		d.beside = nil
	}
	d.mu.Unlock()
	if last {
		b.stop()
	}
}

// start starts the process for the files of a folder.
//
// Security: it gets a socket and nothing else: no environment, no terminal, no
// other descriptor. Keys of the terminal are not for it, so that a launcher that
// is stopped or interrupted does not leave it amid a change.
func start(path, folder string) (*beside, error) {
	if path == "" {
		self, err := os.Executable()
		if err != nil {
			return nil, fmt.Errorf("find %s: %w", Program, err)
		}
		path = filepath.Join(filepath.Dir(self), Program)
	}
	ours, theirs, err := pair()
	if err != nil {
		return nil, fmt.Errorf("make a line to %s: %w", Program, err)
	}
	defer theirs.Close()
	b := &beside{control: ours, folder: folder, ended: make(chan struct{})}
	b.cmd = &exec.Cmd{Path: path, Args: []string{Program, folder}, Env: []string{}, Dir: "/", Stderr: &b.said, ExtraFiles: []*os.File{theirs},
		SysProcAttr: &syscall.SysProcAttr{Setpgid: true}, WaitDelay: ending}
	if err := b.cmd.Start(); err != nil {
		_ = ours.Close() // nothing was said over it
		return nil, fmt.Errorf("start %s, which has to lie beside ambit: %w", Program, err)
	}
	go func() {
		b.err = b.cmd.Wait()
		close(b.ended)
	}()
	return b, nil
}

func (b *beside) over() bool {
	select {
	case <-b.ended:
		return true
	default:
		return false
	}
}

// stop ends the process, which has no file open any more.
func (b *beside) stop() {
	_ = b.control.CloseWrite() // it ends when it hears no more
	_ = b.control.Close()
	select {
	case <-b.ended:
	case <-time.After(ending):
		_ = b.cmd.Process.Kill() // it may have ended meanwhile
		<-b.ended
	}
}

// lost says what became of a process that gave no answer.
func (b *beside) lost(err error) error {
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return fmt.Errorf("%s gave no answer", Program)
	case !errors.Is(err, io.EOF) && !errors.Is(err, syscall.EPIPE) && !errors.Is(err, syscall.ECONNRESET):
		return fmt.Errorf("%s: %w", Program, err)
	}
	select {
	case <-b.ended:
		return fmt.Errorf("%s has ended (%s): %s", Program, b.cmd.ProcessState, capability.Printable(b.said.text()))
	case <-time.After(ending): // it takes its time
		return fmt.Errorf("%s ended what it was asked", Program)
	}
}

// beginning keeps the first bytes that are written to it.
type beginning struct{ kept []byte }

func (b *beginning) Write(p []byte) (int, error) {
	const most = 1000
	b.kept = append(b.kept, p[:min(len(p), most-len(b.kept))]...)
	return len(p), nil
}

// text is the first line.
func (b *beginning) text() string {
	line, _, _ := strings.Cut(string(b.kept), "\n")
	if line == "" {
		return "it said nothing"
	}
	return line
}
