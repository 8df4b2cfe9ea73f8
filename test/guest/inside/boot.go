package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"ambit.dev/ambit/test/guest/job"
)

// boot goes from the initramfs to a machine that programs find as they know it.
func boot(l job.List) error {
	for _, m := range l.Modules {
		if err := load(m); err != nil {
			return err
		}
	}
	if err := mountAll("", []mount{{"proc", "/proc", "proc", 0, ""}, {"dev", "/dev", "devtmpfs", 0, ""}}); err != nil {
		return err
	}
	if err := appears(l.Disk); err != nil {
		return err
	}
	if err := unix.Mount(l.Disk, "/root", "ext4", 0, ""); err != nil {
		return fmt.Errorf("mount %s: %w", l.Disk, err)
	}
	if err := enter("/root"); err != nil {
		return err
	}
	if err := mountAll("", systemMounts); err != nil {
		return err
	}
	if err := devices(); err != nil {
		return err
	}
	if err := os.WriteFile("/proc/sys/kernel/hostname", []byte("guest"), 0); err != nil {
		return err
	}
	return loopback()
}

func load(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	flags := 0
	if filepath.Ext(path) != ".ko" {
		flags = unix.MODULE_INIT_COMPRESSED_FILE // such kernels unpack their modules themselves
	}
	if err := unix.FinitModule(int(f.Fd()), "", flags); err != nil && !errors.Is(err, unix.EEXIST) {
		return fmt.Errorf("load %s: %w", path, err)
	}
	return nil
}

type mount struct {
	source, path, kind string
	flags              uintptr
	options            string
}

const usual = unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC

// systemMounts are what systemd mounts, with its flags.
var systemMounts = []mount{
	{"none", "/", "", unix.MS_REC | unix.MS_SHARED, ""},
	{"proc", "/proc", "proc", usual, ""},
	{"sysfs", "/sys", "sysfs", usual, ""},
	{"devtmpfs", "/dev", "devtmpfs", unix.MS_NOSUID, "mode=755"},
	{"devpts", "/dev/pts", "devpts", unix.MS_NOSUID | unix.MS_NOEXEC, "gid=5,mode=620,ptmxmode=000"},
	{"tmpfs", "/dev/shm", "tmpfs", unix.MS_NOSUID | unix.MS_NODEV, ""},
	{"tmpfs", "/run", "tmpfs", unix.MS_NOSUID | unix.MS_NODEV, "mode=755"},
	{"securityfs", "/sys/kernel/security", "securityfs", usual, ""},
	{"cgroup2", "/sys/fs/cgroup", "cgroup2", usual, "nsdelegate,memory_recursiveprot"},
	{"bpf", "/sys/fs/bpf", "bpf", usual, "mode=700"},
}

func mountAll(root string, all []mount) error {
	for _, m := range all {
		path := filepath.Join(root, m.path)
		if err := os.MkdirAll(path, 0o755); err != nil {
			return err
		}
		if err := unix.Mount(m.source, path, m.kind, m.flags, m.options); err != nil {
			return fmt.Errorf("mount %s: %w", path, err)
		}
	}
	return nil
}

// appears waits for a device that its driver is still looking at.
func appears(path string) error {
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		_, err := os.Stat(path)
		if !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if time.Now().After(end) {
			return fmt.Errorf("%s does not appear", path)
		}
	}
}

// enter makes dir the root as switch_root does: an initramfs cannot be left by
// pivot_root(2), and a process that is merely chrooted may make no user
// namespaces.
func enter(dir string) error {
	if err := unix.Chdir(dir); err != nil {
		return err
	}
	if err := unix.Mount(".", "/", "", unix.MS_MOVE, ""); err != nil {
		return fmt.Errorf("move the root: %w", err)
	}
	if err := unix.Chroot("."); err != nil {
		return fmt.Errorf("enter the root: %w", err)
	}
	return unix.Chdir("/")
}

// devices gives device files the modes and links of udev's rules
// (50-udev-default.rules).
func devices() error {
	for _, name := range []string{"fuse", "tun", "vsock"} {
		if err := modprobe(name); err != nil {
			return err
		}
	}
	for path, mode := range map[string]os.FileMode{"/dev/fuse": 0o666, "/dev/net/tun": 0o666, "/dev/ptmx": 0o666, "/dev/tty": 0o666, "/dev/shm": 0o777 | os.ModeSticky} {
		if err := os.Chmod(path, mode); err != nil {
			return err
		}
	}
	for name, target := range map[string]string{"fd": "/proc/self/fd", "stdin": "/proc/self/fd/0", "stdout": "/proc/self/fd/1", "stderr": "/proc/self/fd/2"} {
		if err := os.Symlink(target, "/dev/"+name); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	return nil
}

func loopback() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd) //nolint:errcheck // nothing was written
	r, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	r.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
	return unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, r)
}
