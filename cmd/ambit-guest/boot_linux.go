package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/enforce/microvm/channel"
	"ambit.dev/ambit/internal/inside"
)

// insideName is argv[0] of the copy of this program that is process 1 of the
// sandbox.
const insideName = "ambit-inside"

// Where things lie in the guest.
const (
	imageDir = "/image" // the read-only root file system of the image
	treesDir = "/trees" // what was put
	viewDir  = "/view"  // where the sandbox's root is built
	groupDir = "/sys/fs/cgroup"
)

func run() error {
	switch {
	case os.Args[0] == insideName:
		return runInside()
	case os.Args[0] == inside.Name:
		return inside.Carry(os.Args)
	case os.Getpid() != 1:
		return errors.New("it is process 1 of a machine, and of no use by itself: see `ambit image`")
	}
	err := serveAsFirst()
	fmt.Fprintln(os.Stderr, "ambit-guest: ended:", err)
	// With -no-reboot the machine ends.
	_ = unix.Reboot(unix.LINUX_REBOOT_CMD_RESTART) // what follows if not is a panic, which ends it too
	return err
}

func serveAsFirst() error {
	if err := mountFirst(); err != nil {
		return err
	}
	if err := loadModules(); err != nil {
		return err
	}
	// A program gets no user namespace, in which it would have capabilities again.
	if err := os.WriteFile("/proc/sys/user/max_user_namespaces", []byte("0"), 0o600); err != nil {
		return fmt.Errorf("forbid user namespaces: %w", err)
	}
	if err := mountImage(); err != nil {
		return err
	}
	warm()
	if err := rehearse(); err != nil {
		return err
	}
	if err := loopback(); err != nil {
		return fmt.Errorf("bring up lo: %w", err)
	}
	port, err := findPort(portName)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(port, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	waiting, err := newProgram()
	if err != nil {
		return fmt.Errorf("start process 1 of the sandbox: %w", err)
	}
	settle()
	mux, err := channel.Accept(f)
	if err != nil {
		return err
	}
	return (&agent{waiting: waiting}).serve(mux)
}

// portName is that of the machine's one port; the driver gives it.
const portName = "ambit.channel"

type mount struct {
	from, at, kind string
	flags          uintptr
	options        string
}

func mountAll(all []mount) error {
	for _, m := range all {
		if err := os.MkdirAll(m.at, 0o755); err != nil {
			return err
		}
		if err := unix.Mount(m.from, m.at, m.kind, m.flags, m.options); err != nil {
			return fmt.Errorf("mount %s: %w", m.at, err)
		}
	}
	return nil
}

func mountFirst() error {
	err := mountAll([]mount{
		{"devtmpfs", "/dev", "devtmpfs", unix.MS_NOSUID | unix.MS_NOEXEC, ""},
		{"proc", "/proc", "proc", unix.MS_NOSUID | unix.MS_NOEXEC | unix.MS_NODEV, ""},
		{"sysfs", "/sys", "sysfs", unix.MS_NOSUID | unix.MS_NOEXEC | unix.MS_NODEV, ""},
	})
	if err != nil {
		return err
	}
	if fd, err := unix.Open("/dev/console", unix.O_RDWR, 0); err == nil {
		for i := range 3 {
			if err := unix.Dup3(fd, i, 0); err != nil {
				return err
			}
		}
	}
	return mountAll([]mount{
		{"devpts", "/dev/pts", "devpts", unix.MS_NOSUID | unix.MS_NOEXEC, "ptmxmode=0666"},
		{"cgroup2", groupDir, "cgroup2", unix.MS_NOSUID | unix.MS_NOEXEC | unix.MS_NODEV, ""},
		{"tmpfs", treesDir, "tmpfs", unix.MS_NOSUID | unix.MS_NODEV, "mode=711,size=50%"},
	})
}

// loadModules loads those of the initramfs, whose names are in the right order.
func loadModules() error {
	list, err := filepath.Glob("/modules/*.ko")
	if err != nil {
		return err
	}
	slices.Sort(list)
	for _, m := range list {
		f, err := os.Open(m)
		if err != nil {
			return err
		}
		err = unix.FinitModule(int(f.Fd()), "", 0)
		_ = f.Close() // it was read
		if err != nil && !errors.Is(err, unix.EEXIST) {
			fmt.Fprintln(os.Stderr, "ambit-guest: load", m, err) // what lacks it says so
		}
	}
	return nil
}

func mountImage() error {
	if err := await("/dev/vda"); err != nil {
		return err
	}
	return mountAll([]mount{{"/dev/vda", imageDir, "erofs", unix.MS_RDONLY | unix.MS_NOSUID | unix.MS_NODEV, ""}})
}

// warm reads what nearly every program starts with, so that a template has it and
// its clones share it.
func warm() {
	for _, p := range []string{"/usr/bin/dash", "/usr/bin/bash", "/usr/lib/x86_64-linux-gnu/libtinfo.so.6",
		"/usr/lib/x86_64-linux-gnu/libc.so.6", "/usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2"} {
		_, _ = os.ReadFile(imageDir + p) // what is not there is not needed
	}
}

// await waits for a device that its driver is about to make.
func await(path string) error {
	for range 1000 {
		if _, err := os.Stat(path); err == nil {
			return nil
		}
		time.Sleep(10 * time.Millisecond)
	}
	return fmt.Errorf("there is no %s", path)
}

// findPort finds the device of a port by its name.
func findPort(name string) (string, error) {
	for range 1000 {
		names, err := filepath.Glob("/sys/class/virtio-ports/*/name")
		if err != nil {
			return "", err
		}
		for _, n := range names {
			text, err := os.ReadFile(n)
			if err == nil && strings.TrimSpace(string(text)) == name {
				dev := "/dev/" + filepath.Base(filepath.Dir(n))
				return dev, await(dev)
			}
		}
		time.Sleep(10 * time.Millisecond)
	}
	return "", fmt.Errorf("there is no port %s", name)
}

// loopback brings up lo, the only interface that there is.
func loopback() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd) //nolint:errcheck // nothing was written
	ifr, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	ifr.SetUint16(unix.IFF_UP)
	return unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, ifr)
}
