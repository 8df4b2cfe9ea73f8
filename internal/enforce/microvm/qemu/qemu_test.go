package qemu

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"ambit.dev/ambit/internal/enforce/microvm/machine"
)

// after is what follows an argument.
func after(args []string, name string) string {
	i := slices.Index(args, name)
	if i < 0 || i+1 == len(args) {
		return ""
	}
	return args[i+1]
}

func TestArguments(t *testing.T) {
	for _, c := range []struct {
		with         machine.Accel
		accel, cpu   string
		filter, told bool
	}{
		{machine.TCG, "tcg,thread=multi,tb-size=128", "max,la57=off,avx=off,avx2=off,f16c=off,fma=off,erms=off,fsrm=off", true, true},
		{machine.KVM, "kvm", "host", true, false},
		{machine.HVF, "hvf", "host", false, false},
		{machine.WHPX, "whpx,kernel-irqchip=off", "max", false, false},
	} {
		args := arguments(c.with, 512, 2_000_000, whole)
		if got := after(args, "-accel"); got != c.accel {
			t.Errorf("%s: -accel %s", c.with, got)
		}
		if got := after(args, "-cpu"); got != c.cpu {
			t.Errorf("%s: -cpu %s", c.with, got)
		}
		if got := after(args, "-sandbox"); (got == sandbox) != c.filter {
			t.Errorf("%s: -sandbox %s", c.with, got)
		}
		if got := after(args, "-machine"); !strings.Contains(got, ",mem-merge=off") {
			t.Errorf("%s: -machine %s", c.with, got)
		}
		words := after(args, "-append")
		if strings.Contains(words, "tsc_early_khz=2000000") != c.told || !strings.Contains(words, "panic=-1") {
			t.Errorf("%s: -append %s", c.with, words)
		}
		for _, must := range []string{"-nodefaults", "-no-user-config", "-no-reboot"} {
			if !slices.Contains(args, must) {
				t.Errorf("%s: no %s", c.with, must)
			}
		}
		for _, a := range args {
			if strings.Contains(a, "-netdev") || strings.Contains(a, "tcp:") || strings.Contains(a, "unix:") || strings.Contains(a, "monitor") {
				t.Errorf("%s: %s", c.with, a)
			}
		}
		if disks := slices.DeleteFunc(slices.Clone(args), func(a string) bool { return !strings.HasPrefix(a, "driver=") }); len(disks) != 2 || !strings.Contains(disks[0], "read-only=on") || !strings.Contains(disks[1], "read-only=on") {
			t.Errorf("%s: disks %q", c.with, disks)
		}
	}
}

// TestWays: a template and its clones differ in their memory alone.
func TestWays(t *testing.T) {
	save, clone := arguments(machine.TCG, 256, 1, saving), arguments(machine.TCG, 256, 1, cloned)
	if got := after(save, "-object"); got != "memory-backend-file,id=ram,size=256M,mem-path=/vm/ram,share=on" {
		t.Errorf("got %s", got)
	}
	if got := after(clone, "-object"); got != "memory-backend-file,id=ram,size=256M,mem-path=/vm/ram,share=off" {
		t.Errorf("got %s", got)
	}
	if after(clone, "-incoming") != "defer" || !slices.Equal(save[:len(save)-2], clone[:len(clone)-4]) {
		t.Errorf("got %q and %q", save, clone)
	}
}

// TestLabels: an emulator is never called anything else.
func TestLabels(t *testing.T) {
	for a, want := range map[machine.Accel]string{machine.TCG: "microvm-emulated", machine.KVM: "microvm-kvm", machine.HVF: "microvm-unproven", machine.WHPX: "microvm-unproven", "": "microvm-unproven"} {
		if got := a.Label(); got != want {
			t.Errorf("%s: %s", a, got)
		}
	}
}

// TestProof takes the steps of the proof on hosts that are laid out.
func TestProof(t *testing.T) {
	host := func(files map[string]string) kvmHost {
		root := t.TempDir()
		for name, text := range files {
			p := filepath.Join(root, name)
			if err := os.MkdirAll(filepath.Dir(p), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(p, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		return kvmHost{root}
	}
	d := Driver{With: machine.KVM, Program: os.Args[0]}
	for want, h := range map[string]kvmHost{
		"neither vmx nor svm": host(map[string]string{"proc/cpuinfo": "flags\t: fpu sse\n"}),
		"PVM":                 host(map[string]string{"proc/cpuinfo": "flags\t: fpu vmx\n", "sys/module/kvm_pvm/x": ""}),
		"open /dev/kvm":       host(map[string]string{"proc/cpuinfo": "flags\t: fpu svm\n"}),
		"has version":         host(map[string]string{"proc/cpuinfo": "flags\t: fpu svm\n", "dev/kvm": ""}),
	} {
		if err := d.proveKVM(t.Context(), h); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
	if c := (Driver{With: machine.HVF}).Probe(t.Context()); c[0].Holds || !strings.Contains(c[0].Why, "never tried") {
		t.Errorf("got %+v", c)
	}
}

func TestProofIsKept(t *testing.T) {
	path := filepath.Join(t.TempDir(), "kvm.json")
	if _, ok := readProof(path, "k"); ok {
		t.Error("there was none")
	}
	if err := writeProof(path, "k", os.ErrDeadlineExceeded); err != nil {
		t.Fatal(err)
	}
	if err, ok := readProof(path, "k"); !ok || err == nil {
		t.Errorf("got %v %t", err, ok)
	}
	if _, ok := readProof(path, "another boot"); ok {
		t.Error("a proof of another boot was taken")
	}
}

// TestFingerprint: whatever a machine's state depends on changes it.
func TestFingerprint(t *testing.T) {
	d, s := Driver{With: machine.TCG, Program: os.Args[0], TSC: 1}, machine.Shape{Digest: "a", Memory: 512}
	mark := func(d Driver, s machine.Shape) machine.Fingerprint {
		f, err := d.Fingerprint(t.Context(), s)
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	first := mark(d, s)
	if first != mark(d, s) {
		t.Error("it is another each time")
	}
	for name, other := range map[string]func() machine.Fingerprint{
		"the image":       func() machine.Fingerprint { o := s; o.Digest = "b"; return mark(d, o) },
		"the memory":      func() machine.Fingerprint { o := s; o.Memory = 1024; return mark(d, o) },
		"the clock":       func() machine.Fingerprint { o := d; o.TSC = 2; return mark(o, s) },
		"the accelerator": func() machine.Fingerprint { o := d; o.With = machine.KVM; return mark(o, s) },
		"the program":     func() machine.Fingerprint { o := d; o.Program = "/proc/self/stat"; return mark(o, s) },
	} {
		if other() == first {
			t.Errorf("%s does not change it", name)
		}
	}
	if _, err := d.Clone(t.Context(), s, machine.Template{Fingerprint: "another", Memory: 512}); err == nil || !strings.Contains(err.Error(), "something else") {
		t.Errorf("a template of another machine was cloned: %v", err)
	}
}
