package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/core/capability"
	"ambit.dev/ambit/internal/enforce"
	"ambit.dev/ambit/internal/enforce/cgroup"
	"ambit.dev/ambit/internal/enforce/landlock"
	"ambit.dev/ambit/internal/enforce/view"
	"ambit.dev/ambit/internal/session"
	"ambit.dev/ambit/internal/store"
)

// facts reads what a launch needs to know of this host. What it promises is
// tried when it is applied; `ambit doctor` looks deeper.
func facts(w view.Who, l enforce.Limits) enforce.Facts {
	f := enforce.Facts{UID: w.UID, GID: w.GID}
	f.LandlockABI, _ = landlock.ABI() // 0 where there is none, and Compile refuses
	if text, err := os.ReadFile("/proc/sys/user/max_user_namespaces"); err == nil {
		n, err := strconv.Atoi(strings.TrimSpace(string(text)))
		f.UserNamespace = err == nil && n > 0
	}
	f.PIDMax = release() >= 6_14
	if l.Memory == 0 && l.PIDs == 0 && l.CPU == 0 && (f.PIDMax || w.UID != 0) {
		return f // no control group is needed
	}
	if g, err := cgroup.Find(); err == nil {
		for _, name := range []string{"memory", "pids", "cpu"} {
			if _, ok := g.Offers(name); ok {
				f.Cgroup = append(f.Cgroup, name)
			}
		}
	}
	return f
}

// release is the kernel's version as a number: 6.14 is 614.
func release() int {
	var u unix.Utsname
	var major, minor int
	if err := unix.Uname(&u); err != nil {
		return 0
	}
	if _, err := fmt.Sscanf(unix.ByteSliceToString(u.Release[:]), "%d.%d", &major, &minor); err != nil {
		return 0
	}
	return major*100 + minor
}

// objects finds what the path capabilities of the plan reach.
func (s *prepared) objects(in *enforce.Input) error {
	for _, c := range in.Effective {
		if err := s.object(in, c); err != nil {
			return err
		}
	}
	for _, c := range in.Masked {
		if err := s.hidden(in, c); err != nil {
			return err
		}
	}
	for _, v := range s.volumes {
		in.Volumes = append(in.Volumes, v.shown)
	}
	return nil
}

var errNothingThere = errors.New("there is nothing at that path")

// object finds what one capability of the effective set reaches. It is looked
// for under the name that was written, so that the links on the way are shown,
// and has to be what that name led to when it was granted.
func (s *prepared) object(in *enforce.Input, c capability.Capability) error {
	named := c
	if as, ok := s.spelled[c]; ok {
		named = as
	}
	pattern, ok := named.Pattern()
	if !ok {
		return nil
	}
	path, literal := pattern.Literal()
	var found []enforce.Object
	var err error
	switch {
	case literal && c.Kind() == capability.ProcessSpawn:
		found, err = s.spawned(path)
	case literal:
		found, err = one(path)
	default:
		found, err = view.Expand(pattern, pattern.Root())
	}
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s was granted, but %w; create it first, or grant the directory above", c.Display(), errNothingThere)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", c.Display(), err)
	}
	settled, _ := c.Pattern()
	granted := found
	if literal {
		granted = found[:1] // behind it stand what a program needs to start
	}
	for _, o := range granted {
		if !settled.MatchExact(o.Path) {
			return fmt.Errorf("%s now leads to %s, which was not granted", c.Display(), capability.Printable(o.Path))
		}
	}
	in.Objects[c.String()] = found
	return nil
}

// spawned finds what a scope of process.spawn names: a program with what starts
// it, or a directory of programs.
func (s *prepared) spawned(path string) ([]enforce.Object, error) {
	o, err := view.Resolve(path)
	if err != nil || o.Dir {
		return []enforce.Object{o}, err
	}
	return view.Executables(path, s.lookPath)
}

func one(path string) ([]enforce.Object, error) {
	o, err := view.Resolve(path)
	return []enforce.Object{o}, err
}

// hidden finds what a denial hides: its object, or the matches of its glob
// beneath each directory that the plan shows.
func (s *prepared) hidden(in *enforce.Input, c capability.Capability) error {
	named := c
	if as, ok := s.spelled[c]; ok {
		named = as // with the links on the way, which Compile looks at
	}
	pattern, ok := named.Pattern()
	if !ok {
		return nil
	}
	var found []enforce.Object
	var err error
	if path, literal := pattern.Literal(); literal {
		if found, err = one(path); errors.Is(err, fs.ErrNotExist) {
			found, err = nil, nil // Compile refuses where that matters
		}
	} else {
		found, err = s.hiddenMatches(in, pattern)
	}
	if err != nil {
		return fmt.Errorf("the denial of %s: %w", c.Display(), err)
	}
	in.Objects[c.String()] = found
	return nil
}

func (s *prepared) hiddenMatches(in *enforce.Input, pattern capability.Pattern) (found []enforce.Object, err error) {
	for _, c := range in.Effective {
		for _, o := range in.Objects[c.String()] {
			root := pattern.Root()
			if under(o.Path, root) {
				root = o.Path
			} else if !under(root, o.Path) {
				continue
			}
			matches, err := view.Expand(pattern, root)
			if err != nil {
				return nil, err
			}
			found = append(found, matches...)
		}
	}
	return found, nil
}

// under reports whether p is dir or beneath it.
func under(p, dir string) bool {
	rel, err := filepath.Rel(dir, p)
	return err == nil && filepath.IsLocal(rel)
}

// home decides what the program has for a home directory.
func (s *prepared) home(in *enforce.Input) error {
	text := s.flags.home
	if text == "" {
		text = s.manifest.Home
	}
	if in.Home = enforce.Home(text); text == "" {
		in.Home = enforce.HomeEphemeral
	}
	if o, err := view.Resolve(s.base.Home); err == nil {
		in.HomePath, in.Base.Links = o.Path, append(in.Base.Links, o.Links...)
	}
	switch in.Home {
	case enforce.HomeNone:
		in.HomePath = ""
	case enforce.HomeEphemeral:
	case enforce.HomePrivate:
		return s.privateHome(in)
	default:
		return fmt.Errorf("--home %q: want none, ephemeral or private", text)
	}
	return nil
}

// privateHomePath is where a pack sees the home that it keeps.
const privateHomePath = "/home/pack"

// privateHome is a directory of the state that the pack keeps.
func (s *prepared) privateHome(in *enforce.Input) error {
	name := s.subject.Pack
	if name == "" {
		return errors.New("--home private is kept for a pack; this run has none")
	}
	dir, err := s.app.state()
	if err != nil {
		return err
	}
	// Escaped, so that the home of one pack is never a folder in another's.
	dir = filepath.Join(dir, "homes", url.PathEscape(name))
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("make the private home: %w", err)
	}
	o, err := view.Resolve(dir)
	// Not at the person's own home: what is granted beneath that one would need
	// mount points in the folder that the pack keeps.
	in.PrivateHome, in.HomePath = &o, privateHomePath
	return err
}

// workDir is the person's working directory where the view has it, the pack's
// folder for a pack, else the home.
func (s *prepared) workDir(in enforce.Input) string {
	switch {
	case s.packDir != "":
		return s.packDir
	case s.shows(s.base.Dir):
		return s.base.Dir
	case in.HomePath != "":
		return in.HomePath
	}
	return "/"
}

// limits reads the manifest's bounds and then the flags'.
func (s *prepared) limits() (enforce.Limits, error) {
	var l enforce.Limits
	for name, value := range s.manifest.Limits {
		if err := setLimit(&l, name, value); err != nil {
			return l, fmt.Errorf("manifest: %w", err)
		}
	}
	for _, text := range s.flags.limits {
		name, value, ok := strings.Cut(text, "=")
		if !ok {
			return l, fmt.Errorf("--limit %s: want NAME=VALUE", capability.Printable(text))
		}
		if err := setLimit(&l, name, value); err != nil {
			return l, err
		}
	}
	return l, nil
}

// minFDs are the three standard descriptors and the one by which init is let go.
const minFDs = 4

func setLimit(l *enforce.Limits, name, value string) (err error) {
	switch name {
	case "memory":
		l.Memory, err = parseSize(value)
	case "disk":
		l.Disk, err = parseSize(value)
	case "pids":
		l.PIDs, err = parseCount(value)
	case "fds":
		if l.FDs, err = parseCount(value); err == nil && l.FDs < minFDs {
			err = fmt.Errorf("want %d or more, which the start itself needs", minFDs)
		}
	case "cpu":
		var cores float64
		if cores, err = strconv.ParseFloat(value, 64); err == nil && !(cores >= 0.01 && cores <= 4096) { // also not NaN
			err = errors.New("want cores, as in 1.5")
		}
		l.CPU = int64(cores * 1000)
	case "wall":
		if l.Wall, err = time.ParseDuration(value); err == nil && l.Wall <= 0 {
			err = errors.New("want a time, as in 30s or 5m")
		}
	default:
		return fmt.Errorf("limit %s: there are memory, pids, cpu, wall, disk and fds", capability.Printable(name))
	}
	if err != nil {
		return fmt.Errorf("limit %s=%s: %w", name, capability.Printable(value), err)
	}
	return nil
}

// parseSize reads bytes with an optional K, M, G or T (powers of 1024).
func parseSize(text string) (int64, error) {
	shift, digits := 0, text
	if i := strings.IndexByte("KMGT", lastByte(text)); i >= 0 {
		shift, digits = 10*(i+1), text[:len(text)-1]
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || n <= 0 || n > 1<<62>>shift {
		return 0, errors.New("want a size, as in 512M or 2G")
	}
	return n << shift, nil
}

func lastByte(s string) byte {
	if s == "" {
		return 0
	}
	return s[len(s)-1]
}

func parseCount(text string) (int64, error) {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n <= 0 || n > 1<<30 {
		return 0, errors.New("want a number above 0")
	}
	return n, nil
}

// listAfter is how long a session lasts before it is listed as running. Most
// are shorter, and are written down once, when they have ended.
const listAfter = 200 * time.Millisecond

// list keeps the list of sessions: what runs, and how it ended. It is for people
// to look at; what is evidence stands in the log.
func (s *prepared) list(ctx context.Context, ended <-chan session.Result) {
	row := store.Session{ID: s.spec.ID, Principal: s.spec.Principal, Pack: s.spec.Pack, Digest: s.spec.Digest,
		Program: s.spec.Plan.Program.Path, PID: os.Getpid(), Tier: s.spec.Plan.Tier, Started: s.app.now()}
	var err error
	select {
	case res := <-ended:
		row.Ended, row.Status = s.app.now(), endStatus(res)
		err = s.write(func(l *store.List) error { return l.AddSession(ctx, row) })
	case <-time.After(listAfter):
		err = s.write(func(l *store.List) error { return l.AddSession(ctx, row) })
		res := <-ended
		if err == nil {
			err = s.write(func(l *store.List) error { return l.EndSession(ctx, row.ID, endStatus(res), s.app.now()) })
		}
	}
	if err != nil {
		printf(s.app.err, "ambit: the session is not listed: %v\n", err)
	}
}

// write opens the list for one change: between its begin and its end a session
// keeps nothing open.
func (s *prepared) write(change func(*store.List) error) error {
	l, err := s.app.openList()
	if err != nil {
		return err
	}
	return errors.Join(change(l), l.Close())
}

func endStatus(res session.Result) string { return "exit " + strconv.Itoa(res.Exit) }
