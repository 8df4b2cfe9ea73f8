package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"

	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/enforce"
)

// outputDir, in the state, has what sessions wrote of which that is kept: a file for
// each, with both streams as they came.
const outputDir = "output"

// maxKept bounds what is kept of one session.
const maxKept = 16 << 20

// kept is the output of a session on its way: to where ambit's own goes, and into a
// file.
type kept struct {
	stdio enforce.Stdio // what the program gets
	read  [2]*os.File
	to    [2]*os.File
	done  sync.WaitGroup

	mu   sync.Mutex
	file *os.File // guarded by mu; nil: not yet, or no more

	left int64 // guarded by mu; what may still be kept
}

// keepOutput puts pipes in the place of standard output and error.
func (a *app) keepOutput() error {
	k := &kept{to: [2]*os.File{a.out, a.err}, left: maxKept}
	var write [2]*os.File
	for i := range write {
		r, w, err := os.Pipe()
		if err != nil {
			return fmt.Errorf("keep the output: %w", err)
		}
		k.read[i], write[i] = r, w
	}
	k.stdio = enforce.Stdio{In: a.in, Out: write[0], Err: write[1]}
	a.kept = k
	return nil
}

// keep begins to pass on, and to keep what comes in the file of a session.
func (k *kept) keep(a *app, session string) error {
	if k == nil {
		return nil
	}
	dir, err := a.makeState()
	if err != nil {
		return err
	}
	dir = filepath.Join(dir, outputDir)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("keep the output: %w", err)
	}
	k.file, err = os.OpenFile(filepath.Join(dir, session), os.O_WRONLY|os.O_CREATE|os.O_EXCL|os.O_APPEND|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return fmt.Errorf("keep the output: %w", err)
	}
	for i := range k.read {
		k.done.Go(func() { _, _ = io.Copy(stream{k, k.to[i]}, k.read[i]) }) // it ends with the last writer
	}
	return nil
}

// A stream is one of the two.
type stream struct {
	k  *kept
	to *os.File
}

// Write keeps first: whoever looks at what is kept is not behind the terminal.
func (s stream) Write(b []byte) (int, error) {
	s.k.put(b)
	_, _ = s.to.Write(b) // whoever closed it does not want it; it is kept all the same
	return len(b), nil
}

func (k *kept) put(b []byte) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.file == nil {
		return
	}
	n, err := k.file.Write(b[:min(int64(len(b)), k.left)])
	k.left -= int64(n)
	if err == nil && n == len(b) {
		return
	}
	why := fmt.Sprintf("%d MiB are kept", maxKept>>20)
	if err != nil {
		why = err.Error()
	}
	_, _ = fmt.Fprintf(k.file, "\n[ambit: no more is kept of this output: %s]\n", why) // where there is no room it is not said
	_ = k.file.Close()                                                                 // as above
	k.file = nil
}

// end waits until all was passed on, when nobody is left to write.
func (k *kept) end() {
	if k == nil {
		return
	}
	_ = errors.Join(k.stdio.Out.Close(), k.stdio.Err.Close()) // the program's are gone
	k.done.Wait()
	for _, r := range k.read {
		_ = r.Close() // it was read to its end
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.file != nil {
		_ = k.file.Close() // what could not be written was noticed
		k.file = nil
	}
}
