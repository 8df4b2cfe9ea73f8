//go:build linux

package process

import (
	"path"

	"ambit.dev/ambit/internal/enforce"
)

// A program that lies in a writable directory, and may be executed, is a mount
// of its own there. Nothing can be removed, renamed or replaced that is a mount,
// so `make clean`, or a compiler that writes the program anew, would fail. Such a
// mount gives nothing but execution over what lies around it: it is taken away
// when its name is changed, and what has the name then is asked about anew.

// keeps gives a program the right to be written that its place has already:
// what is mounted over a place must not take anything away from it.
//
// Security: only where anything that is written can be executed all the same;
// elsewhere a program stays as it was granted. What lies on a mask of a denied
// change has no such right, and gets none.
func (a *attacher) keeps(e enforce.Entry) enforce.Entry {
	if !e.Exec || e.Write || a.plan.Filter.LimitExec || a.plan.Filter.AskSpawn {
		return e
	}
	e.Exec, e.Write = false, true
	on, ok := a.at(e.Path)
	e.Exec, e.Write = true, ok && on.Includes(enforce.Entry{Op: e.Op, Path: e.Path, Source: e.Source, Write: true})
	return e
}

// loose reports whether the mount at p gives nothing but execution.
func (a *attacher) loose(p string) bool {
	e, ok := a.at(p)
	if !ok || e.Path != p || !e.Exec || !e.Write || a.transit(p) {
		return false
	}
	around, ok := a.at(path.Dir(p))
	e.Exec = false
	return ok && around.Op == enforce.OpBind && around.Includes(e)
}

// loosen takes the mount at p away if it gives nothing but execution.
func (a *asking) loosen(p string) error {
	if !a.attach.loose(p) {
		return nil
	}
	return a.attach.detach(p)
}
