package main

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// as has something done in the sandbox's mounts as its programs would do it: with their
// owner, without a capability.
//
// Security: a thread that does not get its rights back does nothing more that needs them.
func (v *view) as(umask int, do func() error) error {
	return v.inside(func() (err error) {
		header := &unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
		var ours, none [2]unix.CapUserData
		if err := unix.Capget(header, &ours[0]); err != nil {
			return fmt.Errorf("read capabilities: %w", err)
		}
		for i := range ours {
			none[i] = ours[i]
			none[i].Effective = 0
		}
		before := unix.Umask(umask)
		defer func() {
			back := errors.Join(unix.Capset(header, &ours[0]), unix.Setfsuid(0), unix.Setfsgid(0))
			unix.Umask(before)
			if back != nil && err == nil {
				err = back
			}
		}()
		if err := errors.Join(unix.Setfsgid(v.gid), unix.Setfsuid(v.uid), unix.Capset(header, &none[0])); err != nil {
			return fmt.Errorf("take a program's rights: %w", err)
		}
		const which = -1 // the kernel says nothing of a number that it does not take, and tells the one that is
		uid, err := unix.SetfsuidRetUid(which)
		gid, e := unix.SetfsgidRetGid(which)
		if err = errors.Join(err, e); err != nil || uid != v.uid || gid != v.gid {
			return errors.Join(errors.New("take a program's rights: the kernel did not"), err)
		}
		return do()
	})
}
