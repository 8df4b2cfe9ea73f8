package build

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
)

// initramfs is what the kernel starts with: the guest's first program and the
// modules, named so that their order is that of their names.
func initramfs(guest string, modules []string) ([]byte, error) {
	var a archive
	for _, d := range []string{"dev", "proc", "sys", "modules"} {
		a.put(d, 0o040755, nil, 0, 0)
	}
	a.put("dev/console", 0o020600, nil, 5, 1)
	program, err := os.ReadFile(guest)
	if err != nil {
		return nil, fmt.Errorf("read the guest's program: %w", err)
	}
	a.put("init", 0o100755, program, 0, 0)
	for i, p := range modules {
		text, err := os.ReadFile(p)
		if err != nil {
			return nil, fmt.Errorf("read a module: %w", err)
		}
		a.put(fmt.Sprintf("modules/%02d-%s", i, filepath.Base(p)), 0o100644, text, 0, 0)
	}
	a.put("TRAILER!!!", 0, nil, 0, 0)
	return a.Bytes(), nil
}

// An archive is a cpio file of the kind that the kernel unpacks (newc:
// Documentation/driver-api/early-userspace/buffer-format.rst). Times are 0, so
// that the same contents are the same bytes.
type archive struct {
	bytes.Buffer
	inode int
}

func (a *archive) put(name string, mode uint32, data []byte, major, minor int) {
	a.inode++
	// owner, group, links, time, size, device, special device, length of the name, sum
	fmt.Fprintf(a, "070701%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%s\x00",
		a.inode, mode, 0, 0, 1, 0, len(data), 0, 0, major, minor, len(name)+1, 0, name)
	a.pad()
	a.Write(data)
	a.pad()
}

func (a *archive) pad() { a.Write(make([]byte, -a.Len()&3)) }
