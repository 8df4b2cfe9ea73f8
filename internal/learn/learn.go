// Package learn turns what a run used into the smallest manifest that would
// have sufficed, and holds the cautious rule that answers while it is found out.
//
// Both are functions of plain data: touches go in, with what lies beside the
// touched files; answers and the text of a manifest come out. Nothing is read,
// granted or recorded here. Whoever runs the program puts each answer of Rule to
// the gate, as any other.
//
// Invariants:
//
//   - What is allowed in a trail is covered by the manifest that is made of it,
//     but for what is not there any more.
//   - Nothing of the list of secrets is covered, whatever was touched, unless a
//     person named it.
//   - One more touch never takes anything away, and a manifest that is collapsed
//     again is the same.
//   - Files are folded into a directory or a glob only beneath the root of a
//     project or a package, and only where everything that lies there is as
//     harmless as what was touched.
//
// Layer: over internal/core, which is all that it imports.
package learn

import (
	"path"
	"slices"
	"strings"

	"ambit.dev/ambit/internal/core/capability"
)

// A Touch is something that a program used and was allowed to.
type Touch struct {
	// Capability is what was touched, resolved and without links. For a name
	// that was made, changed or removed it is fs.write of the directory.
	Capability capability.Capability `json:"capability"`
	Dir        bool                  `json:"dir,omitempty"`  // it is a directory
	Name       string                `json:"name,omitempty"` // what was made, changed or removed in it, or which of it was run
	Program    string                `json:"program,omitempty"`
	Count      int                   `json:"count,omitempty"`
	Gone       bool                  `json:"gone,omitempty"` // there is nothing at that path any more
	// Named is set for what a person gave by name: it is asked for as it is.
	Named bool `json:"named,omitempty"`
}

// path returns the one path of a touch, "" if it has none.
func (t Touch) path() string {
	p, _ := t.Capability.Pattern()
	lit, _ := p.Literal()
	return lit
}

// Base is where a run took place. All paths are absolute and without links.
type Base struct {
	Home  string   // the person's, "" for none
	Pack  string   // the folder of the manifest: "./" means it, and a pack sees it
	Roots []string // of the projects
	Shown []string // what every program sees
	// Hidden are directories of programs beneath Shown: a pack sees of them what it
	// may start.
	Hidden []string
}

// Host tells what lies in a directory. An error means that nobody can tell, and
// the directory is not taken for harmless.
type Host interface {
	List(dir string) ([]Entry, error)
}

// Entry is one name in a directory.
type Entry struct {
	Name string
	Dir  bool
}

// root returns the innermost root that p is, or lies beneath: of a project, of a
// package, of another tree. Nothing is folded above it.
func (b Base) root(p string) (root string, ok bool) {
	for _, r := range b.Roots {
		if within(p, r) && len(r) > len(root) && !b.exposed(r) {
			root = r
		}
	}
	if t := packageTree(p); len(t) > len(root) && !b.exposed(t) {
		root = t
	}
	return root, root != ""
}

// exposed reports whether a directory is a home, or holds places of secrets.
func (b Base) exposed(dir string) bool {
	_, secret := capability.Sensitive(dir, b.Home)
	_, above := capability.AboveSensitive(dir, b.Home)
	return secret || above
}

// shown reports whether a pack sees p without asking.
func (b Base) shown(p string) bool {
	in := func(dir string) bool { return within(p, dir) }
	return b.Pack != "" && in(b.Pack) || slices.ContainsFunc(b.Shown, in) && !slices.ContainsFunc(b.Hidden, in)
}

// within reports whether p is dir or beneath it, by whole names.
func within(p, dir string) bool {
	rest, ok := strings.CutPrefix(p, dir)
	return ok && (rest == "" || dir == "/" || rest[0] == '/')
}

// trees are what package managers unpack as one piece, by the names that lead
// there: the last one is the package.
var trees = [][]string{
	{"node_modules", "@*", "*"}, {"node_modules", "*"}, {"site-packages", "*"}, {"dist-packages", "*"},
	{"pkg", "mod", "*@*"}, {"pkg", "mod", "*", "*@*"}, {"pkg", "mod", "*", "*", "*@*"}, {"pkg", "mod", "*", "*", "*", "*@*"},
	{".cargo", "registry", "src", "*", "*"}, {".rustup", "toolchains", "*"}, {".nvm", "versions", "node", "*"},
	{".pyenv", "versions", "*"}, {".rbenv", "versions", "*"}, {".asdf", "installs", "*", "*"}, {".sdkman", "candidates", "*", "*"},
	{"mise", "installs", "*", "*"}, {"uv", "python", "*"}, {"pipx", "venvs", "*"}, {".volta", "tools", "image", "*", "*"},
	{"Cellar", "*", "*"}, {"sdk", "go*"}, {"gems", "*-*"},
}

// packageTree returns the innermost package that p is, or lies in, "" for none.
func packageTree(p string) string {
	names := strings.Split(strings.TrimPrefix(p, "/"), "/")
	for end := len(names); end > 0; end-- {
		if slices.ContainsFunc(trees, func(t []string) bool { return endsIn(names[:end], t) }) || end == 2 && names[0] == "opt" {
			return "/" + path.Join(names[:end]...)
		}
	}
	return ""
}

// endsIn reports whether the last names are those of a tree.
func endsIn(names, tree []string) bool {
	at := len(names) - len(tree)
	if at < 0 || len(tree) == 2 && tree[0] == "node_modules" && names[len(names)-1][:1] == "@" { // a scope is no package
		return false
	}
	for i, pattern := range tree {
		if ok, err := path.Match(pattern, names[at+i]); !ok || err != nil {
			return false
		}
	}
	return true
}
