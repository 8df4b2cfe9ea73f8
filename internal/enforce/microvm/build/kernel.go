package build

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
)

// largestKernel bounds what is unpacked.
const largestKernel = 256 << 20

// vmlinux takes the ELF image out of a bzImage (Documentation/arch/x86/boot.rst):
// QEMU keeps a bzImage in its own heap, once for each machine. Debian packs its
// cloud kernel with LZ4; what is packed otherwise stays as it is, and boots too.
func vmlinux(d []byte) ([]byte, error) {
	if bytes.HasPrefix(d, []byte("\x7fELF")) {
		return d, nil
	}
	p, err := payload(d)
	if err != nil {
		return nil, err
	}
	packed, ok := bytes.CutPrefix(p, []byte{0x02, 0x21, 0x4c, 0x18})
	if !ok {
		return d, nil
	}
	out, err := unlz4(packed)
	if err != nil {
		return nil, err
	}
	if !bytes.HasPrefix(out, []byte("\x7fELF")) {
		return nil, errors.New("what is packed in the kernel is no ELF image")
	}
	return out, nil
}

// payload reads the header of the boot protocol; the last four bytes of the
// payload are the unpacked length.
func payload(d []byte) ([]byte, error) {
	if len(d) < 0x260 || string(d[0x202:0x206]) != "HdrS" {
		return nil, errors.New("it is no kernel image (bzImage)")
	}
	sectors := int(d[0x1f1])
	if sectors == 0 {
		sectors = 4
	}
	at := (sectors+1)*512 + int(binary.LittleEndian.Uint32(d[0x248:]))
	end := at + int(binary.LittleEndian.Uint32(d[0x24c:])) - 4
	if at+6 > end || end > len(d) {
		return nil, errors.New("the kernel's payload lies outside of it")
	}
	return d[at:end], nil
}

var errLZ4 = errors.New("the kernel's LZ4 block is damaged")

// unlz4 unpacks the legacy frame: blocks, each with its packed length in front
// (lib/decompress_unlz4.c).
func unlz4(p []byte) (out []byte, err error) {
	for len(p) >= 4 {
		n := int(binary.LittleEndian.Uint32(p))
		if p = p[4:]; n > len(p) {
			return nil, fmt.Errorf("%w: of %d bytes, %d left", errLZ4, n, len(p))
		}
		if out, err = lz4Block(out, p[:n]); err != nil {
			return nil, err
		}
		p = p[n:]
	}
	return out, nil
}

// lz4Block appends what a block unpacks to. Matches reach back within the block.
func lz4Block(out, p []byte) ([]byte, error) {
	start := len(out)
	for len(p) > 0 {
		token := p[0]
		n, rest, ok := lz4Length(int(token>>4), p[1:])
		if !ok || n > len(rest) || len(out)+n > largestKernel {
			return nil, errLZ4
		}
		out = append(out, rest[:n]...)
		if p = rest[n:]; len(p) == 0 {
			return out, nil // the last sequence has literals only
		}
		if len(p) < 2 {
			return nil, errLZ4
		}
		from := len(out) - int(binary.LittleEndian.Uint16(p))
		n, p, ok = lz4Length(int(token&15), p[2:])
		if !ok || from < start || from >= len(out) || len(out)+n > largestKernel {
			return nil, errLZ4
		}
		for i := range n + 4 { // it may overlap what it writes
			out = append(out, out[from+i])
		}
	}
	return out, nil
}

// lz4Length reads the rest of a length that does not fit into its half byte.
func lz4Length(n int, p []byte) (int, []byte, bool) {
	if n != 15 {
		return n, p, true
	}
	for i, b := range p {
		if n += int(b); b != 255 {
			return n, p[i+1:], n <= largestKernel
		}
	}
	return 0, nil, false
}
