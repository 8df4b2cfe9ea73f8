package main

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"ambit.dev/ambit/internal/core/capability"
	"ambit.dev/ambit/internal/core/manifest"
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
