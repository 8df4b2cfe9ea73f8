//go:build linux

package process

import (
	"strconv"
	"sync"

	"golang.org/x/sys/unix"
)

// holdMounts keeps the sandbox's mounts until the answer is called, or the launcher
// ends. Otherwise init takes them apart as it ends, and its end is waited for: the
// kernel waits there until nobody looks at any mount of the host's tree any more.
// Now the launcher does that, and writes down the end meanwhile. Nothing runs in
// the sandbox then.
func holdMounts(pid int, trapped bool) (letGo func()) {
	dir := "/proc/" + strconv.Itoa(pid)
	mounts, err := unix.Open(dir+"/ns/mnt", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return func() {} // then it takes its time
	}
	root := -1
	if trapped {
		root, _ = unix.Open(dir+"/root", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0) // as above
	}
	return sync.OnceFunc(func() {
		if root >= 0 {
			defer leave(root)()
		}
		_ = unix.Close(mounts) // nothing was written
	})
}

// leave gives a descriptor to the kernel, which closes it some time after the answer was
// called, or the launcher has ended, in a thread of its own. Of a trap whoever closes it
// last takes the file system apart, and waits there for each processor and for what would write
// its pages to a disk, which it has not; nobody needs to see the end of that. It
// shows nothing of the host, so that no disk is in use for longer.
//
// What is closed lies in the queue of a socket whose other end is closed, and that is
// referred to by what lies in its queue alone: the kernel collects those (unix(7)). Kernels
// that collect while the socket is closed only do at once what they would have done.
func leave(fd int) (closed func()) {
	defer unix.Close(fd) //nolint:errcheck // nothing was written
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return func() {}
	}
	_ = unix.Sendmsg(pair[0], []byte{0}, unix.UnixRights(fd, pair[1]), nil, 0) // else it is closed here
	return func() {
		_ = unix.Close(pair[1])
		_ = unix.Close(pair[0])
	}
}
