package learn_test

import (
	"errors"
	"path"
	"slices"
	"strings"

	"ambit.dev/ambit/internal/core/capability"
	"ambit.dev/ambit/internal/learn"
)

// disk is a host whose files are listed. A path that ends in a slash is a
// directory.
type disk map[string][]learn.Entry

func newDisk(paths ...string) disk {
	d := disk{"/": nil}
	for _, p := range paths {
		d.add(path.Clean(p), strings.HasSuffix(p, "/"))
	}
	return d
}

func (d disk) add(p string, dir bool) {
	if dir && d[p] == nil {
		d[p] = []learn.Entry{}
	}
	if p == "/" {
		return
	}
	up := path.Dir(p)
	e := learn.Entry{Name: path.Base(p), Dir: dir}
	if !slices.Contains(d[up], e) {
		d[up] = append(d[up], e)
		d.add(up, true)
	}
}

func (d disk) List(dir string) ([]learn.Entry, error) {
	if all, ok := d[dir]; ok {
		return all, nil
	}
	return nil, errors.New("no such directory")
}

func (d disk) isDir(p string) bool { _, ok := d[p]; return ok }

// files are all paths, in order.
func (d disk) files() (paths []string) {
	for dir, all := range d {
		for _, e := range all {
			paths = append(paths, path.Join(dir, e.Name))
		}
	}
	slices.Sort(paths)
	return paths
}

// deep are the paths that are not right below the root, whose names nobody is
// given the right to change.
func (d disk) deep() []string {
	return slices.DeleteFunc(d.files(), func(p string) bool { return path.Dir(p) == "/" })
}

// touch makes a touch: "read /x", "write /x", "make /x/new", "run /x", or a
// capability.
func (d disk) touch(text string) learn.Touch {
	verb, p, _ := strings.Cut(text, " ")
	t := learn.Touch{Count: 1, Program: "prog"}
	kind := map[string]capability.Kind{"read": capability.FSRead, "write": capability.FSWrite, "make": capability.FSWrite, "run": capability.ProcessSpawn}[verb]
	var err error
	switch {
	case kind == "":
		t.Capability, err = capability.Parse(text)
	case verb == "make":
		t.Name, t.Dir = path.Base(p), true
		t.Capability, err = capability.ForPath(kind, path.Dir(p))
	default:
		t.Dir = d.isDir(p)
		t.Capability, err = capability.ForPath(kind, p)
	}
	if err != nil {
		panic(text + ": " + err.Error())
	}
	return t
}

func (d disk) touches(texts ...string) (trail []learn.Touch) {
	for _, text := range texts {
		trail = append(trail, d.touch(text))
	}
	return trail
}

// texts are the capabilities of a result.
func texts(wants []learn.Want) (all []string) {
	for _, w := range wants {
		all = append(all, w.Capability.String())
	}
	return all
}

// again is a result as a trail.
func again(wants []learn.Want) (trail []learn.Touch) {
	for _, w := range wants {
		trail = append(trail, learn.Touch{Capability: w.Capability, Dir: w.Dir, Program: "prog"})
	}
	return trail
}
