package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
)

// box is what a sandbox shows besides the system's programs and libraries, a
// /proc, a small /dev and a private /tmp. There is no network.
type box struct {
	read, write []string
	dir         string // working folder
}

// peer is one way of running a program.
type peer struct {
	Name    string
	Version string
	// argv is what to execute to run args in b. It may prepare files and is
	// called outside what is timed.
	argv func(b box, args []string) ([]string, error)
}

// grants are the three that every start has.
func (p *place) grants() box {
	return box{read: []string{p.one, p.two}, write: []string{p.out}, dir: p.out}
}

// peers returns those that can run a program here, and why the others cannot.
func (p *place) peers() (found []peer, left []string) {
	all := []peer{
		{Name: "plain", argv: func(_ box, args []string) ([]string, error) { return args, nil }},
		{Name: "ambit", argv: p.ambitArgv},
		{Name: "bubblewrap", argv: bubblewrapArgv},
		{Name: "runc", argv: p.runcArgv},
		{Name: "firejail", argv: firejailArgv},
	}
	for _, one := range all {
		if err := p.try(one); err != nil {
			left = append(left, fmt.Sprintf("%s (%v)", one.Name, err))
			continue
		}
		one.Version = version(p, one.Name)
		found = append(found, one)
	}
	return found, left
}

// try makes sure that a peer does what is asked: runs the program in its
// folder, shows what is granted, and hides what is not.
func (p *place) try(one peer) error {
	secret := filepath.Join(p.dir, "secret")
	if err := os.WriteFile(secret, nil, 0o644); err != nil {
		return err
	}
	defer func() { _ = os.Remove(secret) }()
	script := fmt.Sprintf("echo in $PWD; test -d %s && test -w %s && test ! -e %s && echo confined", p.one, p.out, secret)
	argv, err := one.argv(p.grants(), []string{"/bin/sh", "-c", script})
	if err != nil {
		return err
	}
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Dir, cmd.Env = p.out, p.environment()
	var problem strings.Builder
	cmd.Stderr = &problem
	out, err := cmd.Output()
	said := strings.Fields(string(out))
	switch {
	case one.Name == "plain":
		return nil
	case len(said) < 2 || said[1] != p.out:
		line, _, _ := strings.Cut(strings.TrimSpace(problem.String()), "\n")
		return fmt.Errorf("does not run a program here: %v %s", err, line)
	case len(said) != 3:
		return fmt.Errorf("does not show what is granted and hide the rest here")
	}
	return nil
}

func (p *place) ambitArgv(b box, args []string) ([]string, error) {
	argv := []string{p.ambit, "run"}
	for _, path := range b.read {
		if strings.HasPrefix(path, "/usr/") {
			continue // in every view, and its programs may be run
		}
		argv = append(argv, "--allow", "fs.read:"+path)
		if path == p.gorot { // its programs are not the system's
			tools, err := filepath.Glob(filepath.Join(path, "pkg", "tool", "*", "*"))
			if err != nil {
				return nil, err
			}
			for _, program := range append(tools, filepath.Join(path, "bin", "go")) {
				argv = append(argv, "--allow", "process.spawn:"+program)
			}
		}
	}
	for _, path := range b.write {
		argv = append(argv, "--allow", "fs.write:"+path)
	}
	return append(append(argv, "--"), args...), nil
}

// usrLinks are the links in / of a merged /usr.
var usrLinks = []string{"bin", "sbin", "lib", "lib64"}

func bubblewrapArgv(b box, args []string) ([]string, error) {
	argv := []string{"bwrap", "--unshare-all", "--die-with-parent", "--ro-bind", "/usr", "/usr", "--ro-bind", "/etc", "/etc",
		"--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp", "--chdir", b.dir}
	for _, name := range usrLinks {
		argv = append(argv, "--symlink", "usr/"+name, "/"+name)
	}
	for _, path := range b.read {
		argv = append(argv, "--ro-bind", path, path)
	}
	for _, path := range b.write {
		argv = append(argv, "--bind", path, path)
	}
	return append(argv, args...), nil
}

// firejailArgv shows the whole system read-only: firejail has no smaller view
// without copying programs. Folders outside home, /srv and the like stay seen.
func firejailArgv(b box, args []string) ([]string, error) {
	argv := []string{"firejail", "--quiet", "--noprofile", "--net=none", "--private-dev", "--private-tmp"}
	for _, path := range b.read {
		if strings.HasPrefix(path, "/usr/") {
			continue // seen anyway; cannot be named
		}
		argv = append(argv, "--whitelist="+path, "--read-only="+path)
	}
	for _, path := range b.write {
		argv = append(argv, "--whitelist="+path)
	}
	return append(append(argv, "--"), args...), nil
}

var runcNumber atomic.Int64

// runcArgv runs a bundle.
func (p *place) runcArgv(b box, args []string) ([]string, error) {
	bundle, id, err := p.bundle(b, args, false)
	return []string{"runc", "--root", filepath.Join(p.dir, "runc", "state"), "run", "--bundle", bundle, id}, err
}

// bundle writes one for every start, because its arguments stand in it.
func (p *place) bundle(b box, args []string, network bool) (bundle, id string, err error) {
	id = fmt.Sprintf("%s-%d", filepath.Base(p.dir), runcNumber.Add(1))
	bundle = filepath.Join(p.dir, "runc", id)
	root := filepath.Join(p.dir, "runc", "root")
	for _, dir := range []string{bundle, root} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return "", "", err
		}
	}
	for _, name := range usrLinks {
		if err := os.Symlink("usr/"+name, filepath.Join(root, name)); err != nil && !os.IsExist(err) {
			return "", "", err
		}
	}
	type object = map[string]any // a document of the OCI runtime specification
	bind := func(path, how string) object {
		return object{"destination": path, "type": "bind", "source": path, "options": []string{"rbind", how, "nosuid", "nodev"}}
	}
	mounts := []object{
		{"destination": "/proc", "type": "proc", "source": "proc"},
		{"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": []string{"nosuid", "mode=755", "size=65536k"}},
		{"destination": "/dev/pts", "type": "devpts", "source": "devpts", "options": []string{"nosuid", "noexec", "newinstance", "ptmxmode=0666"}},
		{"destination": "/tmp", "type": "tmpfs", "source": "tmpfs", "options": []string{"nosuid", "nodev"}},
		bind("/usr", "ro"), bind("/etc", "ro"),
	}
	for _, path := range b.read {
		mounts = append(mounts, bind(path, "ro"))
	}
	for _, path := range b.write {
		mounts = append(mounts, bind(path, "rw"))
	}
	spaces := []object{{"type": "pid"}, {"type": "ipc"}, {"type": "uts"}, {"type": "mount"}}
	if !network { // with one, it is the host's
		spaces = append(spaces, object{"type": "network"})
	}
	linux := object{}
	if uid := os.Getuid(); uid != 0 {
		spaces = append(spaces, object{"type": "user"})
		linux["uidMappings"] = []object{{"containerID": 0, "hostID": uid, "size": 1}}
		linux["gidMappings"] = []object{{"containerID": 0, "hostID": os.Getgid(), "size": 1}}
	}
	linux["namespaces"] = spaces
	text, err := json.Marshal(object{
		"ociVersion": "1.0.2",
		"process":    object{"user": object{"uid": 0, "gid": 0}, "args": args, "env": p.environment(), "cwd": b.dir, "noNewPrivileges": true},
		"root":       object{"path": root, "readonly": false},
		"mounts":     mounts,
		"linux":      linux,
	})
	if err != nil {
		return "", "", err
	}
	if err := os.WriteFile(filepath.Join(bundle, "config.json"), text, 0o600); err != nil {
		return "", "", err
	}
	return bundle, id, nil
}

// version is what a peer says of itself, in a few words.
func version(p *place, name string) string {
	command := map[string][]string{
		"ambit": {p.ambit, "version"}, "bubblewrap": {"bwrap", "--version"}, "runc": {"runc", "--version"}, "firejail": {"firejail", "--version"},
		"srt": {p.srt, "--version"}, "slirp4netns": {"slirp4netns", "--version"}, "pasta": {"pasta", "--version"},
		byRunsc: {p.runsc, "--version"},
	}[name]
	if command == nil {
		return ""
	}
	out, _ := exec.Command(command[0], command[1:]...).Output()
	line, _, _ := strings.Cut(string(out), "\n")
	fields := strings.Fields(line)
	if len(fields) == 0 || strings.HasPrefix(line, "pasta unknown") { // as Debian builds it
		return ""
	}
	return fields[len(fields)-1]
}
