package qemu

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"

	"ambit.dev/ambit/internal/enforce"
	"ambit.dev/ambit/internal/enforce/microvm/machine"
)

// A Jail starts QEMU confined.
type Jail interface {
	Start(ctx context.Context, c Cell) (Jailed, error)
}

// Cell is what one QEMU process gets.
type Cell struct {
	Session string
	Program string
	Argv    []string
	Files   []File
	Stdio   [3]*os.File
	Memory  int  // MiB of the guest
	Frozen  bool // no file that it has open can be changed through it
	KVM     bool // it may use /dev/kvm
}

// A File of the host is shown at another path.
type File struct {
	Path, At string
	Write    bool
}

// Jailed is a QEMU process in its jail.
type Jailed interface {
	PID() int
	Kill() error
	Wait() error // until nothing of it is left
	Layers() []machine.Layer
}

// Confined is a Jail that is made of the process tier: namespaces with nothing in
// them, a view with QEMU's files and the machine's, Landlock, the system call
// filter, no capability, no network, and an end with the launcher's.
type Confined struct {
	Tier  enforce.Tier // the process tier
	Facts enforce.Facts
	Guard string // the program that closes the rest and becomes QEMU
}

// ownFiles are what QEMU needs of the system: libraries and firmware.
var ownFiles = []string{"/usr/lib", "/usr/lib64", "/lib", "/lib64", "/usr/share/qemu", "/usr/share/seabios"}

// aside is how much memory QEMU may use beside the guest's, in MiB: it translates
// the guest's code, and a template's devices are read.
const aside = 384

// Start starts QEMU by way of the guard.
func (c Confined) Start(ctx context.Context, cell Cell) (Jailed, error) {
	p, err := c.plan(cell)
	if err != nil {
		return nil, err
	}
	inside, err := c.Tier.Start(ctx, p, enforce.Stdio{In: cell.Stdio[0], Out: cell.Stdio[1], Err: cell.Stdio[2]})
	if err != nil {
		return nil, err
	}
	j := &jailed{inside: inside, drained: make(chan struct{})}
	go j.drain()
	if err := inside.Release(); err != nil {
		_ = inside.Kill() // it may have ended
		return nil, errors.Join(err, j.Wait())
	}
	return j, nil
}

// plan is the sandbox of a QEMU process.
func (c Confined) plan(cell Cell) (enforce.Plan, error) {
	in := enforce.Input{Session: cell.Session, Home: enforce.HomeNone, Limits: enforce.Limits{}, Program: enforce.Program{
		Path: c.Guard, Argv: c.argv(cell), Dir: "/", Env: []string{"LC_ALL=C", "MALLOC_ARENA_MAX=1"}}} // each arena is a megabyte and more
	for _, p := range ownFiles {
		if err := show(&in.Base, p); err != nil {
			return enforce.Plan{}, err
		}
	}
	if text, err := os.ReadFile("/etc/ld.so.cache"); err == nil { // a host may have none
		in.Base.Files = append(in.Base.Files, enforce.File{Path: "/etc/ld.so.cache", Content: text})
	}
	for _, p := range []string{c.Guard, cell.Program, loader} {
		o, err := object(p)
		if errors.Is(err, fs.ErrNotExist) && p == loader {
			continue
		}
		if err != nil {
			return enforce.Plan{}, err
		}
		in.Executables = append(in.Executables, o)
	}
	in.Program.Path = in.Executables[0].Path
	for _, f := range cell.Files {
		o, err := object(f.Path)
		if err != nil {
			return enforce.Plan{}, err
		}
		in.Volumes = append(in.Volumes, enforce.Volume{Source: o, Target: f.At, Write: f.Write})
	}
	if c.bounds("memory") {
		in.Limits.Memory = int64(cell.Memory+aside) << 20
	}
	p, err := enforce.Compile(in, c.Facts)
	if err != nil {
		return p, err
	}
	// The guard becomes QEMU. Landlock lets nothing else be executed, and QEMU's own
	// filter forbids it to start anything.
	p.Filter.NoSpawn = false
	if cell.KVM {
		p.Landlock.Devices = append(p.Landlock.Devices, "/dev/kvm")
		p.View = append(p.View, enforce.Entry{Op: enforce.OpFile, Path: "/dev/kvm", Mode: 0o644},
			enforce.Entry{Op: enforce.OpBind, Path: "/dev/kvm", Source: "/dev/kvm", Device: true})
	}
	return p, nil
}

// loader is the dynamic loader that QEMU names.
const loader = "/lib64/ld-linux-x86-64.so.2"

func (c Confined) argv(cell Cell) []string {
	argv := []string{"ambit-guard"}
	if cell.Frozen {
		argv = append(argv, "--frozen")
	}
	return append(append(argv, "--", cell.Program), cell.Argv[1:]...)
}

func (c Confined) bounds(name string) bool { return slices.Contains(c.Facts.Cgroup, name) }

// show adds a directory, or a link to one, to what QEMU sees of the system.
func show(b *enforce.Base, path string) error {
	fi, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case fi.Mode()&fs.ModeSymlink != 0:
		target, err := os.Readlink(path)
		if err != nil {
			return err
		}
		b.Links = append(b.Links, enforce.Link{Path: path, Target: target})
		return nil
	}
	o, err := object(path)
	if err == nil {
		b.Dirs = append(b.Dirs, o)
	}
	return err
}

// object finds what is at a path, without links on the way.
func object(path string) (enforce.Object, error) {
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		return enforce.Object{}, fmt.Errorf("find a file for QEMU: %w", err)
	}
	if real, err = filepath.Abs(real); err != nil {
		return enforce.Object{}, err
	}
	fi, err := os.Lstat(real)
	if err != nil {
		return enforce.Object{}, fmt.Errorf("find a file for QEMU: %w", err)
	}
	st, ok := fi.Sys().(*syscall.Stat_t)
	if !ok {
		return enforce.Object{}, fmt.Errorf("internal error: no identity of %q", real)
	}
	return enforce.Object{Path: real, Dir: fi.IsDir(), Dev: st.Dev, Ino: st.Ino}, nil
}

// jailed is a session of the tier that confines QEMU.
type jailed struct {
	inside  enforce.Session
	drained chan struct{}
	said    []string // what was denied; valid when drained is closed
}

// drain keeps the first denials: QEMU is denied nothing while it does its work.
func (j *jailed) drain() {
	defer close(j.drained)
	for d := range j.inside.Denials() {
		if len(j.said) < 4 {
			j.said = append(j.said, d.Kind+":"+d.Target)
		}
	}
}

func (j *jailed) PID() int    { return j.inside.PID() }
func (j *jailed) Kill() error { return j.inside.Kill() }

func (j *jailed) Layers() (all []machine.Layer) {
	for _, l := range j.inside.Report().Layers {
		all = append(all, machine.Layer{Name: l.Name, Holds: l.Holds, Detail: l.Detail})
	}
	return all
}

func (j *jailed) Wait() error {
	r, err := j.inside.Wait()
	<-j.drained
	switch {
	case err != nil:
		return err
	case r.CannotExec != nil:
		return fmt.Errorf("QEMU could not be started: %w", r.CannotExec)
	case r.Limit != "":
		return fmt.Errorf("QEMU was ended by its limit of %s", r.Limit)
	case r.Signal != 0 && r.Signal != int(syscall.SIGKILL):
		return fmt.Errorf("QEMU was ended by signal %d; denied on the way: %q", r.Signal, j.said)
	case r.Signal == 0 && r.Exit != 0:
		return fmt.Errorf("QEMU ended with status %d; denied on the way: %q", r.Exit, j.said)
	}
	return nil
}
