package main

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/core/manifest"
	"ambit.dev/ambit/internal/enforce"
	"ambit.dev/ambit/internal/enforce/cgroup"
	"ambit.dev/ambit/internal/enforce/landlock"
	"ambit.dev/ambit/internal/enforce/view"
)

// facts reads what a launch needs to know of this host. What it promises is
// tried when it is applied; `ambit doctor` looks deeper.
func facts(w view.Who, l enforce.Limits) enforce.Facts { return bounds(hostFacts(w), l) }

// hostFacts reads what the kernel offers to this user.
func hostFacts(w view.Who) enforce.Facts {
	f := enforce.Facts{UID: w.UID, GID: w.GID}
	f.LandlockABI, _ = landlock.ABI() // 0 where there is none, and Compile refuses
	f.UserNamespace = kernelNumber("/proc/sys/user/max_user_namespaces") > 0
	f.PIDMax = release() >= 6_14
	return f
}

// trapOpens reports whether a trap for first touches can be made: whether its
// device opens.
func trapOpens() bool {
	fd, err := unix.Open("/dev/fuse", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return false
	}
	_ = unix.Close(fd) // nothing was mounted
	return true
}

// tunOpens reports whether a sandbox can have a tun device as its link.
func tunOpens() bool {
	fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return false
	}
	_ = unix.Close(fd) // no device was made
	return true
}

// bounds adds to the facts by which control groups these limits can be kept.
func bounds(f enforce.Facts, l enforce.Limits) enforce.Facts {
	if l.Memory == 0 && l.PIDs == 0 && l.CPU == 0 && (f.PIDMax || f.UID != 0) {
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

// kernelNumber is a number that the kernel shows in a file; 0 where there is none.
// It is read before anything else, and with no more calls than it takes.
func kernelNumber(path string) int {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return 0
	}
	defer unix.Close(fd) //nolint:errcheck // nothing was written
	var text [32]byte
	n, err := unix.Read(fd, text[:])
	if err != nil {
		return 0
	}
	value, err := strconv.Atoi(strings.TrimSpace(string(text[:n])))
	if err != nil {
		return 0
	}
	return value
}

// release is the kernel's version as a number: 6.14 is 614.
func release() int {
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return 0
	}
	digits := func(s string) (int, string) {
		n := 0
		for n < len(s) && s[n] >= '0' && s[n] <= '9' {
			n++
		}
		v, _ := strconv.Atoi(s[:n]) // 0 without digits: no kernel that is known
		return v, s[n:]
	}
	major, rest := digits(unix.ByteSliceToString(u.Release[:]))
	minor, _ := digits(strings.TrimPrefix(rest, "."))
	return major*100 + minor
}

// home decides what the program has for a home directory.
func (s *prepared) home(in *enforce.Input) error {
	text := s.flags.home
	if text == "" {
		text = s.manifest.Home
	}
	switch in.Home = enforce.Home(text); {
	case s.flags.home == "" && s.asksAtHome(text):
		in.Home = enforce.HomeHost
	case text == "":
		in.Home = enforce.HomeEphemeral
	}
	if o, err := view.Resolve(s.base.Home); err == nil {
		in.HomePath, in.Base.Links = o.Path, append(in.Base.Links, o.Links...)
	}
	switch in.Home {
	case enforce.HomeNone:
		in.HomePath = ""
	case enforce.HomeEphemeral:
	case enforce.HomeHost:
		if !s.flags.asks() {
			return errors.New("--home host shows your own home as far as somebody allows it; it needs --ask")
		}
	case enforce.HomePrivate:
		return s.privateHome(in)
	default:
		return fmt.Errorf("--home %q: want none, ephemeral or private, or host with --ask", text)
	}
	return nil
}

// asksAtHome reports whether the person's own home has to be there, hidden, so
// that it can be asked about: for commands without a pack, and for packs that
// declare something in it. An ephemeral home would lie over it.
func (s *prepared) asksAtHome(home string) bool {
	if !s.flags.asks() || s.packDir == "" {
		return s.flags.asks()
	}
	return (home == "" || home == manifest.HomeEphemeral) && slices.ContainsFunc(s.manifest.Wants, func(w manifest.Want) bool {
		pattern, ok := w.Capability.Pattern()
		return ok && s.base.Home != "" && under(pattern.Root(), s.base.Home)
	})
}

// privateHomePath is where a pack sees the home that it keeps.
const privateHomePath = "/home/pack"

// privateHome is a directory of the state that the pack keeps.
func (s *prepared) privateHome(in *enforce.Input) error {
	if s.subject.Pack == "" {
		return errors.New("--home private is kept for a pack; this run has none")
	}
	dir, err := s.packFolder("homes")
	if err != nil {
		return fmt.Errorf("make the private home: %w", err)
	}
	o, err := view.Resolve(dir)
	// Not at the person's own home: what is granted beneath that one would need
	// mount points in the folder that the pack keeps.
	in.PrivateHome, in.HomePath = &o, privateHomePath
	return err
}

// packFolder makes what the state keeps for the pack, of one kind.
//
// Security: for one pack and one organisation alone. Names are escaped, so that what
// is kept for one pack is never a folder in another's.
func (s *prepared) packFolder(kind string, names ...string) (string, error) {
	dir, err := s.app.state()
	if err != nil {
		return "", err
	}
	if s.app.org != "" {
		dir = filepath.Join(dir, "orgs", s.app.org)
	}
	dir = filepath.Join(append([]string{dir, kind, url.PathEscape(s.subject.Pack)}, names...)...)
	return dir, os.MkdirAll(dir, 0o700)
}

// workDir is the person's working directory where the view has it, the pack's
// folder for a pack, else the home.
func (s *prepared) workDir(in enforce.Input) string {
	switch {
	case s.packDir != "":
		return s.packDir
	case s.shows(s.base.Dir) || in.Ask:
		return s.base.Dir
	case in.HomePath != "":
		return in.HomePath
	}
	return "/"
}
