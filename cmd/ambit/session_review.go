package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/rogpeppe/go-internal/diff"
	"github.com/spf13/cobra"

	"ambit.dev/ambit/internal/changes"
)

// reviewFlags choose changes exactly, for programs that show them to a person.
type reviewFlags struct {
	volume, seen string
	exact, lines bool
}

func (f *reviewFlags) addVolume(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.volume, "volume", "", "only the `VOLUME`, as ambit session diff --json names it")
}

func (f *reviewFlags) addExact(cmd *cobra.Command) {
	f.addVolume(cmd)
	cmd.Flags().BoolVar(&f.exact, "exact", false, "each path stands for itself alone, and has to be one that was changed")
}

func (f *reviewFlags) addLines(cmd *cobra.Command) {
	f.addExact(cmd)
	cmd.Flags().BoolVar(&f.lines, "lines", false, "with --json: what became of each file of text")
}

func (f *reviewFlags) addSeen(cmd *cobra.Command) {
	f.addExact(cmd)
	cmd.Flags().StringVar(&f.seen, "seen", "", "with --volume: apply only what had this `STAMP` in ambit session diff --json")
}

// of are the sets that are meant.
func (f reviewFlags) of(session string, sets []*changes.Set) ([]*changes.Set, error) {
	if f.volume == "" {
		if f.seen != "" {
			return nil, errors.New("--seen goes with --volume")
		}
		return sets, nil
	}
	sets = slices.DeleteFunc(sets, func(s *changes.Set) bool { return s.Name() != f.volume })
	if len(sets) == 0 {
		return nil, fmt.Errorf("nothing of the volume %s that the session %s changed is kept apart", shellWord(f.volume), shellWord(session))
	}
	return sets, nil
}

// chooser answers which of the changes of a set are meant.
func (f reviewFlags) chooser(all []changes.Change, paths []string) (func(changes.Change) bool, error) {
	if !f.exact {
		return func(c changes.Change) bool { return chosenPath(c, paths) }, nil
	}
	if f.volume == "" || len(paths) == 0 {
		return nil, errors.New("--exact goes with --volume, and paths")
	}
	wanted := map[string]bool{}
	for _, p := range paths {
		if !slices.ContainsFunc(all, func(c changes.Change) bool { return c.Path == p }) {
			return nil, fmt.Errorf("%s was not changed", shellWord(p))
		}
		wanted[p] = true
	}
	return func(c changes.Change) bool { return wanted[c.Path] }, nil
}

// asSeen makes sure that what is to be applied is what was looked at.
func (f reviewFlags) asSeen(set *changes.Set) error {
	if f.seen == "" {
		return nil
	}
	now, err := set.Stamp()
	if err == nil && now != f.seen {
		err = fmt.Errorf("what is kept apart of %s is not what was looked at; nothing was applied", shellWord(set.Source))
	}
	return err
}

// mostDifference bounds what is said of one file.
const mostDifference = 512 << 10

// difference is what became of the content of one file, for programs.
type difference struct {
	Kind string `json:"kind"` // text, binary, long, or none where it is no file
	Text string `json:"text,omitempty"`
	More bool   `json:"more,omitempty"` // it goes on
}

// differenceOf is what a change made of a file. What stands in it was written by the
// program.
func differenceOf(set *changes.Set, c changes.Change) (*difference, error) {
	if t := c.Type(); t != "file" && t != "program" {
		return &difference{Kind: "none"}, nil
	}
	before, after, err := set.Content(c, maxLines)
	switch {
	case errors.Is(err, changes.ErrLong):
		return &difference{Kind: "long"}, nil
	case err != nil:
		return nil, err
	case !text(before) || !text(after):
		return &difference{Kind: "binary"}, nil
	}
	d := &difference{Kind: "text", Text: string(diff.Diff("before", before, "after", after))}
	if len(d.Text) > mostDifference {
		d.Text, d.More = d.Text[:strings.LastIndexByte(d.Text[:mostDifference], '\n')+1], true
	}
	return d, nil
}
