package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/rogpeppe/go-internal/diff"
	"github.com/spf13/cobra"

	"ambit.dev/ambit/internal/audit"
	"ambit.dev/ambit/internal/changes"
	"ambit.dev/ambit/internal/core/capability"
	"ambit.dev/ambit/internal/store"
)

func (a *app) sessionCommand() *cobra.Command {
	cmd := group(&cobra.Command{
		Use:   "session",
		Short: "Look at a session, and at what it changed; apply that or drop it",
		Long: `A volume that is shown with cow (copy on write) stays as it is on the host,
whatever the program does: what it changes is kept apart. Look at that when it has
ended, and apply it, all of it or some, or drop it.`,
		Example: `  ambit run -v .:/work:cow -- sh -c 'cd /work && make fix'
  ambit session diff s-7f3ak2mq5x
  ambit session apply s-7f3ak2mq5x src/main.go
  ambit session drop s-7f3ak2mq5x`,
	})
	cmd.AddCommand(a.sessionShow(), a.sessionDiff(), a.sessionApply(), a.sessionDrop())
	return cmd
}

// changeSets are what a session changed, one for each volume.
func (a *app) changeSets(session string) (dir string, sets []*changes.Set, err error) {
	if dir, err = a.changesOf(session); err != nil {
		return "", nil, err
	}
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) || filepath.Base(session) != session {
		return "", nil, fmt.Errorf("nothing that the session %s changed is kept apart", shellWord(session))
	}
	if err != nil {
		return "", nil, err
	}
	for _, e := range entries {
		set, err := changes.Open(filepath.Join(dir, e.Name()))
		if err != nil {
			return "", nil, fmt.Errorf("what the session %s changed: %w", session, err)
		}
		sets = append(sets, set)
	}
	return dir, sets, nil
}

// changedSet is a set with its changes, for programs.
type changedSet struct {
	Session string         `json:"session"`
	Volume  string         `json:"volume"`
	Stamp   string         `json:"stamp"` // another one after each change of what is kept apart
	Source  string         `json:"source"`
	Target  string         `json:"target"`
	Changes []changedEntry `json:"changes"`
}

type changedEntry struct {
	Path   string       `json:"path"`
	What   changes.What `json:"what"`
	Type   string       `json:"type"`
	Size   int64        `json:"size,omitempty"`
	Target string       `json:"target,omitempty"`
	Runs   bool         `json:"runs,omitempty"` // it may run as you by itself

	Difference *difference `json:"difference,omitempty"`
}

func (a *app) sessionDiff() *cobra.Command {
	var names bool
	f := &reviewFlags{}
	cmd := &cobra.Command{
		Use:   "diff SESSION [PATH…]",
		Short: "Show what a session changed",
		Long: `Show what a session changed and what is kept apart: each path, and of text the
lines. What may run as you without your starting it (hooks of git, files that your
shell or your editor reads, build files) is marked. Paths are those beneath the
volume's source; a directory stands for what is in it.`,
		Example: `  ambit session diff s-7f3ak2mq5x
  ambit session diff --names s-7f3ak2mq5x
  ambit session diff s-7f3ak2mq5x src`,
		Args:              atLeastSession,
		ValidArgsFunction: a.completeChanged,
		RunE:              func(_ *cobra.Command, args []string) error { return a.diffSession(*f, args[0], args[1:], names) },
	}
	f.addLines(cmd)
	cmd.Flags().BoolVar(&names, "names", false, "the paths alone, without lines")
	return cmd
}

func atLeastSession(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return fmt.Errorf("%s needs a session; `ambit ps --all` lists them", cmd.CommandPath())
	}
	return nil
}

func (a *app) diffSession(review reviewFlags, session string, paths []string, names bool) error {
	_, sets, err := a.changeSets(session)
	if err == nil {
		sets, err = review.of(session, sets)
	}
	if err != nil {
		return err
	}
	found := []changedSet{}
	for _, set := range sets {
		all, err := set.List()
		if err != nil {
			return fmt.Errorf("look at what was changed of %s: %w", shellWord(set.Source), err)
		}
		stamp, err := set.Stamp()
		if err != nil {
			return fmt.Errorf("look at what was changed of %s: %w", shellWord(set.Source), err)
		}
		keep, err := review.chooser(all, paths)
		if err != nil {
			return err
		}
		all = slices.DeleteFunc(all, func(c changes.Change) bool { return !keep(c) })
		f := changedSet{set.Session, set.Name(), stamp, set.Source, set.Target, []changedEntry{}}
		for _, c := range all {
			e := entryOf(c)
			if a.json && review.lines {
				if e.Difference, err = differenceOf(set, c); err != nil {
					return fmt.Errorf("look at %s: %w", shellWord(c.Path), err)
				}
			}
			f.Changes = append(f.Changes, e)
		}
		found = append(found, f)
		if !a.json {
			a.printChanges(set, all, names)
		}
	}
	if a.json {
		return a.printJSON(found)
	}
	return nil
}

func entryOf(c changes.Change) changedEntry {
	return changedEntry{Path: c.Path, What: c.What, Type: c.Type(), Size: c.Size, Target: c.Target, Runs: runsByItself(c)}
}

// chosenPath reports whether a change is of one of the paths, or beneath; without
// any, all are.
func chosenPath(c changes.Change, paths []string) bool {
	return len(paths) == 0 || slices.ContainsFunc(paths, func(p string) bool { return under("/"+c.Path, filepath.Join("/", p)) })
}

// runners are what runs as the person, or tells programs of theirs what to run,
// without their starting it: by the last names of a path.
var runners = []string{".git/hooks/*", ".git/config", ".githooks/*", ".husky/*", ".bashrc", ".bash_profile", ".profile", ".zshrc", ".zshenv", ".envrc", ".vscode/*", ".idea/*",
	".vimrc", ".exrc", ".nvimrc", ".editorconfig", "Makefile", "package.json", ".npmrc", "conftest.py", "setup.py", "build.rs", ".cargo/config.toml", ".github/workflows/*", "Justfile", ".pre-commit-config.yaml", ".mcp.json", ".claude/*", "CLAUDE.md", "AGENTS.md"}

// runsByItself reports whether what was changed may run as the person, or make
// something run, without their starting it.
func runsByItself(c changes.Change) bool {
	if c.What == changes.Removed || c.Mode.IsDir() {
		return false
	}
	return slices.ContainsFunc(runners, func(r string) bool {
		parts := strings.Split(c.Path, "/")
		n := strings.Count(r, "/") + 1
		if len(parts) < n {
			return false
		}
		ok, err := filepath.Match(r, strings.Join(parts[len(parts)-n:], "/"))
		return ok && err == nil
	})
}

func (a *app) printChanges(set *changes.Set, all []changes.Change, names bool) {
	if len(all) == 0 {
		return
	}
	printf(a.out, "%s, in the session %s\n", capability.Printable(set.Source), capability.Printable(set.Target))
	for _, c := range all {
		line := fmt.Sprintf("  %-8s %s", c.What, capability.Printable(c.Path))
		switch {
		case c.Mode.IsDir():
			line += "/"
		case c.Target != "":
			line += " -> " + capability.Printable(c.Target)
		}
		var marks []string
		if c.What != changes.Removed && c.Type() == "program" {
			marks = append(marks, "program")
		}
		if runsByItself(c) {
			marks = append(marks, "may run as you without your starting it")
		}
		printf(a.out, "%s%s\n", line, words(strings.Join(marks, ", ")))
	}
	if names {
		return
	}
	for _, c := range all {
		a.printLines(set, c)
	}
}

// maxLines bounds the files whose lines are shown.
const maxLines = 1 << 20

// printLines shows what was changed in a file of text. What stands in it was
// written by the program.
func (a *app) printLines(set *changes.Set, c changes.Change) {
	if c.Mode.IsDir() || c.Mode&fs.ModeSymlink != 0 {
		return
	}
	before, after, err := set.Content(c, maxLines)
	switch {
	case err != nil:
		printf(a.out, "\n%s: %v\n", capability.Printable(c.Path), err)
		return
	case !text(before) || !text(after):
		printf(a.out, "\n%s is no text, or too long\n", capability.Printable(c.Path))
		return
	}
	printf(a.out, "\n")
	name := capability.Printable(c.Path)
	for line := range strings.Lines(string(diff.Diff("a/"+name, before, "b/"+name, after))) {
		printf(a.out, "%s\n", printableLine(strings.TrimSuffix(line, "\n")))
	}
}

// text reports whether something can be shown in lines.
func text(b []byte) bool { return !slices.Contains(b, 0) }

// printableLine is a line that cannot rewrite the terminal; tabs stay.
func printableLine(line string) string {
	parts := strings.Split(line, "\t")
	for i := range parts {
		parts[i] = capability.Printable(parts[i])
	}
	return strings.Join(parts, "\t")
}

func (a *app) sessionApply() *cobra.Command {
	f := &reviewFlags{}
	cmd := &cobra.Command{
		Use:   "apply SESSION [PATH…]",
		Short: "Put what a session changed into its place",
		Long: `Put what a session changed into its place on the host: all of it, or these paths.
All of what was chosen is applied, or nothing. Where anybody has changed on the host
what is to be changed since the session began, nothing is applied.`,
		Example: `  ambit session apply s-7f3ak2mq5x
  ambit session apply s-7f3ak2mq5x src/main.go docs`,
		Args:              atLeastSession,
		ValidArgsFunction: a.completeChanged,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.applySession(cmd.Context(), *f, args[0], args[1:])
		},
	}
	f.addSeen(cmd)
	return cmd
}

func (a *app) applySession(ctx context.Context, review reviewFlags, session string, paths []string) error {
	dir, sets, err := a.changeSets(session)
	if err == nil {
		sets, err = review.of(session, sets)
	}
	if err != nil {
		return err
	}
	if err := a.over(ctx, session); err != nil {
		return err
	}
	applied := []changedEntry{}
	for _, set := range sets {
		all, err := set.List()
		if err != nil {
			return fmt.Errorf("look at what was changed of %s: %w", shellWord(set.Source), err)
		}
		keep, err := review.chooser(all, paths)
		if err == nil {
			err = review.asSeen(set)
		}
		if err == nil {
			err = a.recordChanges(ctx, set, all, keep)
		}
		if err != nil {
			return err
		}
		some, err := set.Apply(keep)
		if err != nil {
			return fmt.Errorf("apply what was changed of %s: %w", shellWord(set.Source), err)
		}
		for _, c := range some {
			applied = append(applied, entryOf(c))
		}
		if len(paths) == 0 || len(some) == len(all) {
			if err := set.Drop(); err != nil {
				return err
			}
		}
	}
	if err := removeEmpty(dir); err != nil {
		return err
	}
	if a.json {
		return a.printJSON(applied)
	}
	printf(a.out, "%d changes are applied.\n", len(applied))
	return nil
}

// removeEmpty removes a folder in which nothing is left.
func removeEmpty(dir string) error {
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		return err
	}
	return os.Remove(dir)
}

// over refuses a session that still runs.
func (a *app) over(ctx context.Context, session string) error {
	found, err := a.sessions(ctx)
	if err != nil {
		return err
	}
	if slices.ContainsFunc(found, func(s store.Session) bool { return s.ID == session && s.Status == store.Running }) {
		return fmt.Errorf("the session %s still runs, and changes more; `ambit stop %s` ends it", session, session)
	}
	return nil
}

// recordChanges records what is about to be applied.
func (a *app) recordChanges(ctx context.Context, set *changes.Set, all []changes.Change, keep func(changes.Change) bool) error {
	b := audit.ChangesBody{Source: audit.Text(set.Source)}
	for _, c := range all {
		if !keep(c) {
			continue
		}
		if len(b.Paths) < maxHeld {
			b.Paths = append(b.Paths, audit.Text(string(c.What)+" "+c.Path))
		} else {
			b.More++
		}
	}
	if len(b.Paths) == 0 {
		return nil
	}
	rec, err := audit.New(b)
	if err != nil {
		return err
	}
	rec.ID, rec.Session, rec.Principal = audit.NewID("c"), set.Session, a.principal()
	return a.recordOne(ctx, rec)
}

// completeChanged completes sessions that changed something which is kept apart.
func (a *app) completeChanged(_ *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
	dir, err := a.changesOf("")
	if err != nil || len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	entries, _ := os.ReadDir(dir) // one that is not there offers nothing
	var ids []cobra.Completion
	for _, e := range entries {
		ids = append(ids, e.Name())
	}
	return ids, cobra.ShellCompDirectiveNoFileComp
}
