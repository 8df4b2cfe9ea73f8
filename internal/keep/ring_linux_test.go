package keep_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/keep"
)

// lineSize is that of a line of `seq -f %09.0f`.
const lineSize = 10

// numbered writes lines with numbers, as many as are wanted.
func numbered(lines int) string { return fmt.Sprintf("seq -f %%09.0f 1 %d", lines) }

// A lineReader checks that what is kept are lines one after the other, but where some are
// said to be lost.
type lineReader struct {
	rest  []byte // of a line that is not whole yet
	torn  bool   // something is lost before it
	last  int    // the number of the last line
	lost  int64
	bytes int
}

func (l *lineReader) take(f keep.Frame) error {
	if f.Lost < 0 {
		return fmt.Errorf("%d bytes are lost", f.Lost)
	}
	if l.bytes += len(f.Data); f.Lost > 0 {
		l.lost, l.rest, l.torn = l.lost+f.Lost, nil, true
	}
	l.rest = append(l.rest, f.Data...)
	for {
		line, rest, whole := bytes.Cut(l.rest, []byte("\n"))
		if !whole {
			return nil
		}
		n, err := strconv.Atoi(string(line))
		switch {
		case l.torn && len(line) < lineSize-1: // the rest of one that is lost
		case err != nil || len(line) != lineSize-1 || n != l.last+1 && (!l.torn || n <= l.last):
			return fmt.Errorf("the line %q follows %d (lost: %v)", line, l.last, l.torn)
		default:
			l.last, l.torn = n, false
		}
		l.rest = rest
	}
}

// follow reads lines from the beginning until the job has ended.
func (l *lineReader) follow(dir string, pause time.Duration) error {
	for at := int64(0); ; {
		state, _, err := keep.Look(dir) // before: there is no more then
		if err != nil {
			return err
		}
		for {
			f, err := keep.Read(dir, at)
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				return fmt.Errorf("at %d: %w", at, err)
			}
			if err := l.take(f); err != nil {
				return err
			}
			at = f.Next
			time.Sleep(pause)
		}
		if state == keep.Ended || state == keep.Lost {
			return nil
		}
	}
}

// wantBounded wants no more on the disk than is kept, and what a block or two have.
func wantBounded(t *testing.T, dir string) {
	t.Helper()
	info, err := os.Stat(filepath.Join(dir, "output"))
	if err != nil {
		t.Fatal(err)
	}
	const sector, slack = 512, 64 << 10
	if has := info.Sys().(*syscall.Stat_t).Blocks * sector; has > bound+slack || info.Size() < bound {
		t.Errorf("%d bytes long, it has %d on the disk, where %d are kept", info.Size(), has, bound)
	}
}

// Readers that follow while much is written have all of it, or are told what they lack.
// Those that come later have the newest, and the disk has no more.
func TestRing(t *testing.T) {
	t.Parallel()
	const lines = 1_000_000
	dir := job(t, numbered(lines))
	cmd := keeper(t, dir)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	wantBegun(t, dir)
	readers := make([]lineReader, 4)
	var all sync.WaitGroup
	for i := range readers {
		all.Go(func() {
			if err := readers[i].follow(dir, []time.Duration{0, 0, time.Millisecond, 20 * time.Millisecond}[i]); err != nil || readers[i].last != lines {
				t.Errorf("reader %d ends at line %d: %v", i, readers[i].last, err)
			}
		})
	}
	all.Wait()
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
	if how := wantState(t, dir, keep.Ended); how.Exit != 0 || how.Dropped != 0 {
		t.Errorf("it ended with %+v", how)
	}
	if readers[3].lost == 0 {
		t.Error("the slowest reader has lost nothing: the test shows nothing")
	}
	var late lineReader
	if err := late.follow(dir, 0); err != nil || late.last != lines || late.bytes < bound/2 || late.bytes > bound {
		t.Errorf("%d bytes are kept, to line %d: %v", late.bytes, late.last, err)
	}
	if behind := late.lost + int64(late.bytes); behind < lines*lineSize || behind > lines*lineSize*11/10 {
		t.Errorf("%d are lost, %d are kept", late.lost, late.bytes)
	}
	wantBounded(t, dir)
}

// wantBegun waits until there is something to read.
func wantBegun(t *testing.T, dir string) {
	t.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		if _, err := keep.Read(dir, 0); err == nil {
			return
		}
		if time.Now().After(end) {
			t.Fatal("nothing is written")
		}
	}
}

// Whenever a keeper is killed, what is kept is whole, and the disk has no more.
func TestRingKilled(t *testing.T) {
	t.Parallel()
	for range 10 {
		dir := job(t, numbered(1_000_000_000))
		cmd := keeper(t, dir)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		for at := int64(0); at < 2*bound; { // some was given back
			if f, err := keep.Read(dir, at); err == nil {
				at = f.Next
			}
		}
		time.Sleep(rand.N(20 * time.Millisecond))
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait() // killed
		wantState(t, dir, keep.Lost)
		var l lineReader
		if err := l.follow(dir, 0); err != nil || l.lost == 0 || l.last == 0 || l.bytes > bound {
			t.Errorf("%d bytes are kept, %d are lost, to line %d: %v", l.bytes, l.lost, l.last, err)
		}
		wantBounded(t, dir)
	}
}

// onRamfs has a job kept in a file system that makes no holes, and says what is kept.
func onRamfs(at string) error {
	if err := unix.Mount("none", at, "ramfs", 0, ""); err != nil {
		return err
	}
	dir := filepath.Join(at, "job")
	if err := keep.Put(dir, keep.Job{Path: "/bin/sh", Args: []string{"-c", numbered(100_000)}, Dir: "/"}); err != nil {
		return err
	}
	if err := keep.Run(dir, bound); err != nil {
		return err
	}
	_, how, err := keep.Look(dir)
	if err != nil {
		return err
	}
	var l lineReader
	if err := l.follow(dir, 0); err != nil {
		return err
	}
	fmt.Printf("%d %d %d", l.bytes, how.Dropped, l.lost)
	return nil
}

// Where the file system makes no holes, what is beyond the bound is counted, and what is
// before it stays.
func TestNoHoles(t *testing.T) {
	t.Parallel()
	cmd := keeper(t, "")
	cmd.Env = append(os.Environ(), "AMBIT_TEST_RAMFS="+t.TempDir())
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWUSER | unix.CLONE_NEWNS,
		UidMappings: []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}}, GidMappings: []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}}}
	out, err := cmd.Output()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		t.Fatalf("%v: %s", err, exit.Stderr)
	}
	if errors.Is(err, syscall.EPERM) {
		t.Skipf("requires: user namespaces (%v)", err)
	}
	var kept, dropped, lost int
	if _, err := fmt.Sscan(string(out), &kept, &dropped, &lost); err != nil || kept == 0 || kept > bound || kept+dropped != 100_000*lineSize || lost != 0 {
		t.Errorf("%d bytes are kept, %d dropped, %d lost: %v %s", kept, dropped, lost, err, out)
	}
}
