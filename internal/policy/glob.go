package policy

import (
	"encoding/json"
	"fmt"
	"path"
	"path/filepath"
	"strings"

	"github.com/cedar-policy/cedar-go/types"
	"github.com/cedar-policy/cedar-go/x/exp/ast"
)

// A glob is a path of whose names some are patterns.
type glob struct {
	text  string
	names []string
}

// parseGlob reads one: absolute, with * and ? in names.
func parseGlob(text string) (glob, error) {
	if !path.IsAbs(text) || path.Clean(text) != text || text == "/" {
		return glob{}, fmt.Errorf("%s::%q: want an absolute path such as \"/home/*/.ssh\"", typeGlob, text)
	}
	if strings.Contains(text, "**") || strings.ContainsAny(text, `[]\`) {
		return glob{}, fmt.Errorf("%s::%q: of patterns there are * and ?, for what is no slash", typeGlob, text)
	}
	return glob{text, split(text)}, nil
}

// split are the names of an absolute path.
func split(p string) []string {
	if p == "/" {
		return nil
	}
	return strings.Split(p[1:], "/")
}

// covers reports whether the glob matches a path or a folder above it.
func (g glob) covers(p string) bool {
	names := split(p)
	return len(names) >= len(g.names) && matches(g.names, names[:len(g.names)])
}

// inside is what the glob matches beneath a folder: one path, or nothing. exact is
// false where that cannot be told.
func (g glob) inside(dir string) (at string, exact bool) {
	names := split(dir)
	if len(names) >= len(g.names) || !matches(g.names[:len(names)], names) {
		return "", true
	}
	rest := g.names[len(names):]
	for _, name := range rest {
		if strings.ContainsAny(name, "*?") {
			return "", false
		}
	}
	return path.Join(append([]string{dir}, rest...)...), true
}

// matches compares names with patterns, of which there are as many.
func matches(patterns, names []string) bool {
	for i, p := range patterns {
		if ok, err := path.Match(p, names[i]); err != nil || !ok {
			return false
		}
	}
	return true
}

// A like is the pattern of Cedar's operator: literals, each but the first after a
// wildcard, which stands for anything.
type like struct {
	parts []string
}

// parseLike reads a pattern by its JSON, which is what Cedar tells of it.
func parseLike(p types.Pattern) (l like, err error) {
	text, err := p.MarshalJSON()
	if err != nil {
		return l, err
	}
	var items []json.RawMessage
	if err := json.Unmarshal(text, &items); err != nil {
		return l, err
	}
	l.parts = []string{""}
	for _, item := range items {
		var literal struct{ Literal string }
		if json.Unmarshal(item, &literal) == nil {
			l.parts[len(l.parts)-1] += literal.Literal
			continue
		}
		l.parts = append(l.parts, "")
	}
	return l, nil
}

// starts reports whether some text that begins with head matches.
func (l like) starts(head string) bool {
	if len(l.parts) == 1 {
		return strings.HasPrefix(l.parts[0], head)
	}
	n := min(len(head), len(l.parts[0]))
	return head[:n] == l.parts[0][:n] // beyond it a wildcard takes what there is
}

// all reports whether every text that begins with head matches.
func (l like) all(p types.Pattern, head string) bool {
	return len(l.parts) > 1 && l.parts[len(l.parts)-1] == "" && p.Match(types.String(head))
}

// inside is where beneath a folder all that matches lies: one path. exact is
// false where that cannot be told.
func (l like) inside(dir string) (at string, exact bool) {
	head := l.parts[0]
	if !strings.HasPrefix(head, slash(dir)) {
		return "", false
	}
	if len(l.parts) == 1 {
		return head, path.Clean(head) == head
	}
	// What follows a slash is beneath the folder before it. A wildcard within a name
	// stands for names that are not there yet.
	folder := strings.TrimSuffix(head, "/")
	return folder, folder != head && len(folder) > len(dir) && path.Clean(folder) == folder
}

// slash is a folder as the beginning of paths beneath it.
func slash(dir string) string {
	if dir == "/" {
		return dir
	}
	return dir + "/"
}

// within reports whether a path is a folder or beneath it.
func within(p, dir string) bool {
	rel, err := filepath.Rel(dir, p)
	return err == nil && filepath.IsLocal(rel)
}

// real is where a path leads, as far as it is there.
func real(p string) string {
	for at, rest := p, ""; ; at, rest = path.Dir(at), path.Join(path.Base(at), rest) {
		if to, err := filepath.EvalSymlinks(at); err == nil {
			return path.Join(to, rest)
		}
		if at == "/" {
			return p
		}
	}
}

// ofPath reports whether an expression is resource.path.
func ofPath(n ast.IsNode) bool {
	attribute, ok := ofResource(n)
	return ok && attribute == "path"
}

// ofResource tells which attribute of the resource an expression is.
func ofResource(n ast.IsNode) (attribute string, ok bool) {
	a, ok := n.(ast.NodeTypeAccess)
	if !ok || !isResource(a.Arg) {
		return "", false
	}
	return string(a.Value), true
}

// isResource reports whether an expression is the resource.
func isResource(n ast.IsNode) bool {
	v, ok := n.(ast.NodeTypeVariable)
	return ok && v.Name == "resource"
}

// wildBefore reports whether a wildcard stands before the end of a pattern.
func wildBefore(p types.Pattern) bool {
	l, err := parseLike(p)
	return err != nil || len(l.parts) > 2 || len(l.parts) == 2 && (l.parts[1] != "" || !strings.HasSuffix(l.parts[0], "/"))
}
