// Package qemu runs machines with QEMU, which is itself confined: it has a view
// with its own files and the machine's, no network, and three descriptors.
//
// Security: a guest may take QEMU over. Whatever then speaks through its three
// sockets is bounded in size and time; what it can reach is what the jail lets it,
// and a template's memory that it has open cannot be changed through it (Guard).
//
// Layer: beneath the microVM tier, beside nothing. It is given the tier that
// confines QEMU as a value.
package qemu

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"

	"ambit.dev/ambit/internal/enforce/microvm/machine"
)

// Driver runs machines. Its fields are not changed once it is used.
type Driver struct {
	Program string // QEMU
	Jail    Jail
	With    machine.Accel
	// TSC is the rate of the clock that an emulated guest is told, in kHz. It is a
	// part of the fingerprint.
	TSC int
	// Proof is the file that keeps what Probe found for KVM, and Trial the shape
	// that it boots to find it.
	Proof string
	Trial machine.Shape
	// Ready waits on a machine's channel until its guest has booted.
	Ready func(c net.Conn, until time.Time) error
}

// DefaultTSC is the rate that emulated guests are told: any will do, and one that
// never changes keeps templates good.
const DefaultTSC = 2_000_000

// Accel is what its machines run with.
func (d Driver) Accel() machine.Accel { return d.With }

// vm is one QEMU process.
type vm struct {
	d       Driver
	life    context.Context // for commands that nobody cancels
	shape   machine.Shape
	mark    machine.Fingerprint
	jailed  Jailed
	qmp     *qmp
	monitor *net.UnixConn
	channel net.Conn
	console *console
	memory  string // saving: the file that it shares
	ended   chan struct{}
	lost    error // how it ended; valid when ended is closed
	once    sync.Once
}

// Start boots a machine.
func (d Driver) Start(ctx context.Context, s machine.Shape) (machine.Machine, error) {
	return d.start(ctx, s, whole, "")
}

// Save boots a machine whose memory is a file, so that it can become a template.
func (d Driver) Save(ctx context.Context, s machine.Shape, dir string) (machine.Machine, error) {
	memory := filepath.Join(dir, memoryFile)
	f, err := os.OpenFile(memory, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("make the file of a template's memory: %w", err)
	}
	if err := errors.Join(f.Truncate(int64(s.Memory)<<20), f.Close()); err != nil {
		return nil, fmt.Errorf("make the file of a template's memory: %w", err)
	}
	return d.start(ctx, s, saving, memory)
}

// start hands QEMU one end of a socket pair for its monitor, its channel and its
// console: there is no path to find, to guard or to clean up.
func (d Driver) start(ctx context.Context, s machine.Shape, w way, memory string) (_ *vm, err error) {
	v := &vm{d: d, life: context.WithoutCancel(ctx), shape: s, memory: memory, ended: make(chan struct{})}
	if v.mark, err = d.Fingerprint(ctx, s); err != nil {
		return nil, err
	}
	var ours [3]*net.UnixConn
	var theirs [3]*os.File
	defer func() {
		for _, f := range theirs {
			if f != nil {
				_ = f.Close() // QEMU has its own
			}
		}
		if err != nil {
			v.discard(ours[:])
		}
	}()
	for i := range ours {
		if ours[i], theirs[i], err = pair(); err != nil {
			return nil, err
		}
	}
	v.monitor, v.channel, v.console = ours[0], ours[1], newConsole(ours[2])
	go v.console.drain()
	cell := Cell{Session: s.Session, Program: d.Program, Memory: s.Memory, Stdio: theirs, Frozen: w == cloned, KVM: d.With == machine.KVM,
		Argv:  append([]string{d.Program}, arguments(d.With, s.Memory, d.TSC, w)...),
		Files: []File{{s.Kernel, atKernel, false}, {s.Initrd, atInitrd, false}, {s.Root, atRoot, false}}}
	if memory != "" {
		cell.Files = append(cell.Files, File{memory, atMemory, true})
	}
	if v.jailed, err = d.Jail.Start(ctx, cell); err != nil {
		return nil, fmt.Errorf("start QEMU in its jail: %w", err)
	}
	for i, f := range theirs {
		_ = f.Close() // QEMU has its own: when it ends, that is heard at once
		theirs[i] = nil
	}
	go v.watch()
	if v.qmp, err = newQMP(ctx, v.monitor); err != nil {
		return nil, fmt.Errorf("%w%s", err, v.said())
	}
	return v, nil
}

// said is what QEMU said last, for an error.
func (v *vm) said() string {
	text := v.console.tail()
	if len(text) == 0 {
		return ""
	}
	return fmt.Sprintf("; it said %q", text[max(0, len(text)-400):])
}

func (v *vm) watch() {
	v.lost = v.jailed.Wait()
	close(v.ended)
}

func (v *vm) discard(ours []*net.UnixConn) {
	if v.jailed != nil {
		_ = v.jailed.Kill() // it may have ended
		<-v.ended
	}
	for _, c := range ours {
		if c != nil {
			_ = c.Close() // nobody listens any more
		}
	}
}

func (v *vm) Channel() net.Conn       { return v.channel }
func (v *vm) PID() int                { return v.jailed.PID() }
func (v *vm) Console() []byte         { return v.console.tail() }
func (v *vm) Ended() <-chan struct{}  { return v.ended }
func (v *vm) Layers() []machine.Layer { return v.jailed.Layers() }

// Pause stops the guest's processor.
func (v *vm) Pause() error { return v.qmp.do(v.life, "stop", nil, nil) }

// Resume lets it go on.
func (v *vm) Resume() error { return v.qmp.do(v.life, "cont", nil, nil) }

// Close asks QEMU to end and kills it when it does not. A guest's own power-off is
// not relied on.
func (v *vm) Close(grace time.Duration) error {
	v.once.Do(func() {
		if grace > 0 {
			ask, cancel := context.WithTimeout(v.life, grace)
			if v.qmp.do(ask, "quit", nil, nil) == nil {
				select {
				case <-v.ended:
				case <-ask.Done():
				}
			}
			cancel()
		}
		_ = v.jailed.Kill() // it may have ended
		<-v.ended
		_ = errors.Join(v.monitor.Close(), v.channel.Close()) // nobody is at their other ends
		v.console.close()
	})
	<-v.ended
	return v.lost
}

// Find looks for QEMU where distributions have it.
func Find() (string, error) {
	for _, dir := range []string{"/usr/bin", "/usr/local/bin", "/opt/homebrew/bin"} {
		p := filepath.Join(dir, "qemu-system-x86_64")
		if fi, err := os.Stat(p); err == nil && fi.Mode().IsRegular() {
			return filepath.EvalSymlinks(p)
		}
	}
	return "", errors.New("QEMU (qemu-system-x86_64) is not installed: on Debian, apt-get install --no-install-recommends qemu-system-x86")
}
