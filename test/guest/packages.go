package guest

import (
	"bufio"
	"bytes"
	_ "embed"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
)

// contents are the packages that a guest has, beside what these depend on: what
// the tests start, and what a small Debian has anyway. scripts/guest.sh reads the
// file too.
//
//go:embed packages.txt
var contents string

// packageFiles are the files of the packages and of everything that they depend
// on, as they are installed on this host.
func packageFiles(names []string) ([]string, error) {
	all, err := closure(names)
	if err != nil {
		return nil, err
	}
	out, err := exec.Command("dpkg", append([]string{"-L"}, all...)...).Output() //nolint:noctx // it ends at once
	if err != nil {
		return nil, fmt.Errorf("list the files of packages: %w", err)
	}
	var files []string
	for line := range strings.Lines(string(out)) {
		// Other lines say what was diverted.
		if line = strings.TrimSuffix(line, "\n"); strings.HasPrefix(line, "/") && line != "/." {
			files = append(files, line)
		}
	}
	slices.Sort(files)
	return slices.Compact(files), nil
}

// closure follows the dependencies of installed packages. Of alternatives it
// takes those that are there.
func closure(names []string) ([]string, error) {
	out, err := exec.Command("dpkg-query", "-W", "-f", "${Package}\t${Provides}\t${Pre-Depends}, ${Depends}\n").Output() //nolint:noctx // it ends at once
	if err != nil {
		return nil, fmt.Errorf("list installed packages: %w", err)
	}
	depends, provided := map[string][]string{}, map[string][]string{}
	for lines := bufio.NewScanner(bytes.NewReader(out)); lines.Scan(); {
		f := strings.Split(lines.Text(), "\t")
		if len(f) != 3 {
			return nil, fmt.Errorf("dpkg-query says %q", lines.Text())
		}
		depends[f[0]] = relations(f[2])
		for _, virtual := range relations(f[1]) {
			provided[virtual] = append(provided[virtual], f[0])
		}
	}
	found := map[string]bool{}
	for queue := slices.Clone(names); len(queue) > 0; queue = queue[1:] {
		name := queue[0]
		if found[name] {
			continue
		}
		if _, ok := depends[name]; !ok {
			queue = append(queue, provided[name]...)
			if slices.Contains(names, name) {
				return nil, fmt.Errorf("the package %s is not installed", name)
			}
			continue
		}
		found[name] = true
		queue = append(queue, depends[name]...)
	}
	all := make([]string, 0, len(found))
	for name := range found {
		all = append(all, name)
	}
	slices.Sort(all)
	return all, nil
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

// Available reports what is missing for a guest on this host.
func available(qemu string) error {
	if os.Geteuid() != 0 {
		return fmt.Errorf("root, to build a root file system; a guest is the same for every user")
	}
	for _, name := range []string{qemu, "mke2fs", "depmod", "dpkg-query", "ldconfig", "musl-gcc", "busybox"} {
		if _, err := exec.LookPath(name); err != nil {
			return fmt.Errorf("%s: scripts/guest.sh installs it", name)
		}
	}
	return nil
}
