package main

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
)

const treeFiles = 20_000

// place is where the measuring is done: a folder of its own, removed at the end.
type place struct {
	root  string // of the checkout
	ambit string
	srt   string // "" where it is not measured
	runsc string // likewise
	dir   string // holds all that follows
	one   string // a folder to read
	two   string // another
	out   string // a folder to write, and the working folder
	tree  string // a git repository of 20,000 files
	gorot string // the Go distribution
	cache string // compiled packages, for the job that links
}

// newPlace makes the folder, with what jobs work on if it is to be full. It lies
// where every peer can show it: firejail knows few places besides the home folder.
func newPlace(root, ambit, srt string, full bool) (*place, error) {
	base := "/srv"
	if os.Getuid() != 0 {
		home, err := os.UserHomeDir()
		if err != nil {
			return nil, err
		}
		base = home
	}
	dir, err := os.MkdirTemp(base, "ambit-bench-")
	if err != nil {
		return nil, err
	}
	p := &place{root: root, ambit: ambit, srt: srt, dir: dir}
	p.one, p.two, p.out, p.tree = p.in("one"), p.in("two"), p.in("out"), p.in("tree")
	if err := p.fill(full); err != nil {
		p.remove()
		return nil, err
	}
	return p, nil
}

func (p *place) in(name string) string { return filepath.Join(p.dir, name) }

func (p *place) remove() {
	// As root runsc keeps a mount in its folder.
	if err := syscall.Unmount(filepath.Join(p.in("runsc"), "null-netns"), 0); err != nil && !errors.Is(err, syscall.ENOENT) && !errors.Is(err, syscall.EINVAL) {
		say("cannot take the mount of runsc away: %v", err)
	}
	if err := os.RemoveAll(p.dir); err != nil {
		say("cannot remove %s: %v", p.dir, err)
	}
}

func (p *place) fill(full bool) error {
	for _, dir := range []string{p.one, p.two, p.out, p.tree, p.in("home"), p.in("state")} {
		if err := os.Mkdir(dir, 0o755); err != nil {
			return err
		}
	}
	if !full {
		return nil
	}
	say("Making a git repository of %d files", treeFiles)
	if err := p.fillTree(); err != nil {
		return err
	}
	return p.fillProgram()
}

// fillTree makes 20,000 files of up to 8 kB in 200 folders and commits them.
func (p *place) fillTree() error {
	random := rand.New(rand.NewPCG(1, 2))
	content := bytes.Repeat([]byte("a line of text that git has to look at\n"), 256)
	for folder := range treeFiles / 100 {
		dir := filepath.Join(p.tree, fmt.Sprintf("part%02d/group%d", folder/10, folder%10))
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
		for file := range 100 {
			text := append([]byte(fmt.Sprintln(folder, file)), content[:random.IntN(8000)]...)
			if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("file%02d.txt", file)), text, 0o644); err != nil {
				return err
			}
		}
	}
	for _, args := range [][]string{
		{"init", "-q"},
		{"add", "-A"},
		{"-c", "user.name=bench", "-c", "user.email=bench@example.com", "commit", "-q", "-m", "all"},
		{"repack", "-adq"},
		{"prune-packed", "-q"},
		{"status"},
	} {
		if err := p.prepare(p.tree, "git", args...); err != nil {
			return err
		}
	}
	return nil
}

// fillProgram makes a small Go program and compiles all that it needs, so that
// the job only links.
func (p *place) fillProgram() error {
	rot, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		return fmt.Errorf("go env: %w", err)
	}
	if p.gorot, err = filepath.EvalSymlinks(strings.TrimSpace(string(rot))); err != nil {
		return err
	}
	p.cache = filepath.Join(p.out, "cache")
	dir := filepath.Join(p.out, "hello")
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err
	}
	for name, text := range map[string]string{
		"go.mod":   "module hello\n\ngo 1.21\n",
		"hello.go": "package main\n\nimport (\n\t\"encoding/json\"\n\t\"fmt\"\n)\n\nfunc main() {\n\tb, _ := json.Marshal(\"hello\")\n\tfmt.Println(string(b))\n}\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			return err
		}
	}
	job := p.goBuild()
	return p.prepare(dir, job.Argv[0], job.Argv[1:]...)
}

// environment is what every launcher gets; nothing of the caller's.
func (p *place) environment() []string {
	return append([]string{
		"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8",
		"HOME=" + p.in("home"), "AMBIT_STATE_DIR=" + p.in("state"),
	}, goEnvironment(p.cache)...)
}

// prepare runs something that is not measured.
func (p *place) prepare(dir, name string, args ...string) error {
	cmd := exec.Command(name, args...)
	cmd.Dir, cmd.Env = dir, p.environment()
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, out)
	}
	return nil
}
