//go:build linux

package changes

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
