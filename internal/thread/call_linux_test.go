package thread_test

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/thread"
)

// TestWaits holds that what waits in these calls waits for what it says, and that
// others go on meanwhile: there is one processor for all of them.
func TestWaits(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	t.Run("read", func(t *testing.T) {
		fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC)
		if err != nil {
			t.Fatal(err)
		}
		defer unix.Close(fd)
		go func() { _, _ = unix.Write(fd, []byte{1, 2, 0, 0, 0, 0, 0, 0}) }()
		var b [8]byte
		if err := again(func() error { return thread.Read(fd, b[:]) }); err != nil || b[0] != 1 || b[1] != 2 {
			t.Errorf("read %v, %v", b, err)
		}
	})
	t.Run("poll", func(t *testing.T) {
		fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC)
		if err != nil {
			t.Fatal(err)
		}
		defer unix.Close(fd)
		go func() { _, _ = unix.Write(fd, []byte{1, 0, 0, 0, 0, 0, 0, 0}) }()
		fds := []unix.PollFd{{Fd: -1}, {Fd: int32(fd), Events: unix.POLLIN}}
		if err := again(func() error { return thread.Poll(fds) }); err != nil || fds[0].Revents != 0 || fds[1].Revents != unix.POLLIN {
			t.Errorf("polled %+v, %v", fds, err)
		}
	})
	t.Run("epoll", func(t *testing.T) {
		line, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
		if err != nil {
			t.Fatal(err)
		}
		defer unix.Close(line)
		fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC)
		if err != nil {
			t.Fatal(err)
		}
		defer unix.Close(fd)
		if err := unix.EpollCtl(line, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: 7}); err != nil {
			t.Fatal(err)
		}
		go func() { _, _ = unix.Write(fd, []byte{1, 0, 0, 0, 0, 0, 0, 0}) }()
		events := make([]unix.EpollEvent, 2)
		n := 0
		if err := again(func() (err error) { n, err = thread.EpollWait(line, events); return err }); err != nil || n != 1 || events[0].Fd != 7 || events[0].Events != unix.EPOLLIN {
			t.Errorf("%d events %+v, %v", n, events, err)
		}
	})
	t.Run("lock", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "lock")
		a, b := open(t, path), open(t, path)
		if err := thread.Flock(a, unix.LOCK_EX); err != nil {
			t.Fatal(err)
		}
		if err := thread.Flock(b, unix.LOCK_EX|unix.LOCK_NB); !errors.Is(err, unix.EWOULDBLOCK) {
			t.Errorf("a lock that is held: %v", err)
		}
		var released atomic.Bool
		go func() {
			released.Store(true)
			_ = thread.Flock(a, unix.LOCK_UN)
		}()
		if err := again(func() error { return thread.Flock(b, unix.LOCK_EX) }); err != nil || !released.Load() {
			t.Errorf("released %v, %v", released.Load(), err)
		}
	})
	t.Run("child", func(t *testing.T) {
		p, err := os.StartProcess("/proc/self/exe", []string{"test", "-test.run=^$", "-test.unknown"}, &os.ProcAttr{})
		if err != nil {
			t.Fatal(err)
		}
		var status unix.WaitStatus
		if err := again(func() error { return thread.Wait4(p.Pid, &status) }); err != nil || !status.Exited() || status.ExitStatus() != 2 {
			t.Errorf("ended %v, %v", status, err)
		}
		if err := thread.Wait4(p.Pid, &status); !errors.Is(err, unix.ECHILD) {
			t.Errorf("a child that was waited for: %v", err)
		}
	})
	t.Run("disk", func(t *testing.T) {
		if err := thread.Fdatasync(open(t, filepath.Join(t.TempDir(), "file"))); err != nil {
			t.Error(err)
		}
		if err := thread.Fdatasync(-1); !errors.Is(err, unix.EBADF) {
			t.Errorf("no file: %v", err)
		}
	})
}

// again does it again for as long as a signal comes in between.
func again(do func() error) error {
	for {
		if err := do(); !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

func open(t *testing.T, path string) int {
	fd, err := unix.Open(path, unix.O_RDWR|unix.O_CREAT|unix.O_CLOEXEC, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Close(fd) })
	return fd
}
