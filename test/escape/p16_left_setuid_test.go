package escape_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

func TestP16LeftSetuid(t *testing.T) {
	no := refused(unix.EPERM)
	const mode = 0o4755
	file := func(change func(f *field, path string) error) func(f *field) error {
		return func(f *field) error {
			if err := os.WriteFile(f.work("x"), nil, 0o755); err != nil {
				return err
			}
			return change(f, f.work("x"))
		}
	}
	at := ^uintptr(99)
	attack{
		ID: "P16", Title: "leave a program in a writable grant that runs as the user for whoever starts it",
		Reference: "docker run -v …: a setuid shell left in a volume",
		Tiers:     process,
		Harm: func(f *field) string {
			found := ""
			err := filepath.WalkDir(f.Work, func(path string, d fs.DirEntry, err error) error {
				if err != nil {
					return err
				}
				fi, err := d.Info()
				if err == nil && fi.Mode()&(os.ModeSetuid|os.ModeSetgid) != 0 {
					found += path + " is " + fi.Mode().String()
				}
				return err
			})
			if err != nil {
				return err.Error()
			}
			return found
		},
		Tries: []try{
			{Name: "chmod", Do: file(func(_ *field, p string) error { return unix.Chmod(p, mode) }), Want: no},
			{Name: "chmod, set-group", Do: file(func(_ *field, p string) error { return unix.Chmod(p, 0o2755) }), Want: no},
			{Name: "fchmod", Do: file(func(_ *field, p string) error {
				fd, err := unix.Open(p, unix.O_RDONLY, 0)
				if err != nil {
					return err
				}
				return unix.Fchmod(fd, mode)
			}), Want: no},
			{Name: "fchmodat", Do: file(func(_ *field, p string) error { return unix.Fchmodat(unix.AT_FDCWD, p, mode, 0) }), Want: no},
			{Name: "fchmodat2", Do: file(func(_ *field, p string) error { _, err := raw(unix.SYS_FCHMODAT2, at, text(p), mode, 0); return err }), Want: no},
			{Name: "chmod with high bits", Do: file(func(_ *field, p string) error { _, err := raw(unix.SYS_CHMOD, text(p), mode|1<<40); return err }), Want: no},
			{Name: "open", Do: func(f *field) error {
				_, err := raw(unix.SYS_OPEN, text(f.work("x")), unix.O_CREAT|unix.O_WRONLY, mode)
				return err
			}, Want: no},
			{Name: "openat", Do: func(f *field) error {
				return closing(unix.Openat(unix.AT_FDCWD, f.work("x"), unix.O_CREAT|unix.O_WRONLY, mode))
			}, Want: no},
			{Name: "creat", Do: func(f *field) error { _, err := raw(unix.SYS_CREAT, text(f.work("x")), mode); return err }, Want: no},
			{Name: "openat2", Do: func(f *field) error {
				return closing(unix.Openat2(unix.AT_FDCWD, f.work("x"), &unix.OpenHow{Flags: unix.O_CREAT | unix.O_WRONLY, Mode: mode}))
			}, Want: refused(unix.ENOSYS)},
			{Name: "O_TMPFILE and link", Do: func(f *field) error {
				fd, err := unix.Open(f.Work, unix.O_TMPFILE|unix.O_WRONLY, mode)
				if err != nil {
					return err
				}
				return unix.Linkat(unix.AT_FDCWD, "/proc/self/fd/"+itoa(fd), unix.AT_FDCWD, f.work("x"), unix.AT_SYMLINK_FOLLOW)
			}, Want: no},
			{Name: "mknod", Do: func(f *field) error { return unix.Mknod(f.work("x"), unix.S_IFREG|mode, 0) }, Want: no},
			{Name: "mkdir, set-group", Do: func(f *field) error {
				// mkdir(2) drops the bit itself; the directory's chmod is what is meant.
				if err := os.Mkdir(f.work("d"), 0o755); err != nil {
					return err
				}
				return unix.Chmod(f.work("d"), 0o2755)
			}, Want: no},
			{Name: "tar", Sh: "cd $WORK && cp /bin/true t && python3 -c 'import tarfile,io; t=tarfile.open(\"x.tar\",\"w\"); i=tarfile.TarInfo(\"s\"); i.mode=0o4755; t.addfile(i, io.BytesIO(b\"\"))' && tar xpf x.tar && test -u s", Want: refused()},
			{Name: "install", Sh: "install -m 4755 /bin/true $WORK/s && test -u $WORK/s", Want: refused()},
		},
	}.run(t)
}
