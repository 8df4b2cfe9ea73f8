package view

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// What is read of an ELF file (elf(5)): in the header, where the program headers
// stand, how long one is and how many there are; in a program header, its type,
// and where its content stands. The two layouts are those of 32 and 64 bits.
type elfLayout struct {
	size             int // of the header
	table            int // offset of e_phoff
	entry, entries   int // offsets of e_phentsize and e_phnum
	each             int // length of a program header; the kernel takes no other
	offset, fileSize int // offsets of p_offset and p_filesz in it
	wide             bool
}

var (
	elf32 = elfLayout{size: 52, table: 28, entry: 42, entries: 44, each: 32, offset: 4, fileSize: 16}
	elf64 = elfLayout{size: 64, table: 32, entry: 54, entries: 56, each: 56, offset: 8, fileSize: 32, wide: true}
)

const (
	elfInterp = 3    // PT_INTERP
	maxLoader = 4096 // PATH_MAX
	maxTable  = 1 << 16
)

var errELF = errors.New("a damaged program: its ELF header leads nowhere")

// loaderOf reads the path of the loader that the kernel starts for the program f,
// which begins with head; "" if it starts by itself, or is no ELF file. The
// package debug/elf would read all sections, and bring readers of compressed
// ones along, for the sake of this one string.
func loaderOf(head []byte, f io.ReaderAt) (string, error) {
	if !bytes.HasPrefix(head, []byte("\x7fELF")) {
		return "", nil
	}
	if len(head) < elf64.size {
		return "", errELF
	}
	l, order := elf64, binary.ByteOrder(binary.LittleEndian)
	if head[4] == 1 {
		l = elf32
	}
	if head[5] == 2 {
		order = binary.BigEndian
	}
	number := func(b []byte) int64 {
		if l.wide {
			return int64(order.Uint64(b))
		}
		return int64(order.Uint32(b))
	}
	length := l.each * int(order.Uint16(head[l.entries:]))
	if int(order.Uint16(head[l.entry:])) != l.each || length > maxTable {
		return "", errELF
	}
	table, err := part(f, number(head[l.table:]), length)
	if err != nil {
		return "", err
	}
	for ; len(table) > 0; table = table[l.each:] {
		if order.Uint32(table) != elfInterp {
			continue
		}
		name, err := part(f, number(table[l.offset:]), int(min(max(number(table[l.fileSize:]), 0), maxLoader)))
		return string(bytes.TrimRight(name, "\x00")), err
	}
	return "", nil
}

func part(f io.ReaderAt, offset int64, n int) ([]byte, error) {
	if offset < 0 {
		return nil, errELF
	}
	b := make([]byte, n)
	if _, err := f.ReadAt(b, offset); err != nil {
		return nil, fmt.Errorf("%w: %w", errELF, err)
	}
	return b, nil
}
