package qemu

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/enforce/microvm/machine"
)

// Fingerprint covers QEMU's file, all arguments, kernel, initramfs and image, the
// host's kernel, and the first processor's model, flags and microcode.
func (d Driver) Fingerprint(_ context.Context, s machine.Shape) (machine.Fingerprint, error) {
	program, err := stamp(d.Program)
	if err != nil {
		return "", err
	}
	var host unix.Utsname
	if err := unix.Uname(&host); err != nil {
		return "", err
	}
	return machine.Fingerprinted(append(arguments(d.With, s.Memory, d.TSC, saving),
		program, s.Digest, unix.ByteSliceToString(host.Release[:]), processor())...), nil
}

// stamp identifies an installed program without reading it: whoever can change it
// and leave its times as they were has the host anyway.
func stamp(path string) (string, error) {
	fi, err := os.Stat(path)
	if err != nil {
		return "", fmt.Errorf("look at QEMU: %w", err)
	}
	id := ""
	if st, ok := fi.Sys().(*syscall.Stat_t); ok {
		id = fmt.Sprint(st.Dev, " ", st.Ino, " ", st.Ctim.Nano())
	}
	return path + " " + strconv.FormatInt(fi.Size(), 10) + " " + fi.ModTime().UTC().String() + " " + id, nil
}

// processor is what /proc/cpuinfo says of the first one, apart from what changes.
func processor() string {
	text, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return "unknown"
	}
	first, _, _ := strings.Cut(string(text), "\n\n")
	var b strings.Builder
	for line := range strings.Lines(first) {
		switch key, _, _ := strings.Cut(line, ":"); strings.TrimSpace(key) {
		case "model name", "microcode", "flags":
			b.WriteString(line)
		}
	}
	return b.String()
}
