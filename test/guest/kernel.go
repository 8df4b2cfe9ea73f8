package guest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"ambit.dev/ambit/test/guest/job"
)

// A kernel is a distribution's package of one, unpacked and not installed.
type kernel struct {
	release string
	image   string // what QEMU starts
	modules string // the folder of its modules
}

// findKernel looks into the folder of an unpacked package.
func findKernel(dir string) (kernel, error) {
	images, err := filepath.Glob(filepath.Join(dir, "boot", "vmlinuz-*"))
	if err != nil || len(images) != 1 {
		return kernel{}, fmt.Errorf("%s has %d kernels, want one (scripts/guest.sh puts it there): %v", dir, len(images), err)
	}
	release := strings.TrimPrefix(filepath.Base(images[0]), "vmlinuz-")
	k := kernel{release: release, image: images[0], modules: filepath.Join(dir, "lib", "modules", release)}
	if _, err := os.Stat(filepath.Join(k.modules, "modules.dep")); err == nil {
		return k, nil
	}
	if out, err := exec.Command("depmod", "-b", dir, release).CombinedOutput(); err != nil { //nolint:noctx // it ends at once
		return k, fmt.Errorf("depmod: %w: %s", err, out)
	}
	return k, nil
}

// order returns the files of the named modules and of all that they need, what
// is needed first. What is built in needs no file.
func (k kernel) order(names ...string) (files []string, err error) {
	builtin, err := os.ReadFile(filepath.Join(k.modules, "modules.builtin"))
	if err != nil {
		return nil, err
	}
	text, err := os.ReadFile(filepath.Join(k.modules, "modules.dep"))
	if err != nil {
		return nil, err
	}
	needs, path := map[string][]string{}, map[string]string{}
	for line := range strings.Lines(string(text)) {
		file, after, _ := strings.Cut(line, ":")
		needs[file] = strings.Fields(after)
		path[moduleName(file)] = file
	}
	seen := map[string]bool{}
	var add func(file string)
	add = func(file string) {
		if seen[file] {
			return
		}
		seen[file] = true
		for _, n := range needs[file] {
			add(n)
		}
		files = append(files, file)
	}
	for _, name := range names {
		file, ok := path[name]
		switch {
		case ok:
			add(file)
		case !bytes.Contains(builtin, []byte("/"+name+".ko")):
			return nil, fmt.Errorf("no module %s in Linux %s", name, k.release)
		}
	}
	return files, nil
}

func moduleName(file string) string {
	name, _, _ := strings.Cut(filepath.Base(file), ".ko")
	return name
}

// early are the modules without which there is no disk and no port.
var early = []string{"virtio_pci", "virtio_blk", "virtio_console", "ext4"}

// initramfs makes the first file system of a guest: its first process, modules
// and jobs.
func (k kernel) initramfs(inside string, jobs []job.Job) ([]byte, error) {
	files, err := k.order(early...)
	if err != nil {
		return nil, err
	}
	var a archive
	for _, d := range []string{"dev", "proc", "root", "modules"} {
		a.folder(d)
	}
	program, err := os.ReadFile(inside)
	if err != nil {
		return nil, err
	}
	a.file("init", 0o755, program)
	l := job.List{Disk: "/dev/vda", Jobs: jobs}
	for _, f := range files {
		text, err := os.ReadFile(filepath.Join(k.modules, f))
		if err != nil {
			return nil, err
		}
		name := "modules/" + filepath.Base(f)
		a.file(name, 0o644, text)
		l.Modules = append(l.Modules, "/"+name)
	}
	text, err := json.Marshal(l)
	if err != nil {
		return nil, err
	}
	a.file(strings.TrimPrefix(job.ListFile, "/"), 0o644, text)
	return a.end(), nil
}

// An archive is a cpio file of the kind that the kernel unpacks (newc:
// Documentation/driver-api/early-userspace/buffer-format.rst).
type archive struct {
	bytes.Buffer
	inode int
}

func (a *archive) entry(name string, mode uint32, content []byte) {
	a.inode++
	fmt.Fprintf(a, "070701%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%s\x00",
		a.inode, mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(name)+1, 0, name)
	a.pad()
	a.Write(content)
	a.pad()
}

func (a *archive) pad() { a.Write(make([]byte, -a.Len()&3)) }

func (a *archive) folder(name string) { a.entry(name, 0o40755, nil) }
func (a *archive) file(name string, mode uint32, content []byte) {
	a.entry(name, 0o100000|mode, content)
}

func (a *archive) end() []byte {
	a.entry("TRAILER!!!", 0, nil)
	return a.Bytes()
}
