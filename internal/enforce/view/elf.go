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
	elfFixed   = 2          // ET_EXEC
	elfShared  = 3          // ET_DYN
	elfDynamic = 2          // PT_DYNAMIC
	elfInterp  = 3          // PT_INTERP
	flags1     = 0x6ffffffb // DT_FLAGS_1
	flagPIE    = 0x08000000 // DF_1_PIE
	maxLoader  = 4096       // PATH_MAX
	maxTable   = 1 << 16
)

var errELF = errors.New("a damaged program: its ELF header leads nowhere")

// An elfFile is an ELF file by its header. The package debug/elf would read all
// sections, and bring readers of compressed ones along, which every start would
// pay for.
type elfFile struct {
	elfLayout
	order binary.ByteOrder
	head  []byte
	f     io.ReaderAt
}

// openELF reads the header of f, which begins with head; ok is false if it is no
// ELF file.
func openELF(head []byte, f io.ReaderAt) (e elfFile, ok bool, err error) {
	if !bytes.HasPrefix(head, []byte("\x7fELF")) {
		return e, false, nil
	}
	if len(head) < elf64.size {
		return e, true, errELF
	}
	e = elfFile{elf64, binary.LittleEndian, head, f}
	if head[4] == 1 {
		e.elfLayout = elf32
	}
	if head[5] == 2 {
		e.order = binary.BigEndian
	}
	return e, true, nil
}

// number reads a number of the width of an address.
func (e elfFile) number(b []byte) int64 {
	if e.wide {
		return int64(e.order.Uint64(b))
	}
	return int64(e.order.Uint32(b))
}

// kind is e_type.
func (e elfFile) kind() uint16 { return e.order.Uint16(e.head[16:]) }

// segment reads the content of the first segment of a type, of which no more than
// limit bytes are wanted; found is false if there is none.
func (e elfFile) segment(kind uint32, limit int64) (content []byte, found bool, err error) {
	length := e.each * int(e.order.Uint16(e.head[e.entries:]))
	if int(e.order.Uint16(e.head[e.entry:])) != e.each || length > maxTable {
		return nil, false, errELF
	}
	table, err := part(e.f, e.number(e.head[e.table:]), length)
	if err != nil {
		return nil, false, err
	}
	for ; len(table) > 0; table = table[e.each:] {
		if e.order.Uint32(table) == kind {
			content, err = part(e.f, e.number(table[e.offset:]), int(min(max(e.number(table[e.fileSize:]), 0), limit)))
			return content, true, err
		}
	}
	return nil, false, nil
}

// loaderOf reads the path of the loader that the kernel starts for the program f,
// which begins with head; "" if it starts by itself, or is no ELF file.
func loaderOf(head []byte, f io.ReaderAt) (string, error) {
	e, ok, err := openELF(head, f)
	if !ok || err != nil {
		return "", err
	}
	name, _, err := e.segment(elfInterp, maxLoader)
	return string(bytes.TrimRight(name, "\x00")), err
}

// startable reports whether a loader could start f, which begins with head: an
// executable at a fixed address, or one that is told from a library by its
// interpreter or its flags.
func startable(head []byte, f io.ReaderAt) bool {
	e, ok, err := openELF(head, f)
	if !ok || err != nil {
		return false
	}
	if e.kind() != elfShared {
		return e.kind() == elfFixed
	}
	if _, interpreted, _ := e.segment(elfInterp, maxLoader); interpreted {
		return true // also if its interpreter cannot be read
	}
	dynamic, _, err := e.segment(elfDynamic, maxTable)
	if err != nil {
		return false
	}
	word := 4
	if e.wide {
		word = 8
	}
	for ; len(dynamic) >= 2*word; dynamic = dynamic[2*word:] {
		if e.number(dynamic) == flags1 {
			return e.number(dynamic[word:])&flagPIE != 0
		}
	}
	return false
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
