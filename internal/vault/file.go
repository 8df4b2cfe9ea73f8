package vault

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"filippo.io/age"
	"golang.org/x/sys/unix"
)

// The files of a vault.
const (
	secretsFile  = "secrets.age"
	identityFile = "identity"
	lockFile     = "lock"
	tempPrefix   = ".new-"
)

// maxFile bounds what is read.
const maxFile = 8 << 20

var errNoIdentity = errors.New("its identity is gone, and without it nothing in it can be read; put it back from a copy, or move the vault away")

// open decrypts.
func open(sealed []byte, id *age.X25519Identity) ([]byte, error) {
	r, err := age.Decrypt(bytes.NewReader(sealed), id)
	if err != nil {
		return nil, fmt.Errorf("decrypt it: %w", err)
	}
	text, err := io.ReadAll(io.LimitReader(r, maxFile))
	if err != nil {
		return nil, fmt.Errorf("decrypt it: %w", err)
	}
	return text, nil
}

// seal encrypts to the one who can open it.
func seal(text []byte, id *age.X25519Identity) ([]byte, error) {
	var b bytes.Buffer
	w, err := age.Encrypt(&b, id.Recipient())
	if err != nil {
		return nil, fmt.Errorf("encrypt it: %w", err)
	}
	if _, err := w.Write(text); err != nil {
		return nil, fmt.Errorf("encrypt it: %w", err)
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("encrypt it: %w", err)
	}
	return b.Bytes(), nil
}

// identity reads what decrypts.
func (v *Vault) identity() (source, *age.X25519Identity, error) {
	from, text, err := openPrivate(filepath.Join(v.dir, identityFile), 4096)
	if errors.Is(err, fs.ErrNotExist) {
		return from, nil, errNoIdentity
	}
	if err != nil {
		return from, nil, err
	}
	id, err := age.ParseX25519Identity(strings.TrimSpace(string(text)))
	if err != nil {
		from.close()
		return source{}, nil, errors.New("its identity is damaged") // the cause would show some of it
	}
	return from, id, nil
}

// newIdentity makes what decrypts. The vault is locked, and has no secrets yet.
func (v *Vault) newIdentity() (*age.X25519Identity, error) {
	id, err := age.GenerateX25519Identity()
	if err != nil {
		return nil, fmt.Errorf("make an identity: %w", err)
	}
	return id, v.replace(identityFile, []byte(id.String()+"\n"))
}

// openPrivate reads a file that is the user's alone.
//
// Security: the file that is read is the one whose mode was looked at; a link is
// not followed.
func openPrivate(path string, most int64) (from source, text []byte, err error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return source{}, nil, err
	}
	from.file = f
	if err = unix.Fstat(int(f.Fd()), &from.was); err == nil {
		err = private(filepath.Base(path), &from.was, most)
	}
	if err == nil {
		text, err = io.ReadAll(io.LimitReader(f, most))
	}
	if err != nil {
		from.close()
		return source{}, nil, err
	}
	return from, text, nil
}

// private reports what is wrong with a file that is to be the user's alone.
func private(name string, st *unix.Stat_t, most int64) error {
	switch {
	case st.Mode&unix.S_IFMT != unix.S_IFREG:
		return fmt.Errorf("%s is not a file", name)
	case int(st.Uid) != os.Geteuid():
		return fmt.Errorf("%s belongs to somebody else", name)
	case st.Mode&0o077 != 0:
		return fmt.Errorf("others may read or write %s (mode %#o); chmod 600 it if nobody has", name, st.Mode&0o777)
	case st.Size >= most:
		return fmt.Errorf("%s is longer than it can be", name)
	default:
		return nil
	}
}

// replace writes a file beside the one of that name and puts it in its place.
// What an earlier writer left behind is removed. The vault is locked.
func (v *Vault) replace(name string, content []byte) (err error) {
	left, err := os.ReadDir(v.dir)
	if err != nil {
		return err
	}
	for _, e := range left {
		if strings.HasPrefix(e.Name(), tempPrefix) {
			_ = os.Remove(filepath.Join(v.dir, e.Name())) // it is in nobody's way
		}
	}
	temp := filepath.Join(v.dir, tempPrefix+rand.Text()[:8])
	f, err := os.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(temp) // the next writer tries again
		}
	}()
	_, err = f.Write(content)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err := os.Rename(temp, filepath.Join(v.dir, name)); err != nil {
		return err
	}
	dir, err := os.Open(v.dir)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// lock waits until no other process changes the vault.
func lock(path string) (unlock func(), err error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, err
	}
	for {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return nil, errors.Join(err, f.Close())
		}
		return func() { _ = f.Close() }, nil // which gives up the lock
	}
}
