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
// it, before the sandbox's kernel begins with them. Calls that look or read begin at once:
// the trap beneath the gofer refuses them what nobody was asked about, and only then it is
// asked, and the call made once more. So what is shown costs nothing.
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
	for n, asked := range holds() {
		call, ok := table.Table[uintptr(n)]
		if n < 0 || !ok {
			continue // this kernel has no such call
		}
		call.Fn = h.holding(call.Fn, asked)
		table.Table[uintptr(n)] = call
	}
	table.Init()
	return nil
}

// asked is what a call is asked about, each nil for nothing.
type asked struct {
	before  func(*held) error // it begins
	refused func(*held) error // it was refused with EACCES; without an error it is made once more
}

// holds are the calls that are held, by their numbers.
func holds() map[int]asked {
	all := map[int]asked{
		unix.SYS_OPENAT2:  {before: (*held).openat2, refused: (*held).openat2Refused},
		unix.SYS_EXECVE:   {before: (*held).execve},
		unix.SYS_EXECVEAT: {before: (*held).execveat},
	}
	for n, call := range seccomp.Changing {
		a := asked{before: func(c *held) error { return c.change(n, call, c.args) }}
		if call.Flags > 0 {
			a.refused = func(c *held) error { return c.look(n, call, c.args) }
		}
		all[n] = a
	}
	for n, call := range looking() {
		all[n] = asked{refused: func(c *held) error { return c.look(n, call, c.args) }}
	}
	return all
}

// holding is the call that carryOut is, held.
func (h *holder) holding(carryOut kernel.SyscallFn, a asked) kernel.SyscallFn {
	return func(t *kernel.Task, sysno uintptr, args arch.SyscallArguments) (uintptr, *kernel.SyscallControl, error) {
		c := &held{h: h, t: t, args: args, opened: -1}
		if a.before != nil {
			defer c.takeBack()
			if err := a.before(c); err != nil {
				return 0, nil, err
			}
		}
		result, control, err := carryOut(t, sysno, c.args)
		if a.refused != nil && linuxerr.Equals(linuxerr.EACCES, err) {
			if err := a.refused(c); err != nil || c.opened >= 0 {
				return uintptr(max(c.opened, 0)), nil, err
			}
			result, control, err = carryOut(t, sysno, c.args)
		}
		if linuxerr.Equals(linuxerr.ESTALE, err) { // as the host's kernel does: what was covered meanwhile is found by another walk
			return carryOut(t, sysno, c.args)
		}
		return result, control, err
	}
}

// held is a call that asks.
type held struct {
	h    *holder
	t    *kernel.Task
	args arch.SyscallArguments
	lent []int32 // descriptors that stand in the place of some of args

	covered vfs.VirtualDentry // a directory that was asked about, as it was before the answer
	opened  int32             // its descriptor; -1: the call is to be made
}

// change asks about the paths of a call with these arguments, one after the other.
func (c *held) change(n int, call seccomp.Named, args arch.SyscallArguments) error {
	note := notification(n, args)
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

// notification is a call as the host's kernel would tell of it.
func notification(n int, args arch.SyscallArguments) seccomp.Notification {
	note := seccomp.Notification{Call: n}
	for i := range args {
		note.Args[i] = args[i].Uint64()
	}
	return note
}

// openat2 is change for the call whose flags are in memory.
func (c *held) openat2() error { return c.asOpenat(c.change) }

// asOpenat has openat2 be asked about as openat is.
func (c *held) asOpenat(ask func(int, seccomp.Named, arch.SyscallArguments) error) error {
	var how linux.OpenHow
	if _, err := how.CopyInN(c.t, c.args[2].Pointer(), linux.OPEN_HOW_SIZE_VER0); err != nil {
		return nil // the call says so itself
	}
	args := c.args
	args[2] = arch.SyscallArgument{Value: uintptr(how.Flags)}
	return ask(unix.SYS_OPENAT, seccomp.Changing[unix.SYS_OPENAT], args)
}

func (c *held) execve() error {
	return c.start(seccomp.CWD, 0, false)
}

func (c *held) execveat() error {
	return c.start(0, 1, c.args[4].Int()&linux.AT_SYMLINK_NOFOLLOW != 0)
}

// start asks about a program that is started, and about what starts it.
func (c *held) start(dir, name int, link bool) error {
	at, err := c.t.CopyInString(c.args[name].Pointer(), linux.PATH_MAX)
	if err != nil || at == "" {
		return nil
	}
	if err := c.aboutPath(dir, at, wire.Question{Want: wire.WantRun, Link: link}); err != nil {
		return err
	}
	return c.interpreters(dir, at)
}

// about asks about what a call names by its arguments dir and name. What cannot be read or
// found is for the call to say.
func (c *held) about(dir, name int, q wire.Question) error {
	at, err := c.t.CopyInString(c.args[name].Pointer(), linux.PATH_MAX)
	if err != nil || at == "" {
		return nil
	}
	return c.aboutPath(dir, at, q)
}

// aboutPath asks about a path that was read.
func (c *held) aboutPath(dir int, at string, q wire.Question) error {
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
	if c.covered.Ok() {
		c.covered.DecRef(c.t)
	}
	for _, fd := range c.lent {
		if file := c.t.FDTable().Remove(c.t, fd); file != nil {
			file.DecRef(c.t)
		}
	}
}
