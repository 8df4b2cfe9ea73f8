package deno

import (
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"slices"
	"strings"
	"unicode/utf8"

	"ambit.dev/ambit/internal/core/capability"
)

// translation is what a request means here: a capability that is put to the
// gate, or something that is left to the sandbox.
type translation struct {
	capability capability.Capability
	left       bool
}

// leave leaves a request to the sandbox.
var leave = translation{left: true}

// systemKinds are Deno's kinds of the permission "sys". What a program learns or
// changes by them is the sandbox's own: its host name, its processor set, its
// user ids, or it is what /proc tells everybody.
var systemKinds = []string{
	"ca", "cpus", "getPriority", "getegid", "gid", "homedir", "hostname", "inspector", "loadavg", "networkInterfaces",
	"osRelease", "osUptime", "setPriority", "setegid", "seteuid", "setgid", "setuid", "statfs", "systemMemoryInfo", "uid",
	"userInfo", "username",
}

// placeholders are what Deno writes for a path that the program did not write
// itself: its working directory, its executable, its module, the folder for
// temporary files.
var placeholders = []string{"<CWD>", "<exec_path>", "<main_module>", "<TMP>"}

// translate says what a request means. An error denies it and says why.
func (d *Door) translate(pid int, m message) (translation, error) {
	switch {
	case m.version != 1:
		return translation{}, fmt.Errorf("version %d of the protocol is not known", m.version)
	case !m.all && (m.value == "" || !utf8.ValidString(m.value) || strings.ContainsRune(m.value, utf8.RuneError)):
		// Deno replaces what is not UTF-8 in a path: this is another path.
		return translation{}, errors.New("its value cannot be told exactly")
	}
	switch m.permission {
	case "read":
		return d.path(capability.FSRead, pid, m)
	case "write":
		return d.path(capability.FSWrite, pid, m)
	case "ffi": // native code is confined as all else; what is asked for is the file
		if m.all {
			return translation{}, errEverything
		}
		return d.path(capability.FSRead, pid, m)
	case "run":
		return d.run(pid, m)
	case "net":
		return d.net(pid, m)
	case "import":
		return connect(m)
	case "env": // the environment holds what was let through, and nothing else
		return leave, nil
	case "sys":
		if m.all || slices.Contains(systemKinds, m.value) {
			return leave, nil
		}
		return translation{}, fmt.Errorf("sys %q is not known", m.value)
	}
	return translation{}, fmt.Errorf("the permission %q is not known", m.permission)
}

var errEverything = errors.New("it asks for everything of its kind; let it name what it needs")

// path translates a permission about a path. Deno names none for a link that it
// makes; the sandbox sees which.
func (d *Door) path(k capability.Kind, pid int, m message) (translation, error) {
	if m.all || slices.Contains(placeholders, m.value) {
		return leave, nil
	}
	return d.object(k, pid, m.value)
}

func (d *Door) object(k capability.Kind, pid int, path string) (translation, error) {
	found, err := d.cfg.Find(pid, k, path)
	if errors.Is(err, fs.ErrNotExist) {
		return leave, nil // reading it fails; making it is asked for when it is made
	}
	if err != nil {
		return translation{}, err
	}
	c, err := capability.ForPath(k, found)
	return translation{capability: c}, err
}

// run translates the permission to start a program: a path, or a name that is
// looked for. Deno 2.9 names neither when it starts one; the sandbox sees which
// it is, when it is executed.
func (d *Door) run(pid int, m message) (translation, error) {
	if m.all {
		return leave, nil
	}
	if strings.Contains(m.value, "/") {
		return d.object(capability.ProcessSpawn, pid, m.value)
	}
	found, err := d.cfg.Look(pid, m.value)
	if errors.Is(err, fs.ErrNotExist) {
		return leave, nil
	}
	if err != nil {
		return translation{}, err
	}
	return d.object(capability.ProcessSpawn, pid, found)
}

// net translates the permission to connect or to listen, which Deno does not
// tell apart. An address that stands for all of one's own is there to listen.
func (d *Door) net(pid int, m message) (translation, error) {
	if path, ok := strings.CutPrefix(m.value, "unix:"); ok {
		return d.object(capability.FSRead, pid, path)
	}
	at, err := netip.ParseAddrPort(m.value)
	switch {
	case err == nil && at.Port() == 0: // any port that is free; there is nothing to connect to
		return leave, nil
	case err == nil && at.Addr().IsUnspecified():
		c, err := capability.Parse(fmt.Sprintf("%s:%d", capability.NetListen, at.Port()))
		return translation{capability: c}, err
	}
	return connect(m)
}

func connect(m message) (translation, error) {
	if m.all {
		return translation{}, errEverything
	}
	if strings.ContainsAny(m.value, "*/") { // names of many hosts are no destination
		return translation{}, fmt.Errorf("%q is not one host", m.value)
	}
	c, err := capability.Parse(string(capability.NetConnect) + ":" + m.value)
	return translation{capability: c}, err
}
