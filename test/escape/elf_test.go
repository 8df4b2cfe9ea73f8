package escape_test

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"os"
	"syscall"
	"testing"
)

// writeELF64 writes the smallest program that the kernel starts: code only.
func writeELF64(t *testing.T, path string, code []byte) {
	t.Helper()
	const base, head = 0x400000, 64 + 56
	var b bytes.Buffer
	size := uint64(head + len(code))
	put(&b, elf.Header64{Ident: ident(elf.ELFCLASS64), Type: uint16(elf.ET_EXEC), Machine: uint16(elf.EM_X86_64), Version: 1, Entry: base + head,
		Phoff: 64, Ehsize: 64, Phentsize: 56, Phnum: 1})
	put(&b, elf.Prog64{Type: uint32(elf.PT_LOAD), Flags: 5, Vaddr: base, Paddr: base, Filesz: size, Memsz: size, Align: 0x1000})
	b.Write(code)
	write(t, path, b.Bytes())
}

// writeELF32 does so for the 32-bit architecture.
func writeELF32(t *testing.T, path string, code []byte) {
	t.Helper()
	const base, head = 0x8048000, 52 + 32
	var b bytes.Buffer
	size := uint32(head + len(code))
	put(&b, elf.Header32{Ident: ident(elf.ELFCLASS32), Type: uint16(elf.ET_EXEC), Machine: uint16(elf.EM_386), Version: 1, Entry: base + head,
		Phoff: 52, Ehsize: 52, Phentsize: 32, Phnum: 1})
	put(&b, elf.Prog32{Type: uint32(elf.PT_LOAD), Vaddr: base, Paddr: base, Filesz: size, Memsz: size, Flags: 5, Align: 0x1000})
	b.Write(code)
	write(t, path, b.Bytes())
}

func ident(class elf.Class) (id [elf.EI_NIDENT]byte) {
	copy(id[:], elf.ELFMAG)
	id[elf.EI_CLASS], id[elf.EI_DATA], id[elf.EI_VERSION] = byte(class), byte(elf.ELFDATA2LSB), 1
	return id
}

func put(b *bytes.Buffer, v any) { _ = binary.Write(b, binary.LittleEndian, v) } // a Buffer does not fail

// write writes a program, as copyProgram does.
func write(t *testing.T, path string, text []byte) {
	t.Helper()
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	if err := os.WriteFile(path, text, 0o755); err != nil {
		t.Fatal(err)
	}
}
