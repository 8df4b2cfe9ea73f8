package guest

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// user is the ordinary user of a guest.
const user = 1000

// etc are the files that packages make when they are installed.
var etc = map[string]string{
	"etc/passwd":        "root:x:0:0:root:/root:/bin/bash\nnobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\nana:x:1000:1000:Ana:/home/ana:/bin/bash\n",
	"etc/group":         "root:x:0:\ntty:x:5:\nnogroup:x:65534:\nana:x:1000:\n",
	"etc/hostname":      "guest\n",
	"etc/hosts":         "127.0.0.1 localhost guest\n::1 localhost\n",
	"etc/shadow":        "root:*:20000:0:99999:7:::\nana:*:20000:0:99999:7:::\n",
	"etc/resolv.conf":   "# no network\n",
	"etc/nsswitch.conf": "passwd: files\ngroup: files\nshadow: files\nhosts: files dns\n",
}

// A rootfs is a folder that becomes the root file system of a guest.
type rootfs struct{ dir string }

// newRootfs lays out the packages' files in dir: those that this host has, or
// those in a folder of packages.
func newRootfs(dir string, m model) (rootfs, error) {
	r := rootfs{dir}
	for _, d := range []string{"dev", "proc", "sys", "run", "tmp", "root", "home/ana", "srv", "etc", "usr/bin", "usr/sbin", "usr/lib", "usr/lib64"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o755); err != nil {
			return r, err
		}
	}
	for _, name := range []string{"bin", "sbin", "lib", "lib64"} {
		if err := os.Symlink("usr/"+name, filepath.Join(dir, name)); err != nil {
			return r, err
		}
	}
	fill := r.ofHost
	if m.packages != "" {
		fill = func() error { return r.unpack(m.packages) }
	}
	if err := fill(); err != nil {
		return r, err
	}
	for path, text := range etc {
		if err := os.WriteFile(filepath.Join(dir, path), []byte(text), 0o644); err != nil {
			return r, err
		}
	}
	for path, mode := range map[string]os.FileMode{"tmp": 0o777 | os.ModeSticky, "root": 0o700, "etc/shadow": 0o600} {
		if err := os.Chmod(filepath.Join(dir, path), mode); err != nil {
			return r, err
		}
	}
	return r, os.Chown(filepath.Join(dir, "home/ana"), user, user)
}

// ofHost installs what this host has of the packages.
func (r rootfs) ofHost() error {
	files, err := packageFiles(strings.Fields(contents))
	if err != nil {
		return err
	}
	alternatives, err := filepath.Glob("/etc/alternatives/*")
	if err != nil {
		return err
	}
	for _, path := range append(files, alternatives...) {
		if err := r.install(path, path); err != nil {
			return err
		}
		if err := r.compiled(path); err != nil {
			return err
		}
	}
	if out, err := exec.Command("ldconfig", "-r", r.dir).CombinedOutput(); err != nil { //nolint:noctx // it ends at once
		return fmt.Errorf("ldconfig: %w: %s", err, out)
	}
	return nil
}

// compiled installs Python's compiled modules of a folder. They are made when
// packages are installed; without them root's Python would want to make them at
// each start.
func (r rootfs) compiled(folder string) error {
	from := filepath.Join(folder, "__pycache__")
	if fi, err := os.Stat(from); !strings.HasPrefix(folder, "/usr/lib/python") || err != nil || !fi.IsDir() {
		return nil
	}
	return r.tree(from, from)
}

// unpack puts the files of packages there that are not installed here.
func (r rootfs) unpack(folder string) error {
	packages, err := filepath.Glob(filepath.Join(folder, "*.deb"))
	if err != nil || len(packages) == 0 {
		return fmt.Errorf("%s has %d packages: %w", folder, len(packages), err)
	}
	for _, p := range packages {
		tar := exec.Command("tar", "-x", "--keep-directory-symlink", "-C", r.dir) //nolint:noctx // it ends with its input
		deb := exec.Command("dpkg-deb", "--fsys-tarfile", p)                      //nolint:noctx // it ends at once
		if tar.Stdin, err = deb.StdoutPipe(); err != nil {
			return err
		}
		if err := tar.Start(); err != nil {
			return err
		}
		if err := errors.Join(deb.Run(), tar.Wait()); err != nil {
			return fmt.Errorf("unpack %s: %w", p, err)
		}
	}
	return nil
}

// install copies one object of the host to a path of the guest, with its owner
// and mode. Directories come without what is in them. What the package lists
// and the host does not have (documents that were left out) stays out.
func (r rootfs) install(to, from string) error {
	fi, err := os.Lstat(from)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	// The guest's /bin is a link, as the host's is.
	dir, err := filepath.EvalSymlinks(filepath.Dir(to))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err != nil {
		dir = filepath.Dir(to)
	}
	target := filepath.Join(r.dir, dir, filepath.Base(to))
	if _, err := os.Lstat(target); err == nil {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
		return err
	}
	switch fi.Mode().Type() {
	case fs.ModeSymlink:
		link, err := os.Readlink(from)
		if err != nil {
			return err
		}
		return os.Symlink(link, target)
	case fs.ModeDir:
		if err := os.Mkdir(target, 0o755); err != nil {
			return err
		}
	case 0:
		if err := copyFile(target, from); err != nil {
			return err
		}
	default:
		return fmt.Errorf("install %s: it is neither a file nor a folder nor a link", from)
	}
	if st, ok := fi.Sys().(*syscall.Stat_t); ok {
		if err := os.Chown(target, int(st.Uid), int(st.Gid)); err != nil {
			return err
		}
	}
	return os.Chmod(target, fi.Mode())
}

// tree copies a folder with everything in it.
func (r rootfs) tree(to, from string) error {
	return filepath.WalkDir(from, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		return r.install(filepath.Join(to, rel), path)
	})
}

func copyFile(to, from string) (err error) {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}

// image makes an ext4 image of the folder.
func (r rootfs) image(path string) error {
	const megabytes = 1536
	cmd := exec.Command("mke2fs", "-q", "-t", "ext4", "-d", r.dir, "-E", "lazy_itable_init=1,root_owner=0:0", path, strconv.Itoa(megabytes)+"M") //nolint:noctx // it ends at once
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("mke2fs: %w: %s", err, out)
	}
	return nil
}
