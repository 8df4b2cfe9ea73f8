//go:build linux && (amd64 || arm64)

package thread_test

import (
	"os"
	"regexp"
	"runtime"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/thread"
)

// TestSignals: each channel is told of its signals and of no others, again and again,
// whatever the threads do meanwhile, and what a signal interrupts goes on.
func TestSignals(t *testing.T) {
	first, second := make(chan os.Signal, 1), make(chan os.Signal, 1)
	thread.Signals(first, syscall.SIGUSR1, syscall.SIGALRM)
	thread.Signals(second, syscall.SIGUSR1)
	over := make(chan struct{})
	defer close(over)
	go func() {
		for sum := 0; ; sum++ { // one that computes
			select {
			case <-over:
				return
			default:
			}
		}
	}()
	for range 200 {
		send(t, syscall.SIGUSR1)
		heard(t, first, syscall.SIGUSR1)
		heard(t, second, syscall.SIGUSR1)
		send(t, syscall.SIGALRM)
		heard(t, first, syscall.SIGALRM)
	}
	select {
	case sig := <-second:
		t.Errorf("told of %v", sig)
	default:
	}
	waits := regexp.MustCompile(`(?m)^goroutine \d+ .*\[IO wait\]:\n(.+\n)*.*internal/thread\.tell`) // a thread of its own would be named
	stacks := make([]byte, 1<<20)
	for end := time.Now().Add(time.Minute); !waits.Match(stacks[:runtime.Stack(stacks, true)]); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("signals are waited for by a thread:\n%s", stacks[:runtime.Stack(stacks, true)])
		}
	}
}

// TestSignalsOfManyThreads: signals that come to threads in system calls, several at a
// time, are told.
func TestSignalsOfManyThreads(t *testing.T) {
	c := make(chan os.Signal, 1)
	thread.Signals(c, syscall.SIGUSR2)
	var pipe [2]int
	if err := unix.Pipe2(pipe[:], unix.O_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 4)
	threads := make(chan int, cap(ended))
	for range cap(ended) {
		go func() {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			threads <- unix.Gettid()
			_, err := unix.Read(pipe[0], make([]byte, 1))
			ended <- err
		}()
	}
	for range cap(ended) {
		tid := <-threads
		for range 50 {
			if err := unix.Tgkill(os.Getpid(), tid, syscall.SIGUSR2); err != nil {
				t.Fatal(err)
			}
			heard(t, c, syscall.SIGUSR2)
		}
	}
	if err := unix.Close(pipe[1]); err != nil {
		t.Fatal(err)
	}
	for range cap(ended) {
		if err := <-ended; err != nil {
			t.Errorf("a call that was interrupted: %v", err)
		}
	}
	_ = unix.Close(pipe[0])
}

func send(t *testing.T, sig syscall.Signal) {
	t.Helper()
	if err := syscall.Kill(os.Getpid(), sig); err != nil {
		t.Fatal(err)
	}
}

func heard(t *testing.T, c <-chan os.Signal, want syscall.Signal) {
	t.Helper()
	select {
	case sig := <-c:
		if sig != want {
			t.Fatalf("told of %v, want %v", sig, want)
		}
	case <-time.After(time.Minute):
		t.Fatalf("not told of %v", want)
	}
}
