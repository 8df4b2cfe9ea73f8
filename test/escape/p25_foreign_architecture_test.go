package escape_test

import (
	"os/exec"
	"testing"
)

// P25: the calls of the 32-bit architecture have other numbers, so a filter
// that looks at numbers alone lets them pass (seccomp(2)). Any is death.
func TestP25ForeignArchitecture(t *testing.T) {
	t.Parallel()
	// mov eax, 20 (getpid of i386); int 0x80; xor edi, edi; mov eax, 60; syscall
	from64 := []byte{0xb8, 20, 0, 0, 0, 0xcd, 0x80, 0x31, 0xff, 0xb8, 60, 0, 0, 0, 0x0f, 0x05}
	// mov eax, 1 (exit of i386); xor ebx, ebx; int 0x80
	from32 := []byte{0xb8, 1, 0, 0, 0, 0x31, 0xdb, 0xcd, 0x80}
	for name, write := range map[string]func(path string){
		"int 0x80 from a 64-bit program": func(p string) { writeELF64(t, p, from64) },
		"a 32-bit program":               func(p string) { writeELF32(t, p, from32) },
	} {
		t.Run(name, func(t *testing.T) {
			f := newField(t)
			program := f.work("program")
			write(program)
			if err := exec.Command(program).Run(); err != nil {
				t.Skipf("requires: a kernel that runs 32-bit calls (%v)", err)
			}
			out, err := f.box(t, program).CombinedOutput()
			if status := exitStatus(err); status != 128+31 {
				t.Errorf("P25: got exit %d %s, want death by SIGSYS", status, out)
			}
		})
	}
}
