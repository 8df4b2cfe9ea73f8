package escape_test

import (
	"os"
	"testing"
)

func TestF27DeniedLink(t *testing.T) {
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
			{Name: "write the link", Sh: "echo changed > .bashrc", Want: refused()},
			{Name: "write its target", Sh: "echo changed > dotfiles/bashrc", Want: refused()},
			{Name: "replace its target", Sh: "echo changed > x && mv -f x dotfiles/bashrc", Want: refused()},
			{Name: "replace its target's directory", Sh: "mv dotfiles d && mkdir dotfiles && echo changed > dotfiles/bashrc", Want: refused()},
		},
	}.run(t)
}
