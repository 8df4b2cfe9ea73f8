package store

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"syscall"
	"time"

	"ambit.dev/ambit/internal/companion/start"
	"ambit.dev/ambit/internal/core/capability"
	"ambit.dev/ambit/internal/store/wire"
)

// Program is what a Database starts.
const Program = "ambit-store"

// ending is how long a process may take to end after its lines have. It has
// nothing open any more then, or is not worth waiting for.
const ending = 500 * time.Millisecond

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
	*start.Process // over its line it gets a socket for each file
	folder         string
	lines          int       // guarded by mu of its Database
	said           beginning // on its standard error
}

// attach returns a new line to the process, and the process that it leads to.
func (d *Database) attach(folder string) (*wire.Conn, *beside, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.beside != nil && d.beside.over() {
		d.beside = nil // its lines are released one by one
	}
	if d.beside == nil {
		b, err := begin(d.Path, folder)
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
		_, _, err = b.Line.WriteMsgUnix([]byte{0}, syscall.UnixRights(int(theirs.Fd())), nil)
		err = errors.Join(err, theirs.Close())
	}
	if err != nil {
		err = b.lost(err)
		if b.lines == 0 {
			d.beside = nil
			b.stop()
		}
		return nil, nil, err
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

// begin starts the process for the files of a folder.
func begin(path, folder string) (b *beside, err error) {
	if path == "" {
		if path, err = start.Path(Program); err != nil {
			return nil, err
		}
	}
	b = &beside{folder: folder}
	if b.Process, err = start.Start(start.Config{Path: path, Args: []string{folder}, Stderr: &b.said, Settle: ending}); err != nil {
		return nil, fmt.Errorf("start %s, which has to lie beside ambit: %w", Program, err)
	}
	return b, nil
}

func (b *beside) over() bool {
	select {
	case <-b.Ended():
		return true
	default:
		return false
	}
}

// stop ends the process, which has no file open any more.
func (b *beside) stop() {
	b.Stop()
	_ = b.Line.Close() // nobody is there
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
	case <-b.Ended():
		how := "exit status 0"
		if err := b.Wait(); err != nil {
			how = err.Error()
		}
		return fmt.Errorf("%s has ended (%s): %s", Program, how, capability.Printable(b.said.text()))
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
