package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/enforce/microvm/channel"
)

// compose builds the view, on a mount or on one of its own, and makes it the root. Entries come in the order of the
// plan, parents first. What is read-only becomes so when everything is in it. What may be
// written belongs to the program, as in the other tiers.
func compose(r channel.Prepare, on *os.File) error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("make mounts private: %w", err)
	}
	if err := mountRoot(on); err != nil {
		return err
	}
	var closing []string
	if on == nil { // a trap refuses all changes, and asks about some
		closing = []string{viewDir}
	}
	for _, e := range r.Entries {
		if err := put(e, r); err != nil {
			return fmt.Errorf("%s %s: %w", e.Op, e.Path, err)
		}
		if e.Op == "tmpfs" && !e.Write {
			closing = append(closing, at(e.Path))
		}
	}
	for _, dir := range closing {
		if err := unix.Mount("", dir, "", unix.MS_REMOUNT|unix.MS_BIND|unix.MS_RDONLY|unix.MS_NOSUID|unix.MS_NODEV, ""); err != nil {
			return fmt.Errorf("close %s: %w", dir, err)
		}
	}
	// An initramfs cannot be left with pivot_root: the view is moved over it.
	if err := unix.Chdir(viewDir); err != nil {
		return err
	}
	if err := unix.Mount(".", "/", "", unix.MS_MOVE, ""); err != nil {
		return fmt.Errorf("move the view: %w", err)
	}
	return errors.Join(unix.Chroot("."), unix.Chdir("/"))
}

// mountRoot puts what the view stands on into its place.
func mountRoot(on *os.File) error {
	if on == nil {
		return mountAll([]mount{{"tmpfs", viewDir, "tmpfs", unix.MS_NOSUID | unix.MS_NODEV, "mode=755,size=16m"}})
	}
	defer on.Close()
	if err := os.MkdirAll(viewDir, 0o755); err != nil {
		return err
	}
	if err := unix.MoveMount(int(on.Fd()), "", unix.AT_FDCWD, viewDir, unix.MOVE_MOUNT_F_EMPTY_PATH); err != nil {
		return fmt.Errorf("place the trap: %w", err)
	}
	return nil
}

func at(path string) string { return filepath.Join(viewDir, path) }

// flags are those of a mount that shows an entry.
func flags(e channel.Entry) uintptr {
	f := uintptr(unix.MS_NOSUID)
	if !e.Write {
		f |= unix.MS_RDONLY
	}
	if !e.Exec {
		f |= unix.MS_NOEXEC
	}
	if !e.Device {
		f |= unix.MS_NODEV
	}
	return f
}

func put(e channel.Entry, r channel.Prepare) error {
	to := at(e.Path)
	switch e.Op {
	case "dir":
		if err := os.Mkdir(to, fs.FileMode(e.Mode)); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
		return nil
	case "file":
		return file(to, e)
	case "link":
		return os.Symlink(e.From, to)
	case "tmpfs":
		options := fmt.Sprintf("mode=%o", e.Mode)
		if e.Write {
			options += fmt.Sprintf(",uid=%d,gid=%d", r.UID, r.GID)
		}
		if e.Size > 0 {
			options += ",size=" + strconv.FormatInt(e.Size, 10)
		}
		return unix.Mount("tmpfs", to, "tmpfs", flags(e)&^unix.MS_RDONLY, options)
	case "proc":
		return proc(to)
	case "devpts":
		return unix.Mount("devpts", to, "devpts", unix.MS_NOSUID|unix.MS_NOEXEC, "newinstance,ptmxmode=0666,mode=620")
	case "bind":
		return bind(to, e)
	case "mask":
		return mask(to, e)
	}
	return errors.New("the guest does not know it")
}

// bind shows what lies at another place.
func bind(to string, e channel.Entry) error {
	if err := unix.Mount(e.From, to, "", unix.MS_BIND, ""); err != nil {
		return err
	}
	return unix.Mount("", to, "", unix.MS_REMOUNT|unix.MS_BIND|flags(e), "")
}

// settings are those parts of /proc by which root, without any capability, could
// change the guest's kernel or have it run a program.
var settings = []string{"sys", "sysrq-trigger", "irq", "bus", "fs"}

// proc mounts one of the sandbox's own, with its settings closed.
func proc(to string) error {
	const flags = unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC
	if err := unix.Mount("proc", to, "proc", flags, ""); err != nil {
		return err
	}
	for _, name := range settings {
		p := filepath.Join(to, name)
		err := unix.Mount(p, p, "", unix.MS_BIND, "")
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err == nil {
			err = unix.Mount("", p, "", unix.MS_REMOUNT|unix.MS_BIND|unix.MS_RDONLY|flags, "")
		}
		if err != nil {
			return fmt.Errorf("close %s: %w", name, err)
		}
	}
	return nil
}

func file(to string, e channel.Entry) error {
	f, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, fs.FileMode(e.Mode))
	if err != nil {
		return err
	}
	_, err = f.Write(e.Content)
	return errors.Join(err, f.Close())
}

// mask puts an empty object on top of one, if there is one.
func mask(to string, e channel.Entry) error {
	fi, err := os.Lstat(to)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if fi.IsDir() {
		return unix.Mount("tmpfs", to, "tmpfs", unix.MS_RDONLY|unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, "size=4k,mode=0")
	}
	const empty = "/empty"
	if err := os.WriteFile(empty, nil, 0); err != nil && !errors.Is(err, fs.ErrPermission) {
		return err
	}
	return bind(to, channel.Entry{From: empty})
}
