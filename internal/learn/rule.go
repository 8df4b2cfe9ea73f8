package learn

import (
	"fmt"
	"net/netip"
	"path"
	"slices"
	"strings"

	"ambit.dev/ambit/internal/core/capability"
)

// A Rule answers for a person while a program is learned. It is cautious: what
// is on the list of secrets stays closed, and so does what it knows nothing of.
//
//   - In the projects: read and change files, and run them.
//   - Elsewhere: read ordinary files, and small directories that hold nothing on
//     the list; change named caches; run what belongs to the system or to a
//     package.
//   - The network only when it was asked for, and only public names.
//
// The zero Rule allows what lies in package trees to be read and run, and
// ordinary files to be read.
type Rule struct {
	Base Base
	Host Host
	Net  bool
}

// An Answer says what comes of a touch. The zero Answer refuses.
type Answer struct {
	Allow bool
	// Grant is what is given: what was touched, or the directory that it lies in.
	Grant capability.Capability
	Dir   bool
	// Hide are the places of secrets inside what is given. Whoever gives it keeps
	// them closed.
	Hide []string
	Why  string // in words, for the record
}

// Given returns a touch as what was given for it.
func (t Touch) Given(a Answer) Touch {
	if a.Grant != t.Capability {
		t.Name = "" // of another directory
	}
	t.Capability, t.Dir = a.Grant, a.Dir
	return t
}

// Object is what a touch says beyond what the manifest needs.
type Object struct {
	Special bool // a socket, a pipe or a device: neither file nor directory
	Near    int  // what was allowed in the same directory before
}

// Answer answers one touch.
//
// Security: the answer is a proposal. Whoever asked puts it to the gate as a
// grant for the session, where policy and standing denials come first.
func (r Rule) Answer(t Touch, o Object) Answer {
	p := t.path()
	switch k := t.Capability.Kind(); {
	case p == "" && (k == capability.FSRead || k == capability.FSWrite):
		return refuse("it is no single file or directory")
	case k == capability.FSRead:
		return r.read(t, p, o)
	case k == capability.FSWrite:
		return r.write(t, p, o)
	case k == capability.ProcessSpawn:
		return r.run(t, p)
	case k == capability.NetConnect, k == capability.DNSLookup:
		return r.connect(t)
	}
	return refuse("learning has no rule for it")
}

func refuse(format string, args ...any) Answer { return Answer{Why: fmt.Sprintf(format, args...)} }

func allow(t Touch, why string) Answer {
	return Answer{Allow: true, Grant: t.Capability, Dir: t.Dir, Why: why}
}

// secret refuses what is on the list.
func (r Rule) secret(p string) (Answer, bool) {
	why, ok := capability.Sensitive(p, r.Base.Home)
	return refuse("%s", why), ok
}

func (r Rule) read(t Touch, p string, o Object) Answer {
	if a, ok := r.secret(p); ok {
		return a
	}
	if o.Special {
		return refuse("it is a socket, a pipe or a device, with somebody at its other end")
	}
	if t.Dir {
		return r.readDir(t, p)
	}
	if a, ok := r.wider(p, o.Near); ok {
		return a
	}
	return allow(t, "an ordinary file")
}

// wider gives a directory of a project or a package once many of its files were
// touched: the manifest will say the same. It is looked through at the doublings
// only, since that takes a while.
func (r Rule) wider(p string, near int) (Answer, bool) {
	if near <= few || near&(near-1) != 0 {
		return Answer{}, false
	}
	dir := path.Dir(p)
	root, ok := r.Base.root(p)
	if !ok || !within(dir, root) || !newLook(r.Base, r.Host).harmless(dir) {
		return Answer{}, false
	}
	return Answer{Allow: true, Grant: one(capability.FSRead, dir), Dir: true, Why: "many files of one directory, which holds no secrets"}, true
}

// maxElsewhere bounds what may lie beneath a directory that belongs neither to a
// project nor to a package. A program that looks whether there is a ~/src does
// not ask for all of it.
const maxElsewhere = 2000

// readDir gives a directory as a whole, for there is no other way to list it.
func (r Rule) readDir(t Touch, p string) Answer {
	if why, ok := capability.AboveSensitive(p, r.Base.Home); ok {
		return refuse("it is above %s", why)
	}
	f := newLook(r.Base, r.Host).beneath(p)
	_, ours := r.Base.root(p)
	_, cached := r.Base.cache(p)
	switch {
	case f.names > maxLooked:
		return refuse("more lies in it than can be looked through")
	case f.names > maxElsewhere && !ours && !cached:
		return refuse("it lies outside the project, with more than %d files in it", maxElsewhere)
	case len(f.secrets) == 0:
		return allow(t, "a directory that holds no secrets")
	case ours:
		a := allow(t, "a directory of the project, without the secrets in it")
		a.Hide = f.secrets
		return a
	}
	why, _ := capability.Sensitive(f.secrets[0], r.Base.Home)
	return refuse("%s lies in it: %s", f.secrets[0], why)
}

func (r Rule) write(t Touch, p string, o Object) Answer {
	if a, ok := r.secret(p); ok {
		return a
	}
	if a, ok := r.secret(path.Join(p, t.Name)); ok {
		return a
	}
	switch why, above := capability.AboveSensitive(p, r.Base.Home); {
	case above:
		return refuse("it is above %s", why)
	case o.Special:
		return refuse("it is a socket, a pipe or a device, with somebody at its other end")
	}
	if dir, ok := r.Base.cache(p); ok {
		return r.writeCache(dir)
	}
	switch {
	case !r.ours(p):
		return refuse("it lies outside the project, and is no cache that is known")
	case !t.Dir && t.Name == "":
		return allow(t, "a file of the project")
	}
	f := newLook(r.Base, r.Host).beneath(p)
	switch {
	case f.names > maxLooked:
		return refuse("more lies in it than can be looked through")
	case len(f.secrets) > 0 && t.Name == "":
		return refuse("%s lies in it", f.secrets[0])
	}
	a := allow(t, "a directory of the project")
	a.Hide = f.secrets
	return a
}

// writeCache gives a cache as a whole: what is in it has other names each time.
func (r Rule) writeCache(dir string) Answer {
	if f := newLook(r.Base, r.Host).beneath(dir); f.names > maxLooked || len(f.secrets) > 0 {
		return refuse("the cache holds more than a cache does")
	}
	return Answer{Allow: true, Grant: one(capability.FSWrite, dir), Dir: true, Why: "a cache"}
}

// ours reports whether p lies in a project. Packages of others, which lie
// somewhere else, are theirs.
func (r Rule) ours(p string) bool {
	for _, root := range r.Base.Roots {
		if within(p, root) && !r.Base.exposed(root) {
			return true
		}
	}
	return false
}

func (r Rule) run(t Touch, p string) Answer {
	if a, ok := r.secret(p); ok {
		return a
	}
	_, ours := r.Base.root(p)
	system := slices.ContainsFunc(r.Base.Shown, func(dir string) bool { return within(p, dir) })
	switch {
	case p == "" && t.Capability.Scope() == "":
		return allow(t, "a second process")
	case p == "" || !ours && !system && !r.Base.shown(p):
		return refuse("it belongs neither to the system nor to the project")
	}
	return allow(t, "a program of the system or of the project")
}

// public are the scopes of everything that everybody can reach.
var public = []string{"net.connect:*:*", "net.connect:*:*/udp", "dns.lookup:*/*"}

// connect answers for the network. Addresses without a name are refused: nobody
// who reads the manifest later could say whose they are.
func (r Rule) connect(t Touch) Answer {
	if !r.Net {
		return refuse("the network was not asked for; --net does")
	}
	for _, text := range public {
		if c, err := capability.Parse(text); err == nil && c.Covers(t.Capability) && !address(t.Capability.Scope()) {
			return allow(t, "a public name")
		}
	}
	return refuse("it is no public name")
}

// address reports whether the host of a scope is written as an address.
func address(scope string) bool {
	host, _, _ := strings.Cut(scope, "/")
	if _, err := netip.ParseAddr(strings.Trim(host, "[]")); err == nil {
		return true
	}
	if _, err := netip.ParseAddrPort(host); err == nil {
		return true
	}
	_, err := netip.ParsePrefix(scope)
	return err == nil
}
