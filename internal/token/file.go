package token

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"ambit.dev/ambit/internal/statefile"
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
	text, err := statefile.Read(f.path)
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
	unlock, err := statefile.Lock(f.path)
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
	if err := statefile.Replace(f.path, document{version, all}); err != nil {
		return fmt.Errorf("write the tokens in %q: %w", f.path, err)
	}
	return nil
}

// parse reads the file strictly.
func parse(text []byte) ([]Token, error) {
	var d document
	if err := statefile.Decode(text, &d); err != nil {
		return nil, err
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
