package guest

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"time"

	"ambit.dev/ambit/test/guest/job"
)

// A model is a kind of machine.
type model struct {
	qemu      string   // the emulator
	machine   string   // its name of the machine
	processor string   // and of the processor
	console   string   // Linux' name of the serial port
	arch      string   // Go's name of the architecture
	packages  string   // folder of the packages of the root file system; "": those that this host has installed
	boot      []string // words for the kernel
}

// pc is a machine like those that most people have. The two last words keep the
// kernel from measuring clocks against each other, which fails under emulation on
// a busy host.
func pc(processor string) model {
	return model{qemu: "qemu-system-x86_64", machine: "q35", processor: processor, console: "ttyS0", arch: "amd64",
		boot: []string{"mitigations=off", "no_timer_check", "tsc_early_khz=1000000"}}
}

// A machine is what one guest is started from.
type machine struct {
	kernel  kernel
	model   model
	disk    string
	initrd  string
	console string // file that gets what the kernel says
}

// arguments are those of QEMU: emulated, so that no /dev/kvm is needed; nothing
// but a disk whose changes are thrown away, the console and one port.
func (m machine) arguments() []string {
	return []string{
		"-sandbox", "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny",
		"-accel", "tcg,thread=multi", "-machine", m.model.machine, "-cpu", m.model.processor, "-smp", "2", "-m", "2048",
		"-nodefaults", "-no-user-config", "-display", "none", "-no-reboot",
		"-kernel", m.kernel.image, "-initrd", m.initrd,
		"-append", "console=" + m.model.console + " panic=-1 " + strings.Join(m.model.boot, " "),
		"-serial", "file:" + m.console,
		"-drive", "file=" + m.disk + ",format=raw,if=none,id=root,snapshot=on", "-device", "virtio-blk-pci,drive=root",
		"-device", "virtio-serial-pci", "-chardev", "stdio,id=events,signal=off",
		"-device", "virtserialport,chardev=events,name=" + job.Port,
	}
}

// run boots the machine and tells what comes out of it, until it is off or the
// deadline has passed.
func (m machine) run(ctx context.Context, tell func(job.Event)) error {
	cmd := exec.CommandContext(ctx, m.model.qemu, m.arguments()...)
	cmd.WaitDelay = 10 * time.Second
	// A guest must not outlive its test. The signal is bound to this thread.
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var complaints bytes.Buffer
	cmd.Stderr = &complaints
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	// Nothing is written to it. At its end QEMU would take the port for closed,
	// and writing to that waits.
	in, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	defer in.Close()
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start QEMU: %w", err)
	}
	lines := bufio.NewReader(out)
	for err == nil {
		var line []byte
		if line, err = lines.ReadBytes('\n'); err != nil {
			break
		}
		var e job.Event
		if bad := json.Unmarshal(line, &e); bad != nil {
			e = job.Event{Job: -1, Out: line}
		}
		tell(e)
	}
	err = cmd.Wait()
	if ctx.Err() != nil {
		err = errors.Join(ctx.Err(), err)
	}
	if err != nil {
		return fmt.Errorf("the guest did not end by itself: %w\n%s\nits console ends with:\n%s", err, complaints.Bytes(), m.tail())
	}
	return nil
}

// tail is the end of what the kernel said.
func (m machine) tail() []byte {
	text, _ := os.ReadFile(m.console) // there may be none
	return text[max(0, len(text)-4000):]
}
