package main

import (
	"bytes"
	"flag"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
)

// The man pages are made here and not by the program: what makes them would be
// linked into it, and every start would pay for that.
var update = flag.Bool("update", false, "write the man pages anew")

const manDir = "../../docs/man"

// manPages are the pages of all commands that are shown, by file name.
func manPages(t *testing.T) map[string][]byte {
	t.Helper()
	pages := map[string][]byte{}
	var walk func(*cobra.Command)
	walk = func(cmd *cobra.Command) {
		for _, sub := range cmd.Commands() {
			if sub.IsAvailableCommand() || sub.IsAdditionalHelpTopicCommand() && !sub.Hidden {
				walk(sub)
			}
		}
		cmd.DisableAutoGenTag = true
		name := strings.ReplaceAll(cmd.CommandPath(), " ", "-")
		// A fixed date: a page changes when its text does.
		date := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
		var b bytes.Buffer
		if err := doc.GenMan(cmd, &doc.GenManHeader{Title: strings.ToUpper(name), Section: "1", Source: "Ambit", Manual: "Ambit Manual", Date: &date}, &b); err != nil {
			t.Fatal(err)
		}
		pages[name+".1"] = b.Bytes()
	}
	walk(commandTree())
	return pages
}

// commandTree is the whole of it.
func commandTree() *cobra.Command {
	a := &app{in: os.Stdin, out: os.Stdout, err: os.Stderr, now: time.Now}
	root := a.root(nil)
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	return root
}

// The man pages in the tree are those of the commands as they are. To write
// them anew: go test ./cmd/ambit -run ManPages -update
func TestManPages(t *testing.T) {
	pages := manPages(t)
	if *update {
		writePages(t, pages)
	}
	entries, err := os.ReadDir(manDir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if _, ok := pages[e.Name()]; !ok {
			t.Errorf("%s: there is no such command any more", e.Name())
		}
	}
	for name, want := range pages {
		got, err := os.ReadFile(filepath.Join(manDir, name))
		if err != nil {
			t.Error(err)
			continue
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s is not what the command says: go test ./cmd/ambit -run ManPages -update", name)
		}
	}
}

func writePages(t *testing.T, pages map[string][]byte) {
	t.Helper()
	if err := os.RemoveAll(manDir); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(manDir, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range pages {
		if err := os.WriteFile(filepath.Join(manDir, name), text, fs.FileMode(0o644)); err != nil {
			t.Fatal(err)
		}
	}
}

// Every command that does something says what, has examples, and names itself
// in each of them.
func TestHelp(t *testing.T) {
	var walk func(*cobra.Command)
	walk = func(cmd *cobra.Command) {
		for _, sub := range cmd.Commands() {
			walk(sub)
		}
		path := cmd.CommandPath()
		if cmd.Hidden || cmd.IsAdditionalHelpTopicCommand() || strings.HasPrefix(path, "ambit completion") || path == "ambit help" {
			return
		}
		lines := strings.Split(strings.TrimRight(cmd.Example, "\n"), "\n")
		lines = slices.DeleteFunc(lines, func(l string) bool { return !strings.Contains(l, path) })
		if cmd.Short == "" || len(lines) < 2 {
			t.Errorf("%s: %d examples of it, want 2 at least; short text %q", path, len(lines), cmd.Short)
		}
		for line := range strings.Lines(cmd.Long) {
			if len([]rune(line)) > 90 {
				t.Errorf("%s: a long line of help: %q", path, line)
			}
		}
		if strings.HasSuffix(cmd.Short, ".") {
			t.Errorf("%s: the short text ends in a full stop", path)
		}
	}
	walk(commandTree())
}
