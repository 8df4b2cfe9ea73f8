//go:build linux

package main

import (
	"fmt"
	"strings"

	"ambit.dev/ambit/internal/enforce/gvisor/wire"
)

// mostOpen bounds what is listed: it has to fit into a message.
const mostOpen = 200

// open lists what programs have open at or beneath some paths.
func (a *agent) open(paths []string) (all []wire.Open, err error) {
	processes, err := a.c.Sandbox.ProcfsDump()
	if err != nil {
		return nil, err
	}
	for _, p := range processes {
		add := func(what, at string) {
			if len(all) < mostOpen && beneath(at, paths) {
				all = append(all, wire.Open{Program: p.Status.Comm, What: what, Path: at})
			}
		}
		add("working directory", p.CWD)
		for _, f := range p.FDs {
			add(fmt.Sprintf("descriptor %d", f.Number), f.Path)
		}
		last := ""
		for _, m := range p.Maps {
			if m.Pathname != last { // a file is mapped in parts
				add("mapping", m.Pathname)
			}
			last = m.Pathname
		}
	}
	return all, nil
}

// beneath reports whether at is one of some paths or lies in one.
func beneath(at string, paths []string) bool {
	for _, p := range paths {
		if at == p || strings.HasPrefix(at, p+"/") {
			return true
		}
	}
	return false
}
