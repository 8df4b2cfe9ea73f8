//go:build linux

package process

import (
	"bytes"
	"errors"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/enforce"
	"ambit.dev/ambit/internal/enforce/cgroup"
	"ambit.dev/ambit/internal/enforce/link"
)

// readBack asks the kernel what holds for the process at the threshold and
// compares it with the plan; outside are the launcher's namespaces. What cannot be asked (Landlock, the filter's
// table) was tried by the process itself, which would not be there otherwise.
func readBack(pid int, p enforce.Plan, outside map[string]string, group *cgroup.Group, hears bool) (enforce.Report, error) {
	r := enforce.Report{Tier: p.Tier}
	dir := "/proc/" + strconv.Itoa(pid)
	add := func(name string, detail string, err error) {
		l := enforce.Layer{Name: name, Promised: true, Holds: err == nil, Detail: detail}
		if err != nil {
			l.Detail = err.Error()
		}
		r.Layers = append(r.Layers, l)
	}
	if err := otherNamespaces(dir, p.Namespaces, outside, add); err != nil {
		return r, err
	}
	status, err := readStatus(dir)
	if err != nil {
		return r, err
	}
	add("view", fmt.Sprintf("%d entries", len(p.View)), viewHolds(dir, p.View))
	add("landlock", landlockWords(p.Landlock), nil)
	r.Layers[len(r.Layers)-1].Weaker = len(p.Landlock.Weaker) > 0
	add("seccomp", "filter, tried", status.want("Seccomp", "2"))
	add("no_new_privs", "", status.want("NoNewPrivs", "1"))
	add("capabilities", "none", status.noCapabilities())
	switch {
	case p.Link == nil:
		add("network", "only its own loopback", onlyLoopback(dir))
	case p.Link.Late:
		add("network", "only its own loopback, until its first socket has a link made, by "+p.Link.Way(), onlyLoopback(dir))
	default:
		add("network", "only its loopback and its link, by "+p.Link.Way(), onlyLink(dir, p.Link.Tun))
	}
	add("descriptors", "0, 1, 2", onlyStandard(dir))
	if p.Asks() {
		way, err := asks(dir, p, hears)
		add("asking", way, err)
	}
	limit := enforce.Layer{Name: "limits", Promised: true, Detail: limitWords(p.Limits), Weaker: len(p.Limits.Weaker) > 0}
	if err := limitsHold(pid, p, group); err != nil {
		limit.Detail = err.Error()
	} else {
		limit.Holds = true
	}
	r.Layers = append(r.Layers, limit)
	return r, nil
}

// asks looks for what hears of first touches: the file system at the view's root,
// or the listener of the filter.
func asks(dir string, p enforce.Plan, hears bool) (way string, err error) {
	if !hears {
		return "", errors.New("nobody listens to the filter")
	}
	if !p.Trapped() {
		return "by notification, slower than by a trap", nil
	}
	kind, err := rootKind(dir)
	if err == nil && kind != "fuse" {
		err = fmt.Errorf("the view's root is %s, and no trap", kind)
	}
	return "by a trap", err
}

// rootKind is the type of the file system at the view's root.
func rootKind(dir string) (string, error) {
	text, err := read(dir + "/mountinfo")
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(string(text)) {
		mount, kind, _ := strings.Cut(line, " - ")
		if f := strings.Fields(mount); len(f) > 4 && f[4] == "/" {
			kind, _, _ = strings.Cut(kind, " ")
			return kind, nil
		}
	}
	return "", errors.New("mountinfo has no root")
}

func landlockWords(l enforce.Landlock) string {
	words := fmt.Sprintf("version %d, tried", l.ABI)
	if len(l.Weaker) > 0 {
		words += ", and does not cover " + strings.Join(l.Weaker, ", ")
	}
	return words
}

func limitWords(l enforce.LimitPlan) string {
	switch {
	case len(l.Weaker) > 0:
		return "no control group here: " + strings.Join(l.Weaker, ", ") + " bounded by process only"
	case len(l.Cgroup) > 0:
		return "control group and resource limits"
	}
	return "resource limits"
}

var namespaceFile = map[string]string{"user": "user", "mount": "mnt", "pid": "pid", "net": "net", "ipc": "ipc", "uts": "uts", "cgroup": "cgroup"}

// ownNamespaces are the names that the kernel has for this process's namespaces, such
// as mnt:[4026531841], by the names of a plan. One that cannot be told is missing.
func ownNamespaces() map[string]string {
	own := make(map[string]string, len(namespaceFile))
	for name, file := range namespaceFile {
		own[name], _ = namespaceOf(unix.AT_FDCWD, "/proc/self/ns/"+file) // "" is none
	}
	return own
}

// namespaceOf reads what a link in /proc/PID/ns says. Nothing is opened for it: to look
// at what it leads to, the kernel makes an inode, in ten times the time.
func namespaceOf(dir int, link string) (string, error) {
	var text [64]byte
	n, err := unix.Readlinkat(dir, link, text[:])
	if err != nil {
		return "", err
	}
	return string(text[:n]), nil
}

func otherNamespaces(dir string, names []string, outside map[string]string, add func(name, detail string, err error)) error {
	ns, err := unix.Open(dir+"/ns", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("look at its namespaces: %w", err)
	}
	defer unix.Close(ns) //nolint:errcheck // nothing was written
	for _, name := range names {
		add(name+" namespace", "", otherNamespace(ns, name, outside[name]))
	}
	return nil
}

// otherNamespace reports whether a process is in another namespace than the launcher.
//
// Security: the name of a namespace has its number, which no other one has while either
// lives; whoever may not look at a process reads nothing.
func otherNamespace(ns int, name, outside string) error {
	inside, err := namespaceOf(ns, namespaceFile[name])
	switch {
	case err != nil:
		return fmt.Errorf("look at its %s namespace: %w", name, err)
	case inside == "":
		return fmt.Errorf("its %s namespace has no name", name)
	case outside == "":
		return fmt.Errorf("the host's %s namespace cannot be looked at", name)
	case inside == outside:
		return fmt.Errorf("it is in the host's %s namespace", name)
	}
	return nil
}

// read reads a file of /proc with as few calls as it takes: this is on the way
// of every start.
func read(path string) ([]byte, error) {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	defer unix.Close(fd) //nolint:errcheck // nothing was written
	text := make([]byte, 0, 8192)
	for {
		if len(text) == cap(text) {
			text = slices.Grow(text, cap(text))
		}
		n, err := unix.Read(fd, text[len(text):cap(text)])
		switch {
		case errors.Is(err, unix.EINTR):
		case err != nil:
			return nil, fmt.Errorf("read %s: %w", path, err)
		case n == 0:
			return text, nil
		default:
			text = text[:len(text)+n]
		}
	}
}

// status is what is wanted of /proc/PID/status: what every look wants, and more.
type status map[string]string

var (
	capabilitySets = []string{"CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"}
	statusWanted   = append([]string{"Seccomp", "NoNewPrivs"}, capabilitySets...)
)

func readStatus(dir string, more ...string) (status, error) {
	text, err := read(dir + "/status")
	if err != nil {
		return nil, err
	}
	s := make(status, 8)
	for line := range strings.Lines(string(text)) {
		if name, value, ok := strings.Cut(line, ":"); ok && (slices.Contains(statusWanted, name) || slices.Contains(more, name)) {
			s[name] = strings.TrimSpace(value)
		}
	}
	return s, nil
}

func (s status) want(name, value string) error {
	if s[name] != value {
		return fmt.Errorf("%s is %q, want %q", name, s[name], value)
	}
	return nil
}

func (s status) noCapabilities() error {
	for _, set := range capabilitySets {
		if err := s.want(set, "0000000000000000"); err != nil {
			return err
		}
	}
	return nil
}

func onlyLoopback(dir string) error {
	text, err := read(dir + "/net/dev")
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(text)) {
		if name, _, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) != "lo" {
			// Tunnels that the kernel makes in each new namespace have no way out.
			if up, err := linkIsUp(dir, strings.TrimSpace(name)); err != nil || up {
				return fmt.Errorf("it has the interface %s", strings.TrimSpace(name))
			}
		}
	}
	return nil
}

// onlyLink: the link and its other end, which the plane holds, and no more.
func onlyLink(dir string, tun bool) error {
	text, err := read(dir + "/net/dev")
	if err != nil {
		return err
	}
	found, want := 0, 2
	if tun {
		want = 1 // a device has no other end
	}
	for line := range strings.Lines(string(text)) {
		name, _, ok := strings.Cut(line, ":")
		switch name = strings.TrimSpace(name); {
		case !ok || name == "lo":
		case name == link.Guest || name == link.Plane && !tun:
			found++
		default:
			if up, err := linkIsUp(dir, name); err != nil || up {
				return fmt.Errorf("it has the interface %s", name)
			}
		}
	}
	if found != want {
		return errors.New("its link is not there")
	}
	return nil
}

// linkIsUp looks for addresses of an interface: one that is down has none.
func linkIsUp(dir, name string) (bool, error) {
	text, err := read(dir + "/net/if_inet6")
	if err != nil {
		return false, err
	}
	routes, err := read(dir + "/net/route")
	if err != nil {
		return false, err
	}
	return slices.Contains(strings.Fields(string(text)), name) || slices.Contains(strings.Fields(string(routes)), name), nil
}

// onlyStandard looks again for a moment: the clone returns when the process has
// given up our memory, in execve, and the kernel closes what is to be closed
// there a little later (fs/exec.c, begin_new_exec).
func onlyStandard(dir string) error {
	for end := time.Now().Add(time.Second); ; time.Sleep(time.Millisecond) {
		err := onlyStandardNow(dir)
		if !errors.Is(err, errOpen) || time.Now().After(end) {
			return err
		}
	}
}

var errOpen = errors.New("is open")

func onlyStandardNow(dir string) error {
	fd, err := unix.Open(dir+"/fd", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("read %s/fd: %w", dir, err)
	}
	defer unix.Close(fd) //nolint:errcheck // nothing was written
	buf := make([]byte, 4096)
	for {
		n, err := unix.ReadDirent(fd, buf)
		if err != nil {
			return fmt.Errorf("read %s/fd: %w", dir, err)
		}
		if n <= 0 {
			return nil
		}
		_, _, names := unix.ParseDirent(buf[:n], -1, nil)
		for _, name := range names {
			if !slices.Contains([]string{"0", "1", "2", "3"}, name) { // 3: init's line, closed before the program runs
				return fmt.Errorf("descriptor %s %w", name, errOpen)
			}
		}
	}
}

func limitsHold(pid int, p enforce.Plan, group *cgroup.Group) error {
	for _, want := range resourceLimits(p.Limits) {
		var got unix.Rlimit
		if err := unix.Prlimit(pid, want.resource, nil, &got); err != nil {
			return fmt.Errorf("read the limit of %s: %w", want.name, err)
		}
		if got.Cur != want.soft || got.Max != want.hard {
			return fmt.Errorf("the limit of %s is %d, want %d", want.name, got.Cur, want.soft)
		}
	}
	if group == nil {
		return nil
	}
	return group.Has(pid)
}

// mountpoint is a line of mountinfo, see proc_pid_mountinfo(5).
type mountpoint struct {
	path, options string
	kind          string // of the file system
}

// viewHolds compares the mounts with the plan: every mount of the plan is
// there with its rights, and no other mount lies outside of what was granted.
func viewHolds(dir string, view []enforce.Entry) error {
	text, err := read(dir + "/mountinfo")
	if err != nil {
		return err
	}
	count := bytes.Count(text, []byte("\n"))
	last, paths := make(map[string]mountpoint, count), make([]string, 0, count)
	for line := range strings.Lines(string(text)) {
		f := strings.SplitN(line, " ", 7) // other spaces stand in names as they are
		if len(f) < 6 {
			return fmt.Errorf("mountinfo has the line %q", line)
		}
		_, kind, _ := strings.Cut(line, " - ")
		kind, _, _ = strings.Cut(kind, " ")
		m := mountpoint{enforce.Unescape(f[4]), f[5], kind}
		last[m.path] = m
		paths = append(paths, m.path)
	}
	wanted := make(map[string]*enforce.Entry, len(view)+1)
	wanted["/"] = &enforce.Entry{Op: enforce.OpTmpfs, Path: "/", Exec: true}
	for i := range view {
		e := &view[i]
		switch e.Op {
		case enforce.OpBind, enforce.OpTmpfs, enforce.OpProc, enforce.OpDevpts, enforce.OpMask, enforce.OpTrap, enforce.OpOverlay, enforce.OpAppend, enforce.OpBounded, enforce.OpStored:
			wanted[e.Path] = e
		case enforce.OpDir, enforce.OpFile, enforce.OpLink: // no mounts
		}
	}
	for p, e := range wanted {
		m, ok := last[p]
		if !ok {
			return fmt.Errorf("nothing is mounted at %q", p)
		}
		if err := m.holds(*e); err != nil {
			return err
		}
	}
	for _, p := range paths {
		if err := expected(p, wanted, last); err != nil {
			return err
		}
	}
	return nil
}

// expected: a mount that is not the plan's came along with a grant's tree, and
// has no more rights than the grant.
func expected(p string, wanted map[string]*enforce.Entry, last map[string]mountpoint) error {
	if _, ok := wanted[p]; ok {
		return nil
	}
	for d := path.Dir(p); ; d = path.Dir(d) {
		if e, ok := wanted[d]; ok {
			if e.Op != enforce.OpBind {
				return fmt.Errorf("something is mounted at %q", p)
			}
			return last[p].holds(*e)
		}
		if d == "/" {
			return fmt.Errorf("something is mounted at %q", p)
		}
	}
}

// holds compares a mount's options with what its entry permits.
func (m mountpoint) holds(e enforce.Entry) error {
	if e.Op == enforce.OpOverlay && m.kind != "overlay" {
		return fmt.Errorf("changes at %q would reach the host", m.path)
	}
	if e.Op == enforce.OpStored && m.kind != "fuse" {
		return fmt.Errorf("what lies at %q would not outlive the session", m.path)
	}
	if e.Op == enforce.OpAppend && m.kind != "fuse" {
		return fmt.Errorf("what lies at %q could be changed, not only appended to", m.path)
	}
	if e.Op == enforce.OpBounded && m.kind != "fuse" {
		return fmt.Errorf("what is written to %q would not be counted", m.path)
	}
	options := strings.Split(m.options, ",")
	for _, o := range []struct {
		name string
		want bool
	}{{"ro", !e.Write || e.Op == enforce.OpMask}, {"nosuid", true}, {"nodev", !e.Device && e.Op != enforce.OpDevpts}, {"noexec", !e.Exec}} {
		if o.want && !slices.Contains(options, o.name) {
			return fmt.Errorf("the mount at %q is not %s", m.path, o.name)
		}
	}
	return nil
}
