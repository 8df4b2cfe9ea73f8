package build

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"slices"
	"strings"
)

// Base is the part that every image has.
const Base = "base"

// parts are names for what an image can have; any other name is that of a Debian
// package. Packages of Base that a host does not have are left out.
var parts = map[string][]string{
	Base: {"bash", "bsdutils", "ca-certificates", "coreutils", "dash", "debianutils", "diffutils", "findutils", "grep", "gzip",
		"hostname", "mawk", "ncurses-bin", "netbase", "procps", "sed", "tar", "util-linux"},
	"node": {"nodejs"},
}

// packageFiles lists what the packages of the parts, and all that they depend on,
// have installed on this host, and how many packages that are.
func packageFiles(ctx context.Context, names []string) (files []string, packages int, err error) {
	h, err := installed(ctx)
	if err != nil {
		return nil, 0, err
	}
	var first []string
	for _, part := range names {
		for _, p := range packagesOf(part) {
			if _, ok := h.depends[p]; !ok {
				if part == Base {
					continue
				}
				return nil, 0, fmt.Errorf("the Debian package %s is not installed on this host, and an image is made of what is: install it, or leave the part %q out", p, part)
			}
			first = append(first, p)
		}
	}
	all := h.closure(first)
	out, err := exec.CommandContext(ctx, "dpkg", append([]string{"-L"}, all...)...).Output()
	if err != nil {
		return nil, 0, fmt.Errorf("list the files of packages: %w", err)
	}
	for line := range strings.Lines(string(out)) {
		line = strings.TrimSuffix(line, "\n")
		if len(line) > 1 && line[0] == '/' && line != "/." { // other lines say what was diverted
			files = append(files, line)
		}
	}
	slices.Sort(files)
	return slices.Compact(files), len(all), nil
}

func packagesOf(part string) []string {
	if p, ok := parts[part]; ok {
		return p
	}
	return []string{part}
}

// host is what dpkg knows of this host.
type host struct{ depends, provided map[string][]string }

func installed(ctx context.Context) (host, error) {
	h := host{map[string][]string{}, map[string][]string{}}
	out, err := exec.CommandContext(ctx, "dpkg-query", "-W", "-f", "${db:Status-Status}\t${Package}\t${Provides}\t${Pre-Depends}, ${Depends}\n").Output()
	if err != nil {
		return h, fmt.Errorf("list installed packages: %w; an image is made of Debian packages", err)
	}
	lines := bufio.NewScanner(bytes.NewReader(out))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		f := strings.Split(lines.Text(), "\t")
		if len(f) != 4 {
			return h, fmt.Errorf("list installed packages: dpkg-query says %q", lines.Text())
		}
		if f[0] != "installed" {
			continue
		}
		h.depends[f[1]] = relations(f[3])
		for _, virtual := range relations(f[2]) {
			h.provided[virtual] = append(h.provided[virtual], f[1])
		}
	}
	return h, lines.Err()
}

// closure follows what the packages depend on. Of alternatives it takes those that
// are there.
func (h host) closure(names []string) []string {
	found := map[string]bool{}
	for queue := slices.Clone(names); len(queue) > 0; queue = queue[1:] {
		name := queue[0]
		needs, ok := h.depends[name]
		switch {
		case found[name]:
		case ok:
			found[name] = true
			queue = append(queue, needs...)
		default:
			queue = append(queue, h.provided[name]...)
		}
	}
	all := make([]string, 0, len(found))
	for name := range found {
		all = append(all, name)
	}
	slices.Sort(all)
	return all
}

// relations are the names in a field like "a (>= 1), b | c:any".
func relations(field string) (names []string) {
	for _, r := range strings.FieldsFunc(field, func(r rune) bool { return r == ',' || r == '|' }) {
		name, _, _ := strings.Cut(strings.TrimSpace(r), " ")
		if name, _, _ = strings.Cut(name, ":"); name != "" {
			names = append(names, name)
		}
	}
	return names
}
