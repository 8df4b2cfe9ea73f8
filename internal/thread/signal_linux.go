//go:build linux && (amd64 || arm64)

package thread

import (
	"math/bits"
	"os"
	"os/signal"
	"sync"
	"sync/atomic"
	"syscall"

	"golang.org/x/sys/unix"
)

// These three are the handler's, which is no Go code.
var (
	pending uint64     // bit n: signal n came; by atomic operations alone
	counter uint64     //nolint:unused // an eventfd, written before the first handler is put in; by assembly
	one     uint64 = 1 //nolint:unused // what is added to it; by assembly
)

// handlers are the addresses of what the kernel calls for a signal, and of what that
// returns to; the latter is 0 where the kernel has its own.
func handlers() (handler, restorer uintptr)

// hearing is who is told of signals. What a signal does is the whole process's.
var hearing = struct {
	mu    sync.Mutex
	begun bool                                  // guarded by mu
	to    map[syscall.Signal][]chan<- os.Signal // guarded by mu
}{to: map[syscall.Signal][]chan<- os.Signal{}}

// Signals has signals told to a channel, as signal.Notify does, from here on. That keeps three
// threads for them, which a launch that lasts some milliseconds pays for; this keeps none.
// A signal is to be caught by one of the two alone: the one that was called last has it.
func Signals(to chan<- os.Signal, all ...syscall.Signal) {
	hearing.mu.Lock()
	defer hearing.mu.Unlock()
	if !hearing.begun && !hear() {
		for _, sig := range all {
			signal.Notify(to, sig)
		}
		return
	}
	hearing.begun = true
	for _, sig := range all {
		hearing.to[sig] = append(hearing.to[sig], to)
		catch(sig)
	}
}

// hear begins to wait for the handler's word. It reports whether it could.
func hear() bool {
	fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		return false
	}
	counter = uint64(fd)
	go tell(os.NewFile(uintptr(fd), "signals"))
	return true
}

// tell tells of each signal that came. Who has no room is told of one already.
func tell(f *os.File) {
	for {
		var count [8]byte
		if _, err := f.Read(count[:]); err != nil {
			return // never: nobody closes it
		}
		for came := atomic.SwapUint64(&pending, 0); came != 0; came &= came - 1 {
			sig := syscall.Signal(bits.TrailingZeros64(came))
			hearing.mu.Lock()
			for _, to := range hearing.to[sig] {
				select {
				case to <- sig:
				default:
				}
			}
			hearing.mu.Unlock()
		}
	}
}
