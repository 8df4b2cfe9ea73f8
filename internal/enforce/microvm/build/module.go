package build

import (
	"bytes"
	"cmp"
	"debug/elf"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
)

// wanted are the modules without which the guest has no disk, no channel, no
// image, no link, no trap and nobody to tell which sockets it has. What is built into a
// kernel has no file, and needs none.
var wanted = []string{"virtio_mmio", "virtio_blk", "virtio_console", "virtio_rng", "erofs", "tun", "fuse", "tcp_diag", "udp_diag"}

// resolver puts modules into the order in which they have to be loaded. A package
// that was not installed has no modules.dep, so the order comes from the modules
// themselves (.modinfo).
type resolver struct {
	path    map[string]string // by module's name
	aliases map[string]string // alias to module's name; nil before it is needed
	seen    map[string]bool
	order   []string
}

// order lists the files of the wanted modules and of what they need, first things
// first.
func order(root string, names []string) ([]string, error) {
	r := &resolver{path: map[string]string{}, seen: map[string]bool{}}
	err := filepath.WalkDir(root, func(p string, _ fs.DirEntry, err error) error {
		if name, ok := strings.CutSuffix(filepath.Base(p), ".ko"); ok {
			r.path[dashed(name)] = p
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("look for modules: %w", err)
	}
	if len(r.path) == 0 {
		return nil, fmt.Errorf("there are no modules (*.ko) beneath %q", root)
	}
	for _, n := range names {
		if err := r.add(n); err != nil {
			return nil, err
		}
	}
	return r.order, nil
}

// dashed is a module's name as the kernel spells it.
func dashed(s string) string { return strings.ReplaceAll(s, "-", "_") }

func (r *resolver) add(name string) error {
	name = dashed(name)
	if r.path[name] == "" {
		if err := r.readAliases(); err != nil {
			return err
		}
		name = cmp.Or(r.aliases[name], name)
	}
	if r.seen[name] {
		return nil
	}
	r.seen[name] = true
	p := r.path[name]
	if p == "" {
		return nil // built in, or absent; a guest that lacks it does not become ready
	}
	info, err := modinfo(p)
	if err != nil {
		return err
	}
	need := strings.FieldsFunc(strings.Join(info["depends"], ","), func(c rune) bool { return c == ',' })
	for _, s := range info["softdep"] { // "pre: a b post: c"
		before, _, _ := strings.Cut(s, "post:")
		if _, pre, ok := strings.Cut(before, "pre:"); ok {
			need = append(need, strings.Fields(pre)...)
		}
	}
	for _, d := range need {
		if err := r.add(d); err != nil {
			return err
		}
	}
	r.order = append(r.order, p)
	return nil
}

// readAliases keeps, of several modules with one alias, the first by name; the
// generic ones, which need no special processor, come before all others.
func (r *resolver) readAliases() error {
	if r.aliases != nil {
		return nil
	}
	r.aliases = map[string]string{}
	var names []string
	for n, p := range r.path {
		// Only these are asked for by alias.
		if strings.Contains(p, "/crypto/") || strings.Contains(p, "/lib/") {
			names = append(names, n)
		}
	}
	generic := func(n string) int {
		if strings.HasSuffix(n, "_generic") {
			return 0
		}
		return 1
	}
	slices.SortFunc(names, func(a, b string) int { return cmp.Or(generic(a)-generic(b), strings.Compare(a, b)) })
	for _, n := range names {
		info, err := modinfo(r.path[n])
		if err != nil {
			return err
		}
		for _, a := range info["alias"] {
			if a = dashed(a); r.aliases[a] == "" {
				r.aliases[a] = n
			}
		}
	}
	return nil
}

// modinfo reads the section in which a module says what it is.
func modinfo(p string) (map[string][]string, error) {
	f, err := elf.Open(p)
	if err != nil {
		return nil, fmt.Errorf("read the module %q: %w", p, err)
	}
	defer f.Close() //nolint:errcheck // it was read
	s := f.Section(".modinfo")
	if s == nil {
		return nil, fmt.Errorf("read the module %q: it does not say what it needs", p)
	}
	d, err := s.Data()
	if err != nil {
		return nil, fmt.Errorf("read the module %q: %w", p, err)
	}
	m := map[string][]string{}
	for kv := range bytes.SplitSeq(d, []byte{0}) {
		if k, v, ok := strings.Cut(string(kv), "="); ok && v != "" {
			m[k] = append(m[k], v)
		}
	}
	return m, nil
}
