//go:build linux

package gvisor

import (
	"fmt"
	"maps"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/enforce"
	"ambit.dev/ambit/internal/enforce/namespace"
	"ambit.dev/ambit/internal/enforce/row"
)

// split tells what was attached since the start, and is taken away by hide, from what a line
// to the gofer serves. What the view has not, and what a wider answer shows, is in neither.
func (a *asking) split(paths []string) (attached, served []string) {
	var attach *attacher
	if a != nil {
		attach = a.attach.Load()
	}
	if attach == nil {
		return nil, paths
	}
	for _, p := range paths {
		on, ok := attach.at(p)
		attach.table.RLock()
		came := attach.came[on.Path] > 0
		attach.table.RUnlock()
		switch {
		case ok && !came:
			served = append(served, p)
		case ok && on.Path == p && on.Op == enforce.OpBind:
			attached = append(attached, p)
		}
	}
	return attached, served
}

// hide takes away what was attached at some paths, with all that was attached in it: what
// of that is granted comes again at its next touch.
//
// Security: the gofer's mounts are read back: no name leads there any more, but of what
// the program's kernel has open. It has open what its programs have, and what it has walked
// to of late and lets go of at its next walk; one that a program took over keeps that.
func (a *attacher) hide(paths []string) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if err := a.start(); err != nil {
		return err
	}
	taken := a.within(paths)
	b := a.newRow()
	fds := row.Descriptors(b.list)
	b.inside()
	b.list.Call("go to the descriptors", unix.SYS_FCHDIR, namespace.Result(fds))
	for _, p := range taken {
		if i, ok := a.beneath[p]; ok { // no other path leads there
			b.detach(path.Join(strconv.Itoa(firstBelow+i), strings.TrimPrefix(p, a.below[i]+"/")))
		}
		for range a.layers(p) {
			b.detach(goferRoot + p)
		}
	}
	b.home(len(a.below))
	if err := a.worker.Do(b.list); err != nil {
		return err
	}
	a.table.Lock()
	for _, p := range taken {
		delete(a.shown, p)
		delete(a.came, p)
	}
	a.table.Unlock()
	for _, p := range taken {
		delete(a.beneath, p)
		a.trap.Hidden(p)
	}
	return a.nothingAt(paths)
}

// within are the paths with what was attached since the start in them, outermost first.
func (a *attacher) within(paths []string) (taken []string) {
	a.table.RLock()
	defer a.table.RUnlock()
	all := maps.Clone(a.came)
	for p := range a.beneath {
		all[p] = 1
	}
	for _, p := range slices.Sorted(maps.Keys(all)) {
		if slices.ContainsFunc(paths, func(q string) bool { return within(p, q) }) {
			taken = append(taken, p)
		}
	}
	return taken
}

// layers is how many mounts were attached at a path.
func (a *attacher) layers(p string) int {
	a.table.RLock()
	defer a.table.RUnlock()
	return a.came[p]
}

// detach takes a mount away, if it is there still: it goes with the one that it lies on.
func (b *attaching) detach(at string) {
	b.list.Call("hide "+at, unix.SYS_UMOUNT2, b.list.Str(at), num(unix.MNT_DETACH|unix.UMOUNT_NOFOLLOW)).May()
}

// nothingAt fails if the gofer has a mount at or beneath some paths, but of the start.
func (a *attacher) nothingAt(paths []string) error {
	text, err := os.ReadFile(dirOf(a.gofer) + "/mountinfo")
	if err != nil {
		return fmt.Errorf("look at the gofer's mounts: %w", err)
	}
	for line := range strings.Lines(string(text)) {
		f := strings.SplitN(line, " ", 6)
		if len(f) < 6 {
			return fmt.Errorf("mountinfo has the line %q", line)
		}
		at := enforce.Unescape(f[4])
		if _, ok := a.at(at); !ok && slices.ContainsFunc(paths, func(p string) bool { return within(at, p) }) {
			return fmt.Errorf("something is still mounted at %q", at)
		}
	}
	return nil
}
