package qemu

import (
	"fmt"
	"strconv"
	"strings"

	"ambit.dev/ambit/internal/enforce/microvm/machine"
)

// Where QEMU finds its files: it has a view of its own.
const (
	atKernel, atInitrd, atRoot, atMemory = "/vm/kernel", "/vm/initrd", "/vm/root", "/vm/ram"
)

// Port is the name of the one port that the guest has.
const Port = "ambit.channel"

// What QEMU's own filter closes: old calls, gaining rights, starting programs,
// changing priorities and limits.
const sandbox = "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny"

// arguments are those of a machine.
//
// Security: the host's kernel does not merge the memory of machines (mem-merge), whose
// contents a machine could learn by how long it takes to write to what was merged.
//
// What is the same for a template and its clones comes first, and the fingerprint covers
// it; way says whether memory is the template's own file or a private copy of it.
func arguments(a machine.Accel, memory, tscKHz int, w way) []string {
	accel, cpu := string(a), "host"
	words := []string{"console=ttyS0", "quiet", "panic=-1", "random.trust_cpu=off",
		// Of the guest's first program, which gets them as variables: its runtime
		// need not look for a change of processors, nor interrupt what runs long.
		"GOMAXPROCS=1", "GODEBUG=asyncpreemptoff=1"}
	switch a {
	case machine.TCG:
		// On a busy host the kernel fails to measure its clocks against each other
		// while it is emulated, and hangs.
		// What it keeps of translated code is bounded: it would be a gigabyte. Page
		// tables of five levels are one more to walk for every page. Wide vectors,
		// which kernel and libraries use where a processor says that it has them,
		// cost an emulator more than they spare: a quarter of a clone's start. So do the
		// instructions that copy a whole string, which it carries out piece by piece.
		accel, cpu = "tcg,thread=multi,tb-size=128", "max,la57=off,avx=off,avx2=off,f16c=off,fma=off,erms=off,fsrm=off"
		words = append(words, "mitigations=off", "no_timer_check", fmt.Sprintf("tsc_early_khz=%d", tscKHz))
	case machine.WHPX:
		accel, cpu = "whpx,kernel-irqchip=off", "max"
	case machine.KVM, machine.HVF:
	}
	args := []string{
		"-sandbox", sandbox,
		"-accel", accel, "-machine", "microvm,acpi=on,memory-backend=ram,mem-merge=off", "-cpu", cpu, "-smp", "1", "-m", strconv.Itoa(memory),
		"-nodefaults", "-no-user-config", "-display", "none", "-no-reboot",
		// The three descriptors that it is started with: nothing has a path.
		"-chardev", "socket,id=qmp,fd=0", "-mon", "chardev=qmp,mode=control",
		"-chardev", "socket,id=channel,fd=1", "-device", "virtio-serial-device,id=serial",
		"-device", "virtserialport,bus=serial.0,chardev=channel,name=" + Port,
		"-chardev", "socket,id=console,fd=2", "-serial", "chardev:console",
		"-device", "virtio-rng-device",
		"-blockdev", "driver=file,node-name=file,filename=" + atRoot + ",read-only=on,locking=off",
		"-blockdev", "driver=raw,node-name=root,file=file,read-only=on", "-device", "virtio-blk-device,drive=root",
		"-kernel", atKernel, "-initrd", atInitrd, "-append", strings.Join(words, " "),
	}
	if a != machine.TCG && a != machine.KVM { // the filter is Linux's
		args = args[2:]
	}
	return append(args, w.arguments(memory)...)
}

// way is how a machine has its memory.
type way int

const (
	whole  way = iota // of its own, anonymous
	saving            // in a file that it shares: it becomes a template
	cloned            // a template's file, privately: pages are copied when they are written
)

func (w way) arguments(memory int) []string {
	size := fmt.Sprintf("id=ram,size=%dM", memory)
	switch w {
	case saving:
		return []string{"-object", "memory-backend-file," + size + ",mem-path=" + atMemory + ",share=on"}
	case cloned:
		return []string{"-object", "memory-backend-file," + size + ",mem-path=" + atMemory + ",share=off", "-incoming", "defer"}
	case whole:
	}
	return []string{"-object", "memory-backend-ram," + size}
}
