//go:build linux

package changes

import "golang.org/x/sys/unix"

// ApplyPart does what Apply does with everything, and ends after some steps as if
// it were killed.
func ApplyPart(s *Set, steps int) error {
	all, err := s.List()
	if err != nil {
		return err
	}
	source, err := s.source()
	if err != nil {
		return err
	}
	a := application{set: s, source: source}
	if err := a.stage(all); err != nil {
		return err
	}
	for _, st := range a.steps[:min(steps, len(a.steps))] {
		if err := a.do(st); err != nil {
			return err
		}
	}
	return source.Close()
}

// Rename renames beneath the source as an application does.
func Rename(s *Set, from, to string) error {
	source, err := s.source()
	if err != nil {
		return err
	}
	defer source.Close()
	a := application{set: s, source: source}
	return a.rename(from, to, unix.RENAME_NOREPLACE)
}
