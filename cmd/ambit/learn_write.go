package main

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"ambit.dev/ambit/internal/core/capability"
	"ambit.dev/ambit/internal/core/manifest"
	"ambit.dev/ambit/internal/learn"
)

// output is where a learned manifest goes.
type output struct {
	file  string // "" to print it
	pack  string // the folder that "./" means; "" where no pack can be
	id    string
	entry []string
	force bool
}

// newOutput settles where the manifest goes, before anything runs for it.
func (f *learnFlags) newOutput(argv []string) (*output, error) {
	if len(argv) == 0 {
		return nil, errors.New("nothing to run: give a command after --")
	}
	o := &output{force: f.force}
	in := "."
	if f.output != "-" {
		o.file = f.output
	}
	if filepath.Base(f.output) == manifest.File { // a file of another name is for the folder that one is in
		in = filepath.Dir(f.output)
	}
	var err error
	if o.pack, err = filepath.Abs(in); err == nil {
		o.pack, err = filepath.EvalSymlinks(o.pack)
	}
	if err != nil {
		return nil, fmt.Errorf("find the folder of %s: %w", shellWord(f.output), err)
	}
	if exposed(o.pack, realPath(who().Home)) {
		if filepath.Base(o.file) == manifest.File {
			return nil, fmt.Errorf("%s would be a pack, and a pack sees its own folder: go to a folder of the program's own, name one with -o, or print with -o -", capability.Printable(o.pack))
		}
		o.pack = ""
	}
	if err := o.identify(); err != nil {
		return nil, err
	}
	return o, o.enter(argv)
}

// identify finds the id of the pack: that of the manifest which is replaced, or
// one that no other folder has.
func (o *output) identify() error {
	sum := sha256.Sum256([]byte(o.pack))
	o.id = "local." + idPart(filepath.Base(o.pack)) + "-" + hex.EncodeToString(sum[:3])
	if o.file == "" {
		return nil
	}
	text, err := os.ReadFile(o.file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("look at %s: %w", shellWord(o.file), err)
	case !o.force:
		return fmt.Errorf("%s exists; --force replaces it, -o writes another file, -o - prints", shellWord(o.file))
	}
	if m, err := manifest.Parse(o.file, text); err == nil {
		o.id = m.ID
	}
	return nil
}

// idPart keeps of a name what an id may hold.
func idPart(name string) string {
	var b strings.Builder
	for _, r := range name {
		switch {
		case '0' <= r && r <= '9', 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', r == '_', r == '-', r == '.':
			b.WriteRune(r)
		default:
			b.WriteByte('_')
		}
	}
	part := strings.Trim(b.String()[:min(b.Len(), 40)], ".-")
	if part == "" {
		return "pack"
	}
	return part
}

// enter spells the command as the entry of the pack: a file of its folder, or
// the name of a command.
func (o *output) enter(argv []string) error {
	o.entry = slices.Clone(argv)
	if !strings.Contains(argv[0], "/") {
		return nil
	}
	file, err := filepath.Abs(argv[0])
	if err != nil {
		return err
	}
	// Links are left as they are in the last name: a program may look at it.
	file = filepath.Join(realPath(filepath.Dir(file)), filepath.Base(file))
	if rel, err := filepath.Rel(o.pack, file); err == nil && o.pack != "" && filepath.IsLocal(rel) {
		o.entry[0] = "./" + rel
		return nil
	}
	name := filepath.Base(file)
	for _, dir := range systemPath {
		if realPath(filepath.Join(dir, name)) == realPath(file) {
			o.entry[0] = name
			return nil
		}
	}
	return fmt.Errorf("%s cannot be what a pack in %s starts: it is neither in that folder nor a command of the system", shellWord(argv[0]), shellWord(o.pack))
}

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
				all = append(all, learn.Touch{Capability: c, Program: "--allow"})
			}
		}
	}
	for _, v := range l.s.volumes {
		all = append(all, learn.Touch{Capability: v.target, Dir: v.shown.Source.Dir, Program: "--volume"})
	}
	for i := range all {
		if p, ok := all[i].Capability.Pattern(); ok && all[i].Program != "--volume" {
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

// write puts the text into its file as a whole, or prints it.
func (o *output) write(a *app, text []byte) error {
	if o.file == "" {
		_, err := a.out.Write(text)
		return err
	}
	if !o.force {
		f, err := os.OpenFile(o.file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644) // a manifest is for everybody to read
		if err != nil {
			return fmt.Errorf("write the manifest: %w", err)
		}
		_, err = f.Write(text)
		return errors.Join(err, f.Close())
	}
	f, err := os.CreateTemp(filepath.Dir(o.file), ".ambit-*.json")
	if err != nil {
		return fmt.Errorf("write the manifest: %w", err)
	}
	_, err = f.Write(text)
	if err = errors.Join(err, f.Chmod(0o644), f.Close()); err == nil {
		err = os.Rename(f.Name(), o.file)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("write the manifest: %w", err), os.Remove(f.Name()))
	}
	return nil
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
