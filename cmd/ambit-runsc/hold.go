//go:build linux

package main

import (
	"errors"

	"golang.org/x/sys/unix"
	"gvisor.dev/gvisor/pkg/abi"
	"gvisor.dev/gvisor/pkg/abi/linux"
	"gvisor.dev/gvisor/pkg/errors/linuxerr"
	"gvisor.dev/gvisor/pkg/sentry/arch"
	"gvisor.dev/gvisor/pkg/sentry/kernel"
	"gvisor.dev/gvisor/pkg/sentry/vfs"

	"ambit.dev/ambit/internal/enforce/gvisor/wire"
	"ambit.dev/ambit/internal/enforce/seccomp"
)

// holder has calls that change or start something wait until somebody was asked about
// it, before the sandbox's kernel begins with them.
//
// Security: it only asks, and refuses. A call that goes on reads its paths itself, and
// what it may do is what the gofer's mounts are then.
type holder struct{ asks asks }

// hold wraps the calls of this kernel, if there is a line on which it asks. It comes before
// anything of the kernel is made.
func hold(line int) error {
	if line == 0 {
		return nil // nobody is asked, so nothing is held
	}
	table, ok := kernel.LookupSyscallTable(abi.Linux, arch.Host)
	if !ok {
		return errors.New("internal error: gVisor has no calls of this architecture")
	}
	h := &holder{asks: asks{line: line, put: map[uint64]*waits{}, known: map[same]*waits{}}}
	before := map[int]func(*held) error{unix.SYS_OPENAT2: (*held).openat2, unix.SYS_EXECVE: (*held).execve, unix.SYS_EXECVEAT: (*held).execveat}
	for n, call := range seccomp.Changing {
		before[n] = func(c *held) error { return c.change(n, call, c.args) }
	}
	for n, ask := range before {
		call, ok := table.Table[uintptr(n)]
		if n < 0 || !ok {
			continue // this kernel has no such call
		}
		carryOut := call.Fn
		call.Fn = func(t *kernel.Task, sysno uintptr, args arch.SyscallArguments) (uintptr, *kernel.SyscallControl, error) {
			c := &held{h: h, t: t, args: args}
			defer c.takeBack()
			if err := ask(c); err != nil {
				return 0, nil, err
			}
			result, control, err := carryOut(t, sysno, c.args)
			if linuxerr.Equals(linuxerr.ESTALE, err) { // as the host's kernel does: what was covered meanwhile is found by another walk
				return carryOut(t, sysno, c.args)
			}
			return result, control, err
		}
		table.Table[uintptr(n)] = call
	}
	table.Init()
	return nil
}

// held is a call that has not begun.
type held struct {
	h    *holder
	t    *kernel.Task
	args arch.SyscallArguments
	lent []int32 // descriptors that stand in the place of some of args
}

// change asks about the paths of a call with these arguments, one after the other.
func (c *held) change(n int, call seccomp.Named, args arch.SyscallArguments) error {
	note := seccomp.Notification{Call: n}
	for i := range args {
		note.Args[i] = args[i].Uint64()
	}
	write, follow := call.Wants(note)
	if !write {
		return nil
	}
	for i, arg := range call.Paths {
		q := wire.Question{Want: wire.WantWrite, Entry: call.Names, Creates: call.Creates(note), Link: !follow,
			Makes: call.Anew(note) && i == len(call.Paths)-1}
		if err := c.about(arg[0], arg[1], q); err != nil {
			return err
		}
	}
	return nil
}

// openat2 is change for the call whose flags are in memory.
func (c *held) openat2() error {
	var how linux.OpenHow
	if _, err := how.CopyInN(c.t, c.args[2].Pointer(), linux.OPEN_HOW_SIZE_VER0); err != nil {
		return nil // the call says so itself
	}
	args := c.args
	args[2] = arch.SyscallArgument{Value: uintptr(how.Flags)}
	return c.change(unix.SYS_OPENAT, seccomp.Changing[unix.SYS_OPENAT], args)
}

func (c *held) execve() error {
	return c.about(seccomp.CWD, 0, wire.Question{Want: wire.WantRun})
}

func (c *held) execveat() error {
	return c.about(0, 1, wire.Question{Want: wire.WantRun, Link: c.args[4].Int()&linux.AT_SYMLINK_NOFOLLOW != 0})
}

// about asks about what a call names by its arguments dir and name. What cannot be read or
// found is for the call to say.
func (c *held) about(dir, name int, q wire.Question) error {
	at, err := c.t.CopyInString(c.args[name].Pointer(), linux.PATH_MAX)
	if err != nil || at == "" {
		return nil
	}
	w, ok := c.walk(dir, at)
	if !ok {
		return nil
	}
	defer w.end()
	return w.ask(q)
}

// lend has the call begin at a directory in the place of what its argument says.
func (c *held) lend(dir int, at *vfs.FileDescription) {
	const first = 512 // the lowest ones are those that programs count on
	if fd, err := c.t.NewFDFrom(first, at, kernel.FDFlags{CloseOnExec: true}); err == nil {
		c.args[dir] = arch.SyscallArgument{Value: uintptr(fd)}
		c.lent = append(c.lent, fd)
	}
}

func (c *held) takeBack() {
	for _, fd := range c.lent {
		if file := c.t.FDTable().Remove(c.t, fd); file != nil {
			file.DecRef(c.t)
		}
	}
}
