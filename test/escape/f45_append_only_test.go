package escape_test

import (
	"os"
	"path/filepath"
	"runtime/debug"
	"testing"

	"golang.org/x/sys/unix"
)

const notEverywhere = "not every file system has it"

const past = "kept, first line\nkept, second line\n"

// appendOnly makes a folder that is shown append-only, with a file and an empty
// folder in it.
func appendOnly(t *testing.T, f *field) {
	store := filepath.Join(f.Dir, "store")
	f.Values["store"], f.Values["kept"] = store, filepath.Join(store, "kept")
	f.put(t, f.Values["kept"], past)
	if err := os.Mkdir(filepath.Join(store, "folder"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(f.Values["kept"], 0o644); err != nil {
		t.Fatal(err)
	}
	if err := unix.Setxattr(f.Values["kept"], "user.was", []byte("1"), 0); err != nil {
		t.Skipf("requires: extended attributes in %s", f.Dir)
	}
	f.guard(t, f.Values["kept"])
}

// storeHarm says what became of it.
func storeHarm(f *field) string {
	if harm := f.harm(); harm != "" {
		return harm
	}
	for _, name := range []string{"folder", "kept"} {
		if _, err := os.Lstat(filepath.Join(f.Values["store"], name)); err != nil {
			return err.Error()
		}
	}
	for _, name := range []string{"link", "pipe", "second"} {
		if st, err := os.Lstat(filepath.Join(f.Values["store"], name)); err == nil && (f.tier != tierMachine || name != "second" || !st.Mode().IsRegular()) { // a file of its own there
			return "there is a " + name
		}
	}
	return ""
}

// withFile does something with an open file of the store.
func withFile(flags int, do func(fd int) error) func(f *field) error {
	return func(f *field) error {
		fd, err := unix.Open(f.Values["kept"], flags, 0)
		if err != nil {
			return err
		}
		return do(fd)
	}
}

// inStore does something with the file and with another name beside it.
func inStore(do func(kept, other string) error) func(f *field) error {
	return func(f *field) error { return do(f.Values["kept"], filepath.Join(f.Values["store"], "other")) }
}

func written(_ int, err error) error { return err }

// source is an open file beside another one, with something else in it.
func source(fd int) (int, error) {
	beside, err := os.Readlink("/proc/self/fd/" + itoa(fd))
	if err != nil {
		return -1, err
	}
	from, err := unix.Open(beside+"2", unix.O_CREAT|unix.O_EXCL|unix.O_RDWR, 0o600)
	if err != nil {
		return -1, err
	}
	return from, written(unix.Write(from, []byte("changed")))
}

func TestF45AppendOnly(t *testing.T) { appendOnlyAttack().run(t) }

func appendOnlyAttack() attack {
	eperm := refused(unix.EPERM)
	tries := []try{
		{Name: "truncate", Do: inStore(func(k, _ string) error { return unix.Truncate(k, 0) })},
		{Name: "truncate to more", Do: inStore(func(k, _ string) error { return unix.Truncate(k, 4096) })},
		{Name: "O_TRUNC", Do: withFile(unix.O_WRONLY|unix.O_TRUNC, func(int) error { return nil })},
		{Name: "O_TRUNC, opened for reading", Do: withFile(unix.O_RDONLY|unix.O_TRUNC, func(int) error { return nil })},
		{Name: "creat", Do: inStore(func(k, _ string) error { return closing(unix.Creat(k, 0o644)) })},
		{Name: "ftruncate", Do: withFile(unix.O_RDWR, func(fd int) error { return unix.Ftruncate(fd, 1) })},
		{Name: "write at the start", Do: withFile(unix.O_WRONLY, func(fd int) error { return written(unix.Write(fd, []byte("changed"))) })},
		{Name: "pwrite in the middle", Do: withFile(unix.O_RDWR, func(fd int) error { return written(unix.Pwrite(fd, []byte("changed"), 5)) })},
		{Name: "pwrite one byte before the end", Do: withFile(unix.O_RDWR, func(fd int) error { return written(unix.Pwrite(fd, []byte("x"), int64(len(past)-1))) })},
		{Name: "pwrite beyond the end", Do: withFile(unix.O_RDWR, func(fd int) error { return written(unix.Pwrite(fd, []byte("x"), 1<<20)) })},
		{Name: "O_APPEND taken away", Do: withFile(unix.O_WRONLY|unix.O_APPEND, func(fd int) error {
			if _, err := unix.FcntlInt(uintptr(fd), unix.F_SETFL, 0); err != nil {
				return err
			}
			return written(unix.Pwrite(fd, []byte("changed"), 0))
		})},
		{Name: "pwritev", Do: withFile(unix.O_RDWR, func(fd int) error { return written(unix.Pwritev(fd, [][]byte{[]byte("chan"), []byte("ged")}, 0)) })},
		{Name: "O_DIRECT", NoControl: notEverywhere, Do: withFile(unix.O_RDWR, func(fd int) error {
			if _, err := unix.FcntlInt(uintptr(fd), unix.F_SETFL, unix.O_DIRECT); err != nil {
				return err
			}
			b, err := unix.Mmap(-1, 0, 4096, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
			if err != nil {
				return err
			}
			return written(unix.Pwrite(fd, b, 0))
		})},
		{Name: "written anew by /proc/self/fd", Do: withFile(unix.O_RDONLY, func(fd int) error {
			again, err := unix.Open("/proc/self/fd/"+itoa(fd), unix.O_WRONLY, 0)
			if err != nil {
				return err
			}
			return written(unix.Write(again, []byte("changed")))
		})},
		{Name: "a hole", Do: withFile(unix.O_RDWR, func(fd int) error {
			return unix.Fallocate(fd, unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, 0, 8)
		})},
		{Name: "zeros", NoControl: notEverywhere, Do: withFile(unix.O_RDWR, func(fd int) error { return unix.Fallocate(fd, unix.FALLOC_FL_ZERO_RANGE, 0, 8) })},
		{Name: "space", Do: withFile(unix.O_RDWR, func(fd int) error { return unix.Fallocate(fd, 0, 0, 8192) })},
		{Name: "copy_file_range", Do: withFile(unix.O_RDWR, func(fd int) error {
			from, err := source(fd)
			if err != nil {
				return err
			}
			in, at := int64(0), int64(2)
			return written(unix.CopyFileRange(from, &in, fd, &at, 7, 0))
		})},
		{Name: "splice", Do: withFile(unix.O_WRONLY, func(fd int) error {
			var p [2]int
			if err := unix.Pipe(p[:]); err != nil {
				return err
			}
			if _, err := unix.Write(p[1], []byte("changed")); err != nil {
				return err
			}
			at := int64(2)
			_, err := unix.Splice(p[0], nil, fd, &at, 7, 0)
			return err
		})},
		{Name: "sendfile", Do: withFile(unix.O_WRONLY, func(fd int) error {
			from, err := source(fd)
			if err != nil {
				return err
			}
			at := int64(0)
			return written(unix.Sendfile(fd, from, &at, 7))
		})},
		{Name: "a shared mapping", Want: refused(unix.ENODEV), Do: withFile(unix.O_RDWR, func(fd int) (err error) {
			defer debug.SetPanicOnFault(debug.SetPanicOnFault(true)) // another kernel refuses when it is touched
			defer func() {
				if recover() != nil {
					err = unix.EFAULT
				}
			}()
			m, err := unix.Mmap(fd, 0, len(past), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
			if err != nil {
				return err
			}
			copy(m, "changed")
			return unix.Msync(m, unix.MS_SYNC)
		})},
		{Name: "unlink", Do: inStore(func(k, _ string) error { return unix.Unlink(k) })},
		{Name: "rmdir", Do: func(f *field) error { return unix.Rmdir(filepath.Join(f.Values["store"], "folder")) }},
		{Name: "rename", Do: inStore(unix.Rename)},
		{Name: "rename a folder", Do: func(f *field) error {
			folder := filepath.Join(f.Values["store"], "folder")
			return unix.Rename(folder, folder+"2")
		}},
		{Name: "rename over", Do: inStore(func(k, o string) error {
			if err := os.WriteFile(o, []byte("changed"), 0o600); err != nil {
				return err
			}
			return unix.Rename(o, k)
		})},
		{Name: "exchange", Do: inStore(func(k, o string) error {
			if err := os.WriteFile(o, []byte("changed"), 0o600); err != nil {
				return err
			}
			return unix.Renameat2(unix.AT_FDCWD, o, unix.AT_FDCWD, k, unix.RENAME_EXCHANGE)
		})},
		{Name: "a second name", Harmless: true, Do: inStore(func(k, _ string) error { return unix.Link(k, filepath.Join(filepath.Dir(k), "second")) })},
		{Name: "a symbolic link", Harmless: true, Do: inStore(func(k, _ string) error { return unix.Symlink("/etc/passwd", filepath.Join(filepath.Dir(k), "link")) })},
		{Name: "a pipe", Harmless: true, Do: inStore(func(k, _ string) error { return unix.Mkfifo(filepath.Join(filepath.Dir(k), "pipe"), 0o600) })},
		{Name: "a file without a name", Harmless: true, Want: refused(unix.EPERM, unix.EOPNOTSUPP), Do: func(f *field) error {
			return closing(unix.Open(f.Values["store"], unix.O_TMPFILE|unix.O_RDWR, 0o600))
		}},
		{Name: "chmod", Do: inStore(func(k, _ string) error { return unix.Chmod(k, 0) })},
		{Name: "fchmod", Do: withFile(unix.O_RDONLY, func(fd int) error { return unix.Fchmod(fd, 0o4755) })},
		{Name: "chown", Root: true, Do: inStore(func(k, _ string) error { return unix.Chown(k, 1, 1) }), Want: refused(unix.EPERM, unix.EINVAL)},
		{Name: "a time that is over", Do: inStore(func(k, _ string) error {
			return unix.UtimesNanoAt(unix.AT_FDCWD, k, []unix.Timespec{{Sec: 1}, {Sec: 1}}, 0)
		})},
		{Name: "an attribute", Do: inStore(func(k, _ string) error { return unix.Setxattr(k, "user.x", []byte("x"), 0) })},
		{Name: "no attribute", Do: inStore(func(k, _ string) error { return unix.Removexattr(k, "user.was") })},
		{Name: "FS_IOC_SETFLAGS", NoControl: notEverywhere, Want: refused(), Do: withFile(unix.O_RDONLY, func(fd int) error {
			flags := uint32(0x40) // FS_NODUMP_FL
			_, err := raw(unix.SYS_IOCTL, uintptr(fd), 0x40086602, address(&flags))
			return err
		})},
	}
	for i := range tries {
		if tries[i].Want.errnos == nil && tries[i].Name != "FS_IOC_SETFLAGS" {
			tries[i].Want = eperm
		}
	}
	if attempting == nil && !trapOpens() {
		tries = tries[:1]
		tries[0].Want = notLaunched("it needs /dev/fuse, which cannot be opened")
	}
	return attack{
		ID: "F45", Title: "change what is in an append-only folder",
		Reference: "chattr +a, which root takes away; O_APPEND, which F_SETFL does",
		Tiers:     process, Setup: appendOnly, Harm: storeHarm, Tries: tries,
		Flags: func(f *field) []string { return f.appending() },
	}
}
