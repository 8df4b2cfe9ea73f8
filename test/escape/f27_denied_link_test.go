package escape_test

import (
	"os"
	"testing"
)

func TestF27DeniedLink(t *testing.T) {
	// Nothing can be mounted on a link, so the program could put another in its place.
	no := notLaunched("symbolic link")
	attack{
		ID: "F27", Title: "the denied path is a symbolic link",
		Reference: "deny lists that compare spellings; dotfiles kept elsewhere by stow",
		Tiers:     process,
		Setup: func(t *testing.T, f *field) {
			f.put(t, f.work("dotfiles/bashrc"), "was\n")
			if err := os.Symlink("dotfiles/bashrc", f.work(".bashrc")); err != nil {
				t.Fatal(err)
			}
		},
		Flags: func(f *field) []string { return []string{"--deny", "fs.write:" + f.work(".bashrc")} },
		Harm: func(f *field) string {
			if text, err := os.ReadFile(f.work(".bashrc")); err != nil || string(text) != "was\n" {
				return "the host reads " + string(text)
			}
			return ""
		},
		Tries: []try{
			{Name: "replace the link", Sh: "rm -f .bashrc && echo changed > .bashrc", Want: no},
			{Name: "write the link", Sh: "echo changed > .bashrc", Want: no},
			{Name: "write its target", Sh: "echo changed > dotfiles/bashrc", Want: no},
			{Name: "replace its target", Sh: "echo changed > x && mv -f x dotfiles/bashrc", Want: no},
			{Name: "replace its target's directory", Sh: "mv dotfiles d && mkdir dotfiles && echo changed > dotfiles/bashrc", Want: no},
		},
	}.run(t)
}
