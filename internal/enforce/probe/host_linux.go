package probe

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"

	"golang.org/x/sys/unix"
)

// ThisHost is the host that we are on. The command starts this program with
// Attempt.
func ThisHost(landlockABI int, self []string) Host {
	return Host{
		FS: os.DirFS("/"), UID: os.Getuid(), Kernel: release(), LandlockABI: landlockABI,
		Open: func(device string) error {
			f, err := os.OpenFile(device, os.O_RDWR|unix.O_NONBLOCK, 0)
			if err != nil {
				return err
			}
			return f.Close()
		},
		NewUser: func() error { return newUser(self) },
	}
}

func release() string {
	var u unix.Utsname
	if unix.Uname(&u) != nil {
		return "unknown"
	}
	return unix.ByteSliceToString(u.Release[:])
}

// newUser starts a program in a user namespace that mounts something there:
// making the namespace alone is permitted where its rights are taken away.
func newUser(self []string) error {
	outside, err := os.Readlink(mountNamespace)
	if err != nil {
		return err
	}
	argv, err := Targets{Set: setMount, Outside: outside}.argv(self[len(self)-1])
	if err != nil {
		return err
	}
	cmd := exec.Command(self[0], append(self[1:len(self)-1:len(self)-1], argv...)...) //nolint:noctx // it ends at once
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  unix.CLONE_NEWUSER | unix.CLONE_NEWNS,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("make one: %w%s", err, said(out))
	}
	return nil
}

func said(out []byte) string {
	if len(out) == 0 {
		return ""
	}
	return ": " + string(out[:min(len(out), 200)])
}

const mountNamespace = "/proc/self/ns/mnt"

// mountSomething is what newUser starts. In a mount namespace of its own it
// changes nothing of the host's, and in the host's it does nothing.
func mountSomething(outside string) error {
	own, err := os.Readlink(mountNamespace)
	if err != nil {
		return err
	}
	if outside == "" || own == outside {
		return errors.New("it is in the mount namespace of the host")
	}
	if err := unix.Mount("none", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("make the mounts private: %w", err)
	}
	if err := unix.Mount("none", "/dev", "tmpfs", 0, ""); err != nil {
		return fmt.Errorf("mount a tmpfs: %w", err)
	}
	return nil
}

// leak returns a socket in which a descriptor of the root folder waits.
func leak() (*os.File, error) {
	root, err := os.Open("/")
	if err != nil {
		return nil, err
	}
	defer root.Close()
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("make a socket: %w", err)
	}
	defer unix.Close(pair[0]) //nolint:errcheck // what was sent waits at the other end
	end := os.NewFile(uintptr(pair[1]), "socket")
	if err := unix.Sendmsg(pair[0], []byte{0}, unix.UnixRights(int(root.Fd())), nil, 0); err != nil {
		return nil, errors.Join(fmt.Errorf("send a descriptor: %w", err), end.Close())
	}
	return end, nil
}
