package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// written tells which files of the trees were open for writing: what is written by a
// mapping changes no time of a file in memory, in a page that was read by it before.
type written struct {
	fd int // fanotify(7)

	mu     sync.Mutex
	files  map[uint64]bool // guarded by mu; by inode
	missed bool            // guarded by mu; there were more than the kernel remembers, or this does
}

// watchWritten begins, behind what was put: whoever puts has it open for writing, too.
func watchWritten() (*written, error) {
	fd, err := unix.FanotifyInit(unix.FAN_CLASS_NOTIF|unix.FAN_CLOEXEC|unix.FAN_NONBLOCK, unix.O_RDONLY|unix.O_LARGEFILE|unix.O_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("watch what is written: %w", err)
	}
	// A file is closed when its last mapping is gone.
	if err := unix.FanotifyMark(fd, unix.FAN_MARK_ADD|unix.FAN_MARK_FILESYSTEM, unix.FAN_CLOSE_WRITE, unix.AT_FDCWD, treesDir); err != nil {
		return nil, errors.Join(fmt.Errorf("watch what is written: %w", err), unix.Close(fd))
	}
	return &written{fd: fd, files: map[uint64]bool{}}, nil
}

// watch begins to watch what is written.
func (a *agent) watch() error {
	w, err := watchWritten()
	a.mu.Lock()
	defer a.mu.Unlock()
	a.written = w
	return err
}

// look takes in what was closed until now. nil has nothing.
func (w *written) look() error {
	if w == nil {
		return nil
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	var events [4096]byte // some 170
	for {
		n, err := unix.Read(w.fd, events[:])
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case errors.Is(err, unix.EAGAIN):
			return nil
		case err != nil:
			w.missed = true // what the kernel could not open for this is not told again
			return fmt.Errorf("look at what was written: %w", err)
		}
		for rest := events[:n]; len(rest) > 0; {
			var e unix.FanotifyEventMetadata
			size, err := binary.Decode(rest, binary.NativeEndian, &e)
			if err != nil || int(e.Event_len) < size || int(e.Event_len) > len(rest) || e.Vers != unix.FANOTIFY_METADATA_VERSION {
				return errors.New("look at what was written: the kernel tells something else")
			}
			w.take(e)
			rest = rest[e.Event_len:]
		}
	}
}

// mostWritten bounds the files that are remembered: a program may make and remove them for ever.
const mostWritten = 1 << 18

// take notes a file that was closed. w.mu is held.
func (w *written) take(e unix.FanotifyEventMetadata) {
	if e.Fd < 0 { // FAN_NOFD
		w.missed = true
		return
	}
	var st unix.Stat_t
	err := unix.Fstat(int(e.Fd), &st)
	_ = unix.Close(int(e.Fd)) // it was only looked at
	switch {
	case int(e.Pid) == os.Getpid(): // it was put
	case err != nil, len(w.files) >= mostWritten:
		w.missed, w.files = true, nil
	case !w.missed:
		w.files[st.Ino] = true
	}
}

// has reports whether a file may have been written to.
func (w *written) has(ino uint64) bool {
	if w == nil {
		return false
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.missed || w.files[ino]
}
