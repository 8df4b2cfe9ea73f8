package escape_test

import (
	"os"
	"os/exec"
	"path/filepath"
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

// deniedLink are the ways to get at a denied link of Work, with how its launch
// has to end. The link leads to OUTSIDE/profile.
func deniedLink(deny func(t *testing.T, f *field), flags func(f *field) []string) attack {
	return attack{
		ID: "F27", Title: "the denied path is a symbolic link that leads out of the grant",
		Reference: "dotfiles kept elsewhere by stow: the target is out of reach, the link is not",
		Tiers:     process,
		Setup: func(t *testing.T, f *field) {
			f.put(t, f.Outside+"/profile", "was\n")
			if err := os.Symlink(f.Outside+"/profile", f.work(".profile")); err != nil {
				t.Fatal(err)
			}
			if deny != nil {
				deny(t, f)
			}
		},
		Flags: flags,
		Harm: func(f *field) string {
			if text, err := os.ReadFile(f.work(".profile")); err != nil || string(text) != "was\n" {
				return "the host reads " + string(text)
			}
			return ""
		},
		Tries: []try{
			{Name: "replace the link", Sh: "rm -f .profile && echo changed > .profile", Want: notLaunched("symbolic link")},
			{Name: "move another over it", Sh: "echo changed > x && mv -f x .profile", Want: notLaunched("symbolic link")},
		},
	}
}

func TestF27LinkOutOfTheGrant(t *testing.T) {
	deniedLink(nil, func(f *field) []string { return []string{"--deny", "fs.write:" + f.work(".profile")} }).run(t)
}

// TestF27StoredDenial: what `ambit grants add --deny` stores holds for the name
// as for what it leads to.
func TestF27StoredDenial(t *testing.T) {
	deniedLink(func(t *testing.T, f *field) {
		cmd := exec.Command(ambit(t), "grants", "add", "--deny", "fs.write:"+f.work(".profile"))
		cmd.Dir, cmd.Env = f.Work, f.environ()
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v %s", err, out)
		}
	}, nil).run(t)
}

// TestF27StateBehindLink: the folder of Ambit's own state is protected by the
// names that lead to it too.
func TestF27StateBehindLink(t *testing.T) {
	attack{
		ID: "F27", Title: "put another state behind the link that leads to Ambit's",
		Reference: "a home whose .local lies on another disk",
		Tiers:     process,
		Setup: func(t *testing.T, f *field) {
			for _, dir := range []string{f.Outside + "/local/state/ambit", f.work("home")} {
				if err := os.MkdirAll(dir, 0o700); err != nil {
					t.Fatal(err)
				}
			}
			if err := os.Symlink(f.Outside+"/local", f.work("home/.local")); err != nil {
				t.Fatal(err)
			}
			f.env = []string{"AMBIT_STATE_DIR=" + f.work("home/.local/state/ambit")}
		},
		Harm: func(f *field) string {
			if to, err := filepath.EvalSymlinks(f.work("home/.local")); err != nil || to != f.Outside+"/local" {
				return "the state is looked for in " + to
			}
			return ""
		},
		Tries: []try{{Name: "replace the link", Sh: "rm -f home/.local && mkdir -p home/.local/state/ambit", Want: notLaunched("symbolic link")}},
	}.run(t)
}
