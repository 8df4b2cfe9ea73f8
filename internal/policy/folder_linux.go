package policy

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/policy/wire"
)

// A Folder is where policies lie.
type Folder struct {
	Path string
	// Managed says that only the system's administrator may have written it: it, what
	// is in it and the folders above it belong to root, and nobody else may write there.
	Managed bool
}

// Bounds of what is read.
const (
	maxFile  = 1 << 20
	maxFiles = 1000
)

// A file of policies, as it was read.
type file struct {
	name string
	text []byte
}

// stamp tells one state of a folder from another: by who has what, and since when.
func (f Folder) stamp() (string, error) {
	dir, err := f.open()
	if err != nil {
		return "", err
	}
	defer dir.Close()
	return f.stampOf(dir)
}

// open opens the folder.
//
// Security: no link is followed, on the whole way to it: who may make one could
// choose another folder.
func (f Folder) open() (*os.File, error) {
	how := &unix.OpenHow{Flags: unix.O_RDONLY | unix.O_DIRECTORY | unix.O_CLOEXEC}
	if f.Managed {
		how.Resolve = unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_MAGICLINKS
	}
	fd, err := unix.Openat2(unix.AT_FDCWD, f.Path, how)
	if errors.Is(err, unix.ELOOP) {
		return nil, fmt.Errorf("%s: it, or a folder above it, is a symbolic link", f.Path)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f.Path, err)
	}
	dir := os.NewFile(uintptr(fd), f.Path)
	if !f.Managed {
		return dir, nil
	}
	for at := f.Path; ; at = filepath.Dir(at) {
		var st unix.Stat_t
		err := unix.Lstat(at, &st)
		if at == f.Path {
			err = unix.Fstat(fd, &st)
		}
		if err == nil {
			err = trusted(st)
		}
		if err != nil {
			_ = dir.Close() // nothing was written
			return nil, fmt.Errorf("%s: %w", at, err)
		}
		if at == "/" {
			return dir, nil
		}
	}
}

// trusted refuses what somebody else than root may write.
func trusted(st unix.Stat_t) error {
	switch {
	case st.Uid != 0:
		return fmt.Errorf("it belongs to user %d; managed policy belongs to root (chown root)", st.Uid)
	case st.Mode&0o022 != 0 && (st.Mode&unix.S_ISVTX == 0 || st.Mode&unix.S_IFMT != unix.S_IFDIR):
		return fmt.Errorf("others than root may write it (mode %04o); chmod go-w", st.Mode&0o7777)
	}
	return nil
}

// names lists the files of policies, in order.
func (f Folder) names(dir *os.File) ([]string, error) {
	if _, err := dir.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	all, err := dir.Readdirnames(-1)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f.Path, err)
	}
	all = slices.DeleteFunc(all, func(name string) bool { return !strings.HasSuffix(name, wire.Suffix) })
	if len(all) > maxFiles {
		return nil, fmt.Errorf("%s: there are more than %d files of policies", f.Path, maxFiles)
	}
	slices.Sort(all)
	return all, nil
}

func (f Folder) stampOf(dir *os.File) (string, error) {
	names, err := f.names(dir)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	var st unix.Stat_t
	if err := unix.Fstat(int(dir.Fd()), &st); err != nil {
		return "", err
	}
	writeStamp(&b, ".", st)
	for _, name := range names {
		if err := unix.Fstatat(int(dir.Fd()), name, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
			return "", fmt.Errorf("%s: %w", filepath.Join(f.Path, name), err)
		}
		writeStamp(&b, name, st)
	}
	return b.String(), nil
}

func writeStamp(b *strings.Builder, name string, st unix.Stat_t) {
	fmt.Fprintf(b, "%q %d:%d %d %d.%09d %d.%09d %o %d\n", name, st.Dev, st.Ino, st.Size,
		st.Mtim.Sec, st.Mtim.Nsec, st.Ctim.Sec, st.Ctim.Nsec, st.Mode, st.Uid)
}

// tries is how often a folder is read that changes meanwhile.
const tries = 5

// read reads the files as they stand beside each other at one time, and says by
// what to tell whether they have changed since.
//
// Security: what was exchanged while it was read is not used, half old, half new.
func (f Folder) read() (files []file, stamp string, err error) {
	for range tries {
		if files, stamp, err = f.readOnce(); err != nil {
			return nil, "", err
		}
		now, err := f.stamp()
		if err != nil {
			return nil, "", err
		}
		if now == stamp {
			return files, stamp, nil
		}
	}
	return nil, "", fmt.Errorf("%s: it changes while it is read", f.Path)
}

func (f Folder) readOnce() (files []file, stamp string, err error) {
	dir, err := f.open()
	if err != nil {
		return nil, "", err
	}
	defer dir.Close()
	if stamp, err = f.stampOf(dir); err != nil {
		return nil, "", err
	}
	names, err := f.names(dir)
	if err != nil {
		return nil, "", err
	}
	for _, name := range names {
		text, err := f.readFile(dir, name)
		if err != nil {
			return nil, "", fmt.Errorf("%s: %w", filepath.Join(f.Path, name), err)
		}
		files = append(files, file{name, text})
	}
	return files, stamp, nil
}

func (f Folder) readFile(dir *os.File, name string) ([]byte, error) {
	fd, err := unix.Openat(int(dir.Fd()), name, unix.O_RDONLY|unix.O_CLOEXEC|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if errors.Is(err, unix.ELOOP) {
		return nil, errors.New("it is a symbolic link")
	}
	if err != nil {
		return nil, err
	}
	in := os.NewFile(uintptr(fd), name)
	defer in.Close()
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return nil, err
	}
	if st.Mode&unix.S_IFMT != unix.S_IFREG {
		return nil, errors.New("it is not a file")
	}
	if f.Managed {
		if err := trusted(st); err != nil {
			return nil, err
		}
	}
	text, err := io.ReadAll(io.LimitReader(in, maxFile+1))
	if err == nil && len(text) > maxFile {
		err = fmt.Errorf("it has more than %d bytes", maxFile)
	}
	return text, err
}

// digest is that of a set of policies: of their files' names and texts.
func digest(files []file) string {
	h := sha256.New()
	for _, f := range files {
		fmt.Fprintf(h, "%q %d\n", f.name, len(f.text))
		h.Write(f.text)
	}
	return "sha256:" + hex.EncodeToString(h.Sum(nil))
}
