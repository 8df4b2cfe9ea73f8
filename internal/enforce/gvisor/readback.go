//go:build linux

package gvisor

import (
	"errors"
	"fmt"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/enforce"
	"ambit.dev/ambit/internal/enforce/cgroup"
	"ambit.dev/ambit/internal/enforce/gvisor/wire"
	"ambit.dev/ambit/internal/enforce/link"
)

// readBack asks the host's kernel what holds for the sandbox at its threshold. It
// looks at three processes from outside: the agent, the sentry, and the gofer,
// which opens files.
func readBack(agent int, p enforce.Plan, label string, group *cgroup.Group) (r enforce.Report, sentry, gofer int, err error) {
	r.Tier = label
	add := func(name, detail string, err error) {
		l := enforce.Layer{Name: name, Promised: true, Holds: err == nil, Detail: detail}
		if err != nil {
			l.Detail = err.Error()
		}
		r.Layers = append(r.Layers, l)
	}
	sentry, gofer, err = kernelOf(agent)
	if err != nil {
		return r, 0, 0, err
	}
	for name, file := range namespaceFile {
		if name != "user" || slices.Contains(p.Namespaces, name) {
			add(name+" namespace", "", otherNamespace(agent, file))
		}
	}
	slices.SortFunc(r.Layers, func(a, b enforce.Layer) int { return strings.Compare(a.Name, b.Name) })
	add("kernel", "its own, in user space, in namespaces and a root of its own", confined(sentry, agent))
	add("files", "opened by a filtered process in the view", errors.Join(confined(gofer, agent), filteredSoon(gofer, agent)))
	add("seccomp", "around its kernel: what no kernel of a sandbox needs, tried", says(agent, "Seccomp", "2"))
	add("view", fmt.Sprintf("%d entries", len(p.View)), viewHolds(agent, p.View))
	if p.Link == nil {
		add("network", "only its own loopback", onlyLoopback(agent))
	} else {
		add("network", "only its loopback and its link, by "+p.Link.Way(), onlyLink(agent, p.Link.Tun))
	}
	limit := enforce.Layer{Name: "limits", Promised: true, Holds: true, Detail: limitWords(p.Limits)}
	if group != nil {
		if err := group.Has(agent); err != nil {
			limit.Holds, limit.Detail = false, err.Error()
		}
	}
	r.Layers = append(r.Layers, limit,
		enforce.Layer{Name: "landlock", Detail: "not used: the program makes no system call of the host's"},
		enforce.Layer{Name: "denials", Detail: "what its own kernel refuses is not told"})
	return r, sentry, gofer, nil
}

func limitWords(l enforce.LimitPlan) string {
	if len(l.Cgroup) > 0 {
		return "control group, and resource limits by its own kernel"
	}
	return "resource limits by its own kernel"
}

var namespaceFile = map[string]string{"user": "user", "mount": "mnt", "pid": "pid", "net": "net", "ipc": "ipc", "uts": "uts", "cgroup": "cgroup"}

func otherNamespace(pid int, file string) error {
	var own, inside unix.Stat_t
	if err := unix.Stat("/proc/self/ns/"+file, &own); err != nil {
		return fmt.Errorf("look at the host's %s namespace: %w", file, err)
	}
	if err := unix.Stat(dirOf(pid)+"/ns/"+file, &inside); err != nil {
		return fmt.Errorf("look at its %s namespace: %w", file, err)
	}
	if own.Ino == inside.Ino {
		return fmt.Errorf("it is in the host's %s namespace", file)
	}
	return nil
}

func dirOf(pid int) string { return "/proc/" + strconv.Itoa(pid) }

// field is a line of a status file.
func field(text, name string) string {
	for line := range strings.Lines(text) {
		if key, value, ok := strings.Cut(line, ":"); ok && key == name {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// kernelOf finds the sentry and the gofer among the agent's children.
func kernelOf(agent int) (sentry, gofer int, err error) {
	tasks, err := os.ReadDir(dirOf(agent) + "/task")
	if err != nil {
		return 0, 0, fmt.Errorf("look for the sandbox's kernel: %w", err)
	}
	for _, t := range tasks {
		list, err := os.ReadFile(dirOf(agent) + "/task/" + t.Name() + "/children")
		if err != nil {
			continue // the thread has ended
		}
		for text := range strings.FieldsSeq(string(list)) {
			pid, _ := strconv.Atoi(text) // the kernel writes numbers
			line, err := os.ReadFile(dirOf(pid) + "/cmdline")
			if err != nil {
				continue // it has ended
			}
			switch name, _, _ := strings.Cut(string(line), "\x00"); name {
			case "runsc-sandbox":
				sentry = pid
			case "runsc-gofer":
				gofer = pid
			}
		}
	}
	if sentry == 0 || gofer == 0 {
		return 0, 0, errors.New("the sandbox's kernel is not among the agent's processes")
	}
	return sentry, gofer, nil
}

// filters is how many filters a process is under.
func filters(pid int) (int, error) {
	text, err := os.ReadFile(dirOf(pid) + "/status")
	if err != nil {
		return 0, err
	}
	n, err := strconv.Atoi(field(string(text), "Seccomp_filters"))
	if err != nil {
		return 0, errors.New("this kernel does not tell how many filters a process has")
	}
	return n, nil
}

// filtered: a process has a filter of its own beside the agent's.
func filtered(pid, agent int) error {
	outer, err := filters(agent)
	if err != nil {
		return err
	}
	own, err := filters(pid)
	if err == nil && own <= outer {
		err = errors.New("it has not entered its system call filter")
	}
	return err
}

// filteredSoon gives a process that has just begun a moment.
func filteredSoon(pid, agent int) error {
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		err := filtered(pid, agent)
		if err == nil || time.Now().After(end) {
			return err
		}
	}
}

// says looks at a line of a process's status.
func says(pid int, name, want string) error {
	text, err := os.ReadFile(dirOf(pid) + "/status")
	if err != nil {
		return err
	}
	if got := field(string(text), name); got != want {
		return fmt.Errorf("%s is %q, want %q", name, got, want)
	}
	return nil
}

// confined: no privilege can be gained, and mounts and processes are others than
// the agent's.
func confined(pid, agent int) error {
	if err := says(pid, "NoNewPrivs", "1"); err != nil {
		return err
	}
	for _, file := range []string{"mnt", "pid", "ipc", "uts"} {
		var its, outer unix.Stat_t
		if err := errors.Join(unix.Stat(dirOf(pid)+"/ns/"+file, &its), unix.Stat(dirOf(agent)+"/ns/"+file, &outer)); err != nil {
			return fmt.Errorf("look at its %s namespace: %w", file, err)
		}
		if its.Ino == outer.Ino {
			return fmt.Errorf("it is in the agent's %s namespace", file)
		}
	}
	return nil
}

func onlyLoopback(pid int) error {
	names, err := interfaces(pid)
	if err != nil {
		return err
	}
	for _, name := range names {
		return fmt.Errorf("it has the interface %s", name)
	}
	return nil
}

// onlyLink: the link and its other end, which the plane holds, and no more.
func onlyLink(pid int, tun bool) error {
	names, err := interfaces(pid)
	if err != nil {
		return err
	}
	want := []string{link.Guest, link.Plane}
	if tun {
		want = want[:1] // a device has no other end
	}
	for _, name := range names {
		if !slices.Contains(want, name) {
			return fmt.Errorf("it has the interface %s", name)
		}
	}
	if len(names) != len(want) {
		return errors.New("its link is not there")
	}
	return nil
}

// interfaces are those of a network namespace, but loopback and the tunnels that
// the kernel makes in each new one, which are down.
func interfaces(pid int) (names []string, err error) {
	dev, err := os.ReadFile(dirOf(pid) + "/net/dev")
	if err != nil {
		return nil, err
	}
	routes, err := os.ReadFile(dirOf(pid) + "/net/route")
	if err != nil {
		return nil, err
	}
	six, _ := os.ReadFile(dirOf(pid) + "/net/if_inet6") // a host may have no IPv6
	up := append(strings.Fields(string(routes)), strings.Fields(string(six))...)
	for line := range strings.Lines(string(dev)) {
		name, _, ok := strings.Cut(line, ":")
		name = strings.TrimSpace(name)
		if ok && name != "lo" && (slices.Contains(up, name) || name == link.Guest || name == link.Plane) {
			names = append(names, name)
		}
	}
	return names, nil
}

// viewHolds compares the outer mounts with the plan: every mount of the view is
// there with its rights, and no other mount of the host's lies anywhere but in
// what was granted.
func viewHolds(agent int, view []enforce.Entry) error {
	text, err := os.ReadFile(dirOf(agent) + "/mountinfo")
	if err != nil {
		return err
	}
	wanted := map[string]enforce.Entry{"/": {Op: enforce.OpTmpfs, Exec: true}}
	if len(view) > 0 && view[0].Op == enforce.OpTrap {
		wanted["/"] = view[0]
	}
	for _, e := range onHost(view) {
		switch e.Op {
		case enforce.OpBind, enforce.OpTmpfs, enforce.OpMask, enforce.OpOverlay, enforce.OpAppend:
			wanted[e.Path] = e
		case enforce.OpDir, enforce.OpFile, enforce.OpLink, enforce.OpProc, enforce.OpDevpts, enforce.OpTrap, enforce.OpStored, enforce.OpBounded: // no mounts of ours
		}
	}
	last := map[string]mountpoint{}
	for line := range strings.Lines(string(text)) {
		f := strings.SplitN(line, " ", 7)
		if len(f) < 7 {
			return fmt.Errorf("mountinfo has the line %q", line)
		}
		at := enforce.Unescape(f[4])
		if !within(at, wire.View) {
			if !slices.Contains([]string{"/", "/proc", "/dev/null"}, at) {
				return fmt.Errorf("something is mounted at %q, outside of the view", at)
			}
			continue
		}
		_, kind, _ := strings.Cut(f[6], "- ")
		kind, _, _ = strings.Cut(kind, " ")
		last[path.Join("/", strings.TrimPrefix(at, wire.View))] = mountpoint{f[5], kind}
	}
	for p, e := range wanted {
		m, ok := last[p]
		if !ok {
			return fmt.Errorf("nothing is mounted at %q", p)
		}
		if err := m.holds(p, e); err != nil {
			return err
		}
	}
	for p := range last {
		if err := expected(p, wanted, last); err != nil {
			return err
		}
	}
	return nil
}

// expected: a mount that is not the plan's came along with a grant's tree, and
// has no more rights than the grant.
func expected(p string, wanted map[string]enforce.Entry, last map[string]mountpoint) error {
	if _, ok := wanted[p]; ok {
		return nil
	}
	for d := path.Dir(p); ; d = path.Dir(d) {
		if e, ok := wanted[d]; ok && e.Op == enforce.OpBind {
			return last[p].holds(p, e)
		} else if ok || d == "/" {
			return fmt.Errorf("something is mounted at %q", p)
		}
	}
}

// A mountpoint is a line of mountinfo.
type mountpoint struct{ options, kind string }

// holds compares a mount's options with what its entry permits.
func (m mountpoint) holds(p string, e enforce.Entry) error {
	if e.Op == enforce.OpOverlay && m.kind != "overlay" {
		return fmt.Errorf("changes at %q would reach the host", p)
	}
	if e.Op == enforce.OpTrap && m.kind != "fuse" {
		return errors.New("nobody would be asked about what the view has not")
	}
	if e.Op == enforce.OpAppend && m.kind != "fuse" {
		return fmt.Errorf("what lies at %q could be changed, not only appended to", p)
	}
	has := strings.Split(m.options, ",")
	for _, o := range []struct {
		name string
		want bool
	}{{"ro", !e.Write || e.Op == enforce.OpMask}, {"nosuid", true}, {"nodev", true}, {"noexec", !e.Exec}} {
		if o.want && !slices.Contains(has, o.name) {
			return fmt.Errorf("the mount at %q is not %s", p, o.name)
		}
	}
	return nil
}
