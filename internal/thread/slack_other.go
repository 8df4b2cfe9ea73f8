//go:build !linux || (!amd64 && !arm64)

package thread

// Before is 0: the slack of timers is not changed here.
func Before() uintptr { return 0 }

// Exact has nothing to do here.
func Exact() {}

// Exactly does something.
func Exactly(do func() error) error { return do() }
