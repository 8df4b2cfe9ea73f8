package cgroup

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/enforce"
)

// Facts are what the host offers to this process.
type Facts struct {
	Unified Hierarchy            // version 2; Mount is empty where there is none
	Legacy  map[string]Hierarchy // version 1, by controller: memory, pids, cpu
}

// A Hierarchy is one mounted tree of cgroups, as seen from our own place in it.
type Hierarchy struct {
	Mount       string
	Own         string   // directory of our own cgroup, beneath Mount; of the one above where a launcher stepped aside
	Controllers []string // that our own cgroup may hand down
	Writable    bool     // a child of our own cgroup can be made, and we can move into it
	Why         string   // why not
	Top         []string // controllers of version 2 that root may hand down at the top, where our own cgroup has them not
}

// Hybrid reports whether both versions are mounted.
func (f Facts) Hybrid() bool { return f.Unified.Mount != "" && len(f.Legacy) > 0 }

// Find reads what the host offers. It changes nothing. Absent cgroups are a
// fact, not an error.
func Find() (Facts, error) {
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return Facts{}, fmt.Errorf("find cgroups: %w", err)
	}
	own, err := os.ReadFile("/proc/self/cgroup")
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return Facts{}, fmt.Errorf("find cgroups: %w", err)
	}
	return find(string(mounts), string(own)), nil
}

func find(mountinfo, own string) Facts {
	f := Facts{Legacy: map[string]Hierarchy{}}
	places := parseOwn(own)
	for _, m := range parseMounts(mountinfo) {
		if m.unified {
			if f.Unified.Mount == "" {
				f.Unified = m.hierarchy(places[""])
				f.Unified.lookUnified()
			}
			continue
		}
		for _, c := range []string{memory, pids, cpu} {
			if _, have := f.Legacy[c]; !have && slices.Contains(m.options, c) {
				h := m.hierarchy(places[c])
				h.Controllers = []string{c}
				h.lookWritable("cgroup.procs")
				f.Legacy[c] = h
			}
		}
	}
	return f
}

// A mount is one cgroup line of mountinfo.
type mount struct {
	root, point string
	unified     bool
	options     []string // of the file system: controllers, in version 1
}

// parseMounts reads the lines of proc(5), mountinfo:
//
//	36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue
func parseMounts(text string) (mounts []mount) {
	for line := range strings.Lines(text) {
		left, right, ok := strings.Cut(strings.TrimSpace(line), " - ")
		l, r := strings.Fields(left), strings.Fields(right)
		if !ok || len(l) < 6 || len(r) < 3 || r[0] != "cgroup" && r[0] != "cgroup2" {
			continue
		}
		mounts = append(mounts, mount{
			root: enforce.Unescape(l[3]), point: enforce.Unescape(l[4]),
			unified: r[0] == "cgroup2", options: strings.Split(r[2], ","),
		})
	}
	return mounts
}

// parseOwn returns our place in each hierarchy by controller; that of version
// 2 has no controller and is under "".
func parseOwn(text string) map[string]string {
	places := map[string]string{}
	for line := range strings.Lines(text) {
		parts := strings.SplitN(strings.TrimSuffix(line, "\n"), ":", 3)
		if len(parts) != 3 {
			continue
		}
		if id, err := strconv.Atoi(parts[0]); err != nil || parts[1] == "" && id != 0 {
			continue
		}
		for c := range strings.SplitSeq(parts[1], ",") {
			places[c] = parts[2]
		}
	}
	return places
}

// hierarchy finds our own directory. The place is relative to our cgroup
// namespace, and so is the root of the mount.
func (m mount) hierarchy(place string) Hierarchy {
	h := Hierarchy{Mount: m.point}
	rel, err := filepath.Rel(m.root, place)
	switch {
	case place == "":
		h.Why = "this process has no place in it"
	case err != nil || !filepath.IsLocal(rel):
		h.Why = fmt.Sprintf("our own cgroup %q is not beneath what is mounted, %q", place, m.root)
	default:
		h.Own = filepath.Join(m.point, rel)
	}
	return h
}

func (h *Hierarchy) lookUnified() {
	if h.Own == "" {
		return
	}
	// A launcher that stepped aside, and all that it started, divides the
	// cgroup that it stepped aside in.
	if strings.HasPrefix(filepath.Base(h.Own), prefix+launcherName+".") { //nolint:forbidigo // one name, not a path
		h.Own = filepath.Dir(h.Own)
	}
	defer h.lookTop()
	text, err := os.ReadFile(filepath.Join(h.Own, "cgroup.controllers"))
	if err != nil {
		h.Why = reason(err)
		return
	}
	h.Controllers = strings.Fields(string(text))
	h.lookWritable("cgroup.procs", "cgroup.subtree_control")
	if _, err := occupied(h.Own, os.Getpid()); h.Writable && err != nil {
		h.Writable, h.Why = false, err.Error()
	}
}

// lookTop finds what root may do at the top of the hierarchy. It belongs to the
// host's init, which has its own cgroups there and leaves others alone.
func (h *Hierarchy) lookTop() {
	if os.Geteuid() != 0 || h.Mount == h.Own {
		return
	}
	top := Hierarchy{Own: h.Mount}
	top.lookWritable("cgroup.procs", "cgroup.subtree_control")
	text, err := os.ReadFile(filepath.Join(h.Mount, "cgroup.controllers"))
	if err != nil || !top.Writable {
		return
	}
	if _, err := occupied(h.Mount, 0); err == nil { // else it is a container's, which is no top
		h.Top = strings.Fields(string(text))
	}
}

// lookWritable asks whether the directory and the named files in it can be
// written. A later attempt decides; this is to have a reason at hand.
func (h *Hierarchy) lookWritable(files ...string) {
	if h.Own == "" {
		return
	}
	for _, name := range append(files, ".") {
		if err := unix.Faccessat(unix.AT_FDCWD, filepath.Join(h.Own, name), unix.W_OK, unix.AT_EACCESS); err != nil {
			h.Why = fmt.Sprintf("no right to divide %s: %v", h.Own, err)
			return
		}
	}
	h.Writable = true
}

// reason is err without the paths that repeat themselves.
func reason(err error) string {
	if path, ok := errors.AsType[*fs.PathError](err); ok {
		return fmt.Sprintf("%s: %v", path.Path, path.Err)
	}
	return err.Error()
}

// place says where a controller's limits can be set.
func (f Facts) place(controller string) (h Hierarchy, unified bool, why string) {
	u := f.Unified
	if u.Writable && slices.Contains(u.Controllers, controller) || slices.Contains(u.Top, controller) {
		return u, true, ""
	}
	l, legacy := f.Legacy[controller]
	switch {
	case legacy && l.Writable:
		return l, false, ""
	case legacy:
		return l, false, l.Why
	case u.Mount == "":
		return u, false, "no hierarchy is mounted"
	case u.Why != "":
		return u, false, u.Why
	default:
		return u, false, fmt.Sprintf("%s does not have the controller", u.Own)
	}
}
