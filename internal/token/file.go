package token

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// A File is where tokens are kept. It is safe for concurrent use, also by several
// processes.
type File struct{ path string }

// In returns the file of a state folder. It need not be there.
func In(state string) File { return File{filepath.Join(state, "tokens.json")} }

// version is that of the file's form; another one is refused.
const version = 1

type document struct {
	Version int     `json:"version"`
	Tokens  []Token `json:"tokens"`
}

// List returns the tokens, by name. A file that is not there has none.
func (f File) List() ([]Token, error) {
	text, err := f.read()
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the tokens in %q: %w", f.path, err)
	}
	all, err := parse(text)
	if err != nil {
		return nil, fmt.Errorf("the tokens in %q: %w", f.path, err)
	}
	return all, nil
}

// Add puts a token in; one of its name must not be there.
func (f File) Add(t Token) error {
	if err := t.valid(); err != nil {
		return err
	}
	return f.change(func(all []Token) ([]Token, error) {
		if slices.ContainsFunc(all, func(o Token) bool { return o.Name == t.Name }) {
			return nil, fmt.Errorf("%w: %s", ErrExists, t.Name)
		}
		return append(all, t), nil
	})
}

// Remove takes tokens out: all that are named, or none.
func (f File) Remove(names ...string) error {
	return f.change(func(all []Token) ([]Token, error) {
		for _, name := range names {
			i := slices.IndexFunc(all, func(o Token) bool { return o.Name == name })
			if i < 0 {
				return nil, fmt.Errorf("%w: %s", ErrNotFound, name)
			}
			all = slices.Delete(all, i, i+1)
		}
		return all, nil
	})
}

// Use notes when tokens, by their hashes, were used last. What is not there any more
// is not put back.
func (f File) Use(last map[string]time.Time) error {
	return f.change(func(all []Token) ([]Token, error) {
		for i, t := range all {
			if at, ok := last[t.Hash]; ok && at.After(t.Used) {
				all[i].Used = at
			}
		}
		return all, nil
	})
}

func (f File) change(do func([]Token) ([]Token, error)) error {
	unlock, err := f.lock()
	if err != nil {
		return fmt.Errorf("lock the tokens in %q: %w", f.path, err)
	}
	defer unlock()
	all, err := f.List()
	if err != nil {
		return err
	}
	if all, err = do(all); err != nil {
		return err
	}
	slices.SortFunc(all, func(a, b Token) int { return strings.Compare(a.Name, b.Name) })
	if err := f.write(all); err != nil {
		return fmt.Errorf("write the tokens in %q: %w", f.path, err)
	}
	return nil
}

// parse reads the file strictly.
func parse(text []byte) ([]Token, error) {
	var d document
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&d); err != nil {
		return nil, err
	}
	if _, more := dec.Token(); !errors.Is(more, io.EOF) {
		return nil, errors.New("it has more than one document")
	}
	if d.Version != version {
		return nil, fmt.Errorf("it has version %d, this ambit knows %d", d.Version, version)
	}
	for i, t := range d.Tokens {
		if err := t.valid(); err != nil {
			return nil, err
		}
		if i > 0 && d.Tokens[i-1].Name >= t.Name {
			return nil, errors.New("its names are not in order, or one stands there twice")
		}
	}
	return d.Tokens, nil
}

// read reads the file.
//
// Security: whoever can write it can make tokens; one that others may write is
// refused.
func (f File) read() ([]byte, error) {
	file, err := os.OpenFile(f.path, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	var st unix.Stat_t
	if err := unix.Fstat(int(file.Fd()), &st); err != nil {
		return nil, err
	}
	if st.Mode&unix.S_IFMT != unix.S_IFREG || st.Mode&0o022 != 0 || int(st.Uid) != os.Geteuid() {
		return nil, errors.New("it is another user's, or others may write to it")
	}
	return io.ReadAll(file)
}

// lock waits until nobody else changes the file. The lock is a file of its own,
// since the other is replaced.
func (f File) lock() (unlock func(), err error) {
	file, err := os.OpenFile(f.path+".lock", os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, err
	}
	for {
		if err = unix.Flock(int(file.Fd()), unix.LOCK_EX); !errors.Is(err, unix.EINTR) {
			break
		}
	}
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return func() { _ = file.Close() }, nil // which gives the lock up
}

// write replaces the file, durably. CreateTemp makes it 0600.
func (f File) write(all []Token) error {
	text, err := json.MarshalIndent(document{version, all}, "", "  ")
	if err != nil {
		return err
	}
	file, err := os.CreateTemp(filepath.Dir(f.path), filepath.Base(f.path)+".*")
	if err != nil {
		return err
	}
	_, err = file.Write(append(text, '\n'))
	if err == nil {
		err = file.Sync()
	}
	if err = errors.Join(err, file.Close()); err == nil {
		err = os.Rename(file.Name(), f.path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(file.Name()))
	}
	dir, err := os.Open(filepath.Dir(f.path))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
