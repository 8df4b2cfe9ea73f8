package gvisor

import (
	"encoding/json"
	"fmt"
	"path"
	"strconv"
	"unicode/utf8"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"ambit.dev/ambit/internal/enforce"
	"ambit.dev/ambit/internal/enforce/gvisor/wire"
)

// Bounds that programs expect.
const (
	usualFDs = 1024
	mostFDs  = 1 << 16
)

// specOf is the OCI spec of a plan, as the sentry applies it. What the host's
// mounts hold already is held once more by its own.
//
// It is JSON, which carries text and no other bytes: what is not text is refused
// by name, since it would arrive as something else.
func specOf(p enforce.Plan, terminal bool, umask uint32) ([]byte, error) {
	if err := text(p); err != nil {
		return nil, err
	}
	s := specs.Spec{
		Version: "1.2.0",
		Root:    &specs.Root{Path: wire.View},
		Process: &specs.Process{
			Args: programOf(p.Program), Cwd: p.Program.Dir, Env: p.Program.Env, Terminal: terminal,
			User: specs.User{Umask: &umask}, NoNewPrivileges: true, Capabilities: &specs.LinuxCapabilities{}, Rlimits: rlimits(p.Limits.Limits),
		},
		Hostname: p.Hostname,
		Mounts:   ociMounts(p.View),
		Linux: &specs.Linux{Namespaces: []specs.LinuxNamespace{
			{Type: specs.PIDNamespace}, {Type: specs.MountNamespace}, {Type: specs.IPCNamespace}, {Type: specs.UTSNamespace},
		}},
	}
	if p.Link == nil { // with one, the sentry uses the sockets of the outer namespace
		s.Linux.Namespaces = append(s.Linux.Namespaces, specs.LinuxNamespace{Type: specs.NetworkNamespace})
	}
	if p.Filter.NoSpawn {
		s.Linux.Seccomp = noSpawn()
	}
	spec, err := json.Marshal(s)
	if err != nil {
		return nil, fmt.Errorf("internal error: %w", err)
	}
	return spec, nil
}

// text refuses what is not UTF-8.
func text(p enforce.Plan) error {
	all := append(append([]string{p.Program.Path, p.Program.Dir}, p.Program.Argv...), p.Program.Env...)
	for _, e := range p.View {
		all = append(all, e.Path)
	}
	for _, s := range all {
		if !utf8.ValidString(s) {
			return &enforce.CannotEnforce{Capability: fmt.Sprintf("%q", s), Why: "the " + p.Tier + " tier takes arguments, variables and paths that are text (UTF-8) only"}
		}
	}
	return nil
}

// programOf are the arguments as the sentry takes them: the first one is what is
// executed, so it is the path that was decided about, whatever argv[0] was.
func programOf(p enforce.Program) []string {
	if len(p.Argv) == 0 {
		return []string{p.Path}
	}
	return append([]string{p.Path}, p.Argv[1:]...)
}

// rlimits are the bounds that the sentry keeps for each process.
func rlimits(l enforce.Limits) []specs.POSIXRlimit {
	all := []specs.POSIXRlimit{{Type: "RLIMIT_CORE"}, {Type: "RLIMIT_NOFILE", Soft: usualFDs, Hard: mostFDs}}
	if l.FDs > 0 {
		all[1].Soft, all[1].Hard = uint64(l.FDs), uint64(l.FDs)
	}
	if l.Disk > 0 {
		all = append(all, specs.POSIXRlimit{Type: "RLIMIT_FSIZE", Soft: uint64(l.Disk), Hard: uint64(l.Disk)})
	}
	return all
}

// noSpawn is a filter for the program's own kernel under which there is no second
// program and no second process, but threads.
func noSpawn() *specs.LinuxSeccomp {
	const (
		eperm       = 1
		enosys      = 38
		cloneThread = 0x10000
	)
	refuse := func(errno uint, names ...string) specs.LinuxSyscall {
		return specs.LinuxSyscall{Names: names, Action: specs.ActErrno, ErrnoRet: &errno}
	}
	threads := refuse(eperm, "clone")
	threads.Args = []specs.LinuxSeccompArg{{Index: 0, Value: cloneThread, ValueTwo: 0, Op: specs.OpMaskedEqual}}
	return &specs.LinuxSeccomp{
		DefaultAction: specs.ActAllow, Architectures: []specs.Arch{specs.ArchX86_64},
		Syscalls: []specs.LinuxSyscall{refuse(eperm, "execve", "execveat", "fork", "vfork"), refuse(enosys, "clone3"), threads},
	}
}

// kept says by what a place of the view is served to the program.
type kept int

const (
	byMemory kept = iota // the sentry's own memory; gone at the end
	byHost               // a mount of the outer view
)

// ociMounts are the mounts of the sentry, beside its root, which is the outer
// view's. Programs and libraries are served by the root; whatever has other
// rights, or lies in the sentry's memory, is a mount of its own. Each is the
// outer mount with all that lies on it.
func ociMounts(view []enforce.Entry) []specs.Mount {
	// Of the host's sysfs nothing is there, and neither of the sentry's.
	all := []specs.Mount{{Destination: "/sys", Type: "tmpfs", Source: "tmpfs", Options: []string{"ro", "noexec", "nosuid", "size=4096", "mode=0555"}}}
	made := map[string]kept{}
	for _, e := range view {
		if within(e.Path, "/proc") || within(e.Path, "/dev") && e.Op != enforce.OpTmpfs || e.Pin || e.Device {
			continue
		}
		on, covered := above(made, e.Path)
		switch {
		case e.Op == enforce.OpTmpfs && e.Write && !furnished(view, e.Path):
			made[e.Path] = byMemory
			all = append(all, memory(e))
		case e.Op == enforce.OpTmpfs && (e.Write || covered && on == byMemory), e.Op == enforce.OpAppend || e.Op == enforce.OpOverlay, e.Op == enforce.OpBind && (!e.Exec || covered):
			made[e.Path] = byHost
			all = append(all, fromHost(e))
		}
	}
	return all
}

// above answers by what the nearest mount above p is served.
func above(made map[string]kept, p string) (kept, bool) {
	for p != "/" {
		p = path.Dir(p)
		if k, ok := made[p]; ok {
			return k, true
		}
	}
	return byHost, false
}

// furnished reports whether a place has files or links of the view's own: they
// are made on the host's side.
func furnished(view []enforce.Entry, dir string) bool {
	for _, e := range view {
		if (e.Op == enforce.OpFile && len(e.Content) > 0 || e.Op == enforce.OpLink) && path.Dir(e.Path) == dir && dir != "/dev" {
			return true
		}
	}
	return false
}

func memory(e enforce.Entry) specs.Mount {
	options := append(rights(e), "size="+strconv.FormatInt(e.Size, 10), fmt.Sprintf("mode=%#o", e.Mode))
	return specs.Mount{Destination: e.Path, Type: "tmpfs", Source: "tmpfs", Options: options}
}

func fromHost(e enforce.Entry) specs.Mount {
	return specs.Mount{Destination: e.Path, Type: "bind", Source: wire.View + e.Path, Options: append([]string{"rbind", "nodev"}, rights(e)...)}
}

func rights(e enforce.Entry) []string {
	options := []string{"nosuid", "rw"}
	if !e.Write {
		options[1] = "ro"
	}
	if !e.Exec {
		options = append(options, "noexec")
	}
	return options
}
