// Package thread says what Go's scheduler cannot know about this program's threads:
// which system calls block, and that its monitor need not look at them all the time.
//
// The monitor (sysmon in runtime/proc.go) takes a processor away from a goroutine
// whose system call blocks, and gives it to another one. While anything goes on it
// looks for such calls each 20 microseconds, which with the kernel's slack for
// timers becomes 70: a hundred times in one launch, two hundred where a hundred
// launches begin at once, and each time it interrupts a thread that works. Here
// is what makes it dispensable: the calls of a launch that block say so themselves
// (Wait4 and others), so that nobody has to find out, and `ambit run` begins with
// timers that may be a millisecond late (package entry), the monitor's among them. Later than
// that a launch takes longer for it: a thread that takes over another one's work
// waits by such a timer, too.
//
// It knows nothing of what the threads do. Layer: over entry, below everything else.
package thread
