package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/audit"
	"ambit.dev/ambit/internal/core/capability"
	"ambit.dev/ambit/internal/core/decision"
	"ambit.dev/ambit/internal/core/grant"
	"ambit.dev/ambit/internal/enforce"
	"ambit.dev/ambit/internal/enforce/view"
	"ambit.dev/ambit/internal/inside"
)

// mayStart decides whether a program may be started in the session: as whether its
// own programs may start it. It answers the id of the decision, and the line of a
// denial.
//
// A command without a pack may start what it sees, and the person who gives this
// one is the one who gave that: it is granted as that was. What was denied stays
// so. A pack starts what it was granted to start, whoever asks.
func (c *control) mayStart(ctx context.Context, name, dir string, pid int) (id, line string, err error) {
	s := c.s
	path := s.pathInside(name, dir)
	want, err := capability.ForPath(capability.ProcessSpawn, path)
	if err != nil {
		return "", "", err
	}
	grants := func(ctx context.Context) ([]grant.Grant, error) {
		all, err := c.grants(ctx)
		if s.packDir == "" && !s.spec.Plan.Filter.NoSpawn {
			all = append(slices.Clone(all), s.forSession(want, grant.Allow, byFlag))
		}
		return all, err
	}
	r := decision.Request{ID: audit.NewID("d"), Subject: s.subject, Capability: want, Why: fmt.Sprintf("ambit exec, process %d", pid), CanAsk: c.asks != nil}
	d := s.gateOver(s.manifest, grants, tracedLog{s, orderedBy(ctx)}).Check(ctx, r)
	if d.Outcome == decision.Ask {
		touch := enforce.Touch{Kind: enforce.TouchRun, PID: pid, Program: "ambit exec", Call: "exec"}
		if !s.spec.Plan.Filter.AskSpawn {
			o, err := view.Resolve(path)
			if err != nil {
				return "", "", err
			}
			touch.Path, touch.Dev, touch.Ino, touch.Dir = o.Path, o.Dev, o.Ino, o.Dir
		}
		_, v := c.asks.put(ctx, touch) // which counts, and tells where the session was started
		d = v.d
		r.ID = d.Request
	}
	if d.Outcome == decision.Allow {
		c.tally.Allowed(capability.ProcessSpawn)
		return r.ID, "", nil
	}
	c.tally.Denied(capability.ProcessSpawn)
	return r.ID, s.refusalLine(r, d), nil
}

// pathInside is where a command lies: what is decided is decided about that. What
// is executed is found inside; where that is something else, the view and what the
// kernel was told of execution decide.
func (s *prepared) pathInside(name, dir string) string {
	path := name
	switch {
	case !strings.Contains(name, "/"):
		var err error
		if path, err = s.lookPath(name); err != nil {
			path = filepath.Join("/usr/bin", name) // a view of its own may have it
		}
	case !filepath.IsAbs(name):
		path = filepath.Join(dir, name)
	}
	path = filepath.Clean(path)
	if o, err := view.Resolve(path); err == nil {
		path = o.Path
	}
	return path
}

// environment is what a program that is started later begins with: what the first
// one did, and what was said.
func (c *control) environment(o order, dir string, terminal bool) (env []string) {
	said := []string{"PWD=" + dir}
	if terminal && o.Term != "" {
		said = append(said, "TERM="+o.Term)
	}
	said = append(said, o.Env...)
	name := func(kv string) string { n, _, _ := strings.Cut(kv, "="); return n }
	for _, kv := range c.s.spec.Plan.Program.Env {
		if !slices.ContainsFunc(said, func(k string) bool { return name(k) == name(kv) }) {
			env = append(env, kv)
		}
	}
	for i, kv := range said {
		if !slices.ContainsFunc(said[i+1:], func(k string) bool { return name(k) == name(kv) }) {
			env = append(env, kv)
		}
	}
	return env
}

// handed are the standard descriptors of a program.
type handed struct {
	files [3]*os.File
	slave *os.File // in the place of some; nil: there is none
}

func (h handed) close() {
	if h.slave != nil {
		_ = h.slave.Close() // the program has it
	}
}

// stdio puts the standard descriptors together: files that were handed over, and a
// terminal in the place of the others.
func (c *control) stdio(o order, files []*os.File) (h handed, master []*os.File, err error) {
	if slices.Contains(o.Terminals[:], true) {
		m, s, err := c.terminal()
		if err != nil {
			return h, nil, fmt.Errorf("make a terminal: %w", err)
		}
		h.slave, master = s, []*os.File{m}
	}
	for i := range h.files {
		switch {
		case o.Terminals[i]:
			h.files[i] = h.slave
		case len(files) == 0:
			h.close()
			closeAll(master)
			return h, nil, errors.New("a standard descriptor is missing")
		default:
			h.files[i], files = files[0], files[1:]
		}
	}
	return h, master, nil
}

// ptmx is the device of /dev/ptmx.
var ptmx = unix.Mkdev(5, 2)

// terminal makes a terminal, in the sandbox where that can be: then it has a name
// there.
//
// Security: what was opened inside is the kernel's device for terminals, or is not
// used. The other end comes from the descriptor, not by a path.
func (c *control) terminal() (master, slave *os.File, err error) {
	const flags = unix.O_RDWR | unix.O_NOCTTY
	if o, ok := c.inside.(enforce.Opener); ok {
		master, err = o.Open("/dev/ptmx", flags, 0)
	} else {
		master, err = os.OpenFile("/dev/ptmx", flags, 0)
	}
	if err != nil {
		return nil, nil, err
	}
	fd := int(master.Fd())
	var st unix.Stat_t
	if err = unix.Fstat(fd, &st); err == nil && (st.Mode&unix.S_IFMT != unix.S_IFCHR || st.Rdev != ptmx) {
		err = errors.New("/dev/ptmx is something else there")
	}
	if err == nil {
		err = unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0)
	}
	if err == nil {
		n, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.TIOCGPTPEER, flags|unix.O_CLOEXEC)
		if errno == 0 {
			return master, os.NewFile(n, "terminal"), nil
		}
		err = errno
	}
	return nil, nil, errors.Join(err, master.Close())
}

// open opens a path inside, for whoever copies.
func (c *control) open(ctx context.Context, w controlConn, pid int, o order) error {
	inside, ok := c.inside.(enforce.Opener)
	if !ok {
		return &enforce.CannotEnforce{Capability: "copying into and out of a session", Why: "the " + c.s.tier.name + " tier has no way to open its files"}
	}
	if len(o.Bytes) > 0 {
		o.Path = string(o.Bytes)
	}
	if err := c.recordOpen(ctx, pid, o); err != nil {
		return err
	}
	f, err := inside.Open(o.Path, o.Flags, o.Mode)
	if errno, ok := errors.AsType[unix.Errno](err); ok {
		return w.send(controlAnswer{Error: err.Error(), Errno: int(errno)})
	}
	if err != nil {
		return err
	}
	defer f.Close()
	return w.send(controlAnswer{Began: true, Most: c.mostOfFile()}, f)
}

// recordOpen records why a path is opened.
//
// Security: what is only looked at is not recorded, so nothing can be read or changed by
// the descriptor that comes of it: it stands for a path, or for a folder's names.
func (c *control) recordOpen(ctx context.Context, pid int, o order) error {
	b := audit.CopyBody{Path: audit.Text(cmp.Or(string(o.About), o.Path)), PID: pid}
	changes := o.Flags&(unix.O_WRONLY|unix.O_RDWR|unix.O_CREAT) != 0
	switch o.Deed {
	case inside.DeedLook:
		if changes || o.Flags&(unix.O_PATH|unix.O_DIRECTORY) == 0 {
			return errors.New("to look at something takes no more than its path, or its names")
		}
		return nil
	case inside.DeedCopy:
		b.In = changes
	case inside.DeedWrite:
		b.In = true
	case inside.DeedRemove, inside.DeedRemoveAll, inside.DeedMake:
		b.Deed = o.Deed
	default:
		return fmt.Errorf("this session does not know the deed %q: its ambit is another version", o.Deed)
	}
	return c.record(ctx, b)
}
