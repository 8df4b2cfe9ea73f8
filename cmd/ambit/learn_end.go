package main

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"ambit.dev/ambit/internal/core/capability"
	"ambit.dev/ambit/internal/core/manifest"
	"ambit.dev/ambit/internal/learn"
)

// finish writes the manifest and says what came of it.
func (l *learner) finish(ran error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	wants := learn.Collapse(l.touches(), l.followed(), l.base, hostTree{})
	text, err := learn.Text(l.pack(), wants, l.base)
	if err != nil {
		return err
	}
	if err := l.out.write(l.s.app, text); err != nil {
		return err
	}
	if l.s.app.json {
		return l.printJSON(wants)
	}
	l.say(wants, ran)
	return nil
}

// touches are what was used, what was given from the start, and what stands for
// a second process that executed nothing.
func (l *learner) touches() []learn.Touch {
	all := slices.Clone(l.trail)
	spawned := slices.ContainsFunc(all, func(t learn.Touch) bool { return t.Capability.Kind() == capability.ProcessSpawn })
	if c, err := capability.ForPath(capability.ProcessSpawn, l.s.program.real); err == nil && l.forked && !spawned {
		all = append(all, learn.Touch{Capability: c, Program: filepath.Base(l.s.program.real), Count: 1})
	}
	for p, who := range l.opened {
		if c, err := capability.ForPath(capability.FSRead, p); err == nil && p != l.s.program.real {
			all = append(all, learn.Touch{Capability: c, Program: who, Count: 1})
		}
	}
	for _, text := range l.allowed {
		if c, err := capability.Parse(text); err == nil {
			if c, err = settle(c, l.s.base); err == nil {
				all = append(all, learn.Touch{Capability: c, Program: "--allow", Named: true})
			}
		}
	}
	for _, v := range l.s.volumes {
		all = append(all, learn.Touch{Capability: v.target, Dir: v.shown.Source.Dir, Program: "--volume", Named: true})
	}
	for i := range all {
		if p, ok := all[i].Capability.Pattern(); ok && !all[i].Named {
			lit, literal := p.Literal()
			all[i].Gone = literal && gone(lit)
		}
	}
	return all
}

// followed are the links that led somewhere, with where they lead to in the end.
func (l *learner) followed() (links []learn.Link) {
	for p := range l.links {
		if real, err := filepath.EvalSymlinks(p); err == nil {
			links = append(links, learn.Link{Path: p, Real: real})
		}
	}
	return links
}

// pack is what the manifest says beside its capabilities.
func (l *learner) pack() learn.Pack {
	p := learn.Pack{ID: l.out.id, Entry: l.out.entry, Limits: map[string]string{}}
	for _, text := range l.flags.run.env {
		if !strings.Contains(text, "=") {
			p.Env = append(p.Env, text)
		}
	}
	for _, text := range l.flags.run.limits {
		if name, value, ok := strings.Cut(text, "="); ok {
			p.Limits[name] = value
		}
	}
	if l.flags.run.home == manifest.HomeNone {
		p.Home = manifest.HomeNone
	}
	return p
}

// say tells the person what was written, and what was not allowed.
func (l *learner) say(wants []learn.Want, ran error) {
	w := l.s.app.err
	if refused := l.refusals(); len(refused) > 0 {
		printf(w, "ambit: refused while learning, and not in the manifest:\n")
		for _, r := range refused {
			printf(w, "  %s: %s [%s]\n", r.Capability, r.Why, r.ID)
		}
	}
	if ran != nil {
		printf(w, "ambit: the program ended with %v: what it would have used after that is not in the manifest\n", ran)
	}
	dir := shellWord(l.out.pack)
	if len(l.hidden) > 0 && l.out.file != "" {
		printf(w, "ambit: a pack sees its own folder, and in this one lies %s; to keep it closed:\n", capability.Printable(listed(l.hidden)))
		for _, p := range l.hidden[:min(len(l.hidden), most)] {
			if c, err := capability.ForPath(capability.FSRead, p); err == nil {
				printf(w, "  ambit grants add --pack %s --deny %s\n", dir, shellWord(c.Display()))
			}
		}
	}
	if l.out.file == "" {
		return
	}
	if l.out.pack != realPath(l.s.base.Dir) && l.out.pack != "" {
		printf(w, "ambit: a pack is started in its own folder, %s; this was learned in %s\n", dir, shellWord(l.s.base.Dir))
	}
	if len(wants) == 0 {
		printf(w, "ambit: wrote %s, which asks for nothing: ambit run --pack %s\n", shellWord(l.out.file), dir)
		return
	}
	printf(w, "ambit: wrote %s, %s; read it, then: ambit grants add --pack %s --all && ambit run --pack %s\n",
		shellWord(l.out.file), asksFor(len(wants)), dir, dir)
}

func asksFor(n int) string {
	if n == 1 {
		return "which asks for one capability"
	}
	return fmt.Sprintf("which asks for %d capabilities", n)
}

// most is how many of a list are printed.
const most = 5

func listed(all []string) string {
	if len(all) <= most {
		return strings.Join(all, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(all[:most], ", "), len(all)-most)
}

// refusals are what was refused, in order.
func (l *learner) refusals() []refusal {
	all := slices.Collect(maps.Values(l.refused))
	slices.SortFunc(all, func(a, b refusal) int { return strings.Compare(a.Capability, b.Capability) })
	return all
}

// printJSON prints what was learned for programs, on standard error where the
// manifest itself went to standard output.
func (l *learner) printJSON(wants []learn.Want) error {
	type use struct {
		Program string `json:"program"`
		Count   int    `json:"count"`
	}
	type line struct {
		Capability string   `json:"capability"` // as the manifest spells it
		By         []use    `json:"by"`
		Names      []string `json:"names,omitempty"`
	}
	r := struct {
		File         string    `json:"file,omitempty"`
		ID           string    `json:"id"`
		Capabilities []line    `json:"capabilities"`
		Refused      []refusal `json:"refused"`
		Hidden       []string  `json:"hidden"` // in the folder of the manifest, as it may hold secrets
	}{File: l.out.file, ID: l.out.id, Capabilities: []line{}, Refused: append([]refusal{}, l.refusals()...), Hidden: append([]string{}, l.hidden...)}
	for _, w := range wants {
		n := line{Capability: l.base.Spell(w.Capability), By: []use{}, Names: w.Names}
		for _, u := range w.By {
			n.By = append(n.By, use{capability.Printable(u.Program), u.Count})
		}
		r.Capabilities = append(r.Capabilities, n)
	}
	return writeLine(l.s.app.err, r)
}
