//go:build !linux || (!amd64 && !arm64)

package thread

import (
	"os"
	"os/signal"
	"syscall"
)

// Signals is signal.Notify here.
func Signals(to chan<- os.Signal, all ...syscall.Signal) {
	for _, sig := range all {
		signal.Notify(to, sig)
	}
}
