//go:build linux

package gvisor

import (
	"errors"

	"golang.org/x/sys/unix"
)

// descriptor takes a message that carries one off a line that blocks.
func descriptor(line int) (int, error) {
	oob := make([]byte, unix.CmsgSpace(4))
	for {
		n, oobn, _, _, err := unix.Recvmsg(line, make([]byte, 1), oob, unix.MSG_CMSG_CLOEXEC)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return -1, err
		}
		if n == 0 {
			return -1, errors.New("the agent ended without a word")
		}
		messages, err := unix.ParseSocketControlMessage(oob[:oobn])
		if err != nil {
			return -1, err
		}
		for _, m := range messages {
			if fds, err := unix.ParseUnixRights(&m); err == nil && len(fds) == 1 {
				return fds[0], nil
			}
		}
		return -1, errors.New("a message without a descriptor")
	}
}
