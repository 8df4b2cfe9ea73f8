//go:build linux && (amd64 || arm64)

package entry

import "runtime"

// Entry lets no file be opened, turns the profile of memory off, has timers be late
// where the program's first argument is "run", and goes on where Go programs begin. It
// cannot be called.
func Entry()

// slack is the slack of timers that this process was started with, in nanoseconds;
// 0 where Entry has not changed it. It is written before Go starts, and not again.
var slack uintptr

// files is the limit of open files that this process was started with, the soft one
// and the hard one; 0 where Entry has not changed it.
var files [2]uint64 //nolint:unused // by assembly alone

// few is the limit that stands until files is restored: descriptors 0, 1 and 2.
var few [2]uint64 //nolint:unused // likewise

// rate is how often an allocation is remembered for a profile.
var rate = &runtime.MemProfileRate //nolint:unused // by assembly alone

// restore gives the limit of open files back, before any other package can open one. Its
// frame is so large that the stack grows at once to what a launch takes.
func restore() bool

var _ = restore()

// Slack is the slack of timers that this process was started with, in nanoseconds;
// 0 where it has it still.
func Slack() uintptr { return slack }
