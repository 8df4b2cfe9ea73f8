package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"ambit.dev/ambit/internal/changes"
	"ambit.dev/ambit/internal/enforce"
)

// changesFolder, in the state directory, has a folder for each session that changed
// something which is kept apart, and in it one for each volume.
const changesFolder = "changes"

func (a *app) changesOf(session string) (string, error) {
	dir, err := a.state()
	return filepath.Join(dir, changesFolder, session), err
}

// changesDir is where the changes of a volume go: without links on the way, for none
// is followed to it.
func (s *prepared) changesDir(number int) (string, error) {
	dir, err := s.app.makeState()
	if err != nil {
		return "", err
	}
	if dir, err = filepath.EvalSymlinks(dir); err != nil {
		return "", fmt.Errorf("find the state directory: %w", err)
	}
	return filepath.Join(dir, changesFolder, s.subject.Session, strconv.Itoa(number)), nil
}

// talliesFolder, in the state directory, has a file for each append-only folder that
// was bounded, in which the sessions that add to it count together.
const talliesFolder = "zones"

// countTogether names those files.
func (s *prepared) countTogether(volumes []enforce.Volume) error {
	for i := range volumes {
		v := &volumes[i]
		if v.Bytes == 0 && v.Files == 0 {
			continue
		}
		dir, err := s.app.makeState()
		if err != nil {
			return err
		}
		v.Tally = filepath.Join(dir, talliesFolder, fmt.Sprintf("%x-%x", v.Source.Dev, v.Source.Ino))
	}
	return nil
}

// keepApart makes the folders for changes that are kept apart, and for counts.
func (s *prepared) keepApart() error {
	for _, v := range s.input.Volumes {
		if v.Tally != "" {
			if err := os.MkdirAll(filepath.Dir(v.Tally), 0o700); err != nil {
				return fmt.Errorf("make a folder for what sessions count together: %w", err)
			}
		}
		if v.Changes == "" {
			continue
		}
		m := changes.Meta{Session: s.subject.Session, Source: v.Source.Path, Target: v.Target, Dev: v.Source.Dev, Ino: v.Source.Ino}
		if err := changes.Make(v.Changes, m); err != nil {
			return fmt.Errorf("keep apart what is changed of %s: %w", shellWord(v.Source.Path), err)
		}
	}
	return nil
}

// tellChanges says what was changed and kept apart, and removes the folders of which
// nothing was.
func (s *prepared) tellChanges() {
	total, some := 0, false
	for _, v := range s.input.Volumes {
		if v.Changes == "" {
			continue
		}
		some = true
		set, err := changes.Open(v.Changes)
		var all []changes.Change
		if err == nil {
			all, err = set.List()
		}
		if err == nil && len(all) == 0 {
			err = set.Drop()
		}
		if err != nil {
			printf(s.app.err, "ambit: what was changed of %s is in %s: %v\n", shellWord(v.Source.Path), shellWord(v.Changes), err)
		}
		total += len(all)
	}
	dir, err := s.app.changesOf(s.subject.Session)
	switch {
	case !some:
	case total > 0 && !s.app.json:
		printf(s.app.err, "ambit: %d changes are kept apart; look at them with: ambit session diff %s\n", total, s.subject.Session)
	case total == 0 && err == nil:
		_ = removeEmpty(dir) // what could not be told of is in it
	}
}
