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
	"syscall"
	"time"

	"ambit.dev/ambit/test/guest/job"
)

// A machine is what one guest is started from.
type machine struct {
	kernel    kernel
	processor string // QEMU's name of its model
	disk      string
	initrd    string
	console   string // file that gets what the kernel says
}

// arguments are those of QEMU: emulated, so that no /dev/kvm is needed; nothing
// but a disk whose changes are thrown away, the console and one port. The two
// last words of the command line keep the kernel from measuring clocks against
// each other, which fails under emulation on a busy host.
func (m machine) arguments() []string {
	return []string{
		"-sandbox", "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny",
		"-accel", "tcg,thread=multi", "-machine", "q35", "-cpu", m.processor, "-smp", "2", "-m", "2048",
		"-nodefaults", "-no-user-config", "-display", "none", "-no-reboot",
		"-kernel", m.kernel.image, "-initrd", m.initrd,
		"-append", "console=ttyS0 panic=-1 mitigations=off no_timer_check tsc_early_khz=1000000",
		"-serial", "file:" + m.console,
		"-drive", "file=" + m.disk + ",format=raw,if=virtio,snapshot=on",
		"-device", "virtio-serial-pci", "-chardev", "stdio,id=events,signal=off",
		"-device", "virtserialport,chardev=events,name=" + job.Port,
	}
}

// run boots the machine and tells what comes out of it, until it is off or the
// deadline has passed.
func (m machine) run(ctx context.Context, tell func(job.Event)) error {
	cmd := exec.CommandContext(ctx, "qemu-system-x86_64", m.arguments()...)
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
