package audit_test

import (
	"maps"
	"os"
	"path/filepath"
	"syscall"

	"ambit.dev/ambit/internal/audit"
)

// countedDisk calls before in front of every change. before returns how much of
// it to do: the change itself is done only if the error is nil; of a write that
// is refused, the first part bytes are.
type countedDisk struct {
	audit.Disk
	before func(op string, size int) (part int, err error)
	after  func() // called behind the part of a write; may be nil
}

func (d countedDisk) Create(path string, perm os.FileMode) (*os.File, error) {
	if _, err := d.before("create", 0); err != nil {
		return nil, err
	}
	return d.Disk.Create(path, perm)
}

func (d countedDisk) WriteAt(f *os.File, b []byte, offset int64) error {
	if part, err := d.before("write", len(b)); err != nil {
		_ = d.Disk.WriteAt(f, b[:part], offset)
		if d.after != nil {
			d.after()
		}
		return err
	}
	return d.Disk.WriteAt(f, b, offset)
}

func (d countedDisk) Truncate(f *os.File, size int64) error {
	if _, err := d.before("truncate", 0); err != nil {
		return err
	}
	return d.Disk.Truncate(f, size)
}

func (d countedDisk) Sync(f *os.File) error {
	if _, err := d.before("sync", 0); err != nil {
		return err
	}
	return d.Disk.Sync(f)
}

func (d countedDisk) Rename(from, to string) error {
	if _, err := d.before("rename", 0); err != nil {
		return err
	}
	return d.Disk.Rename(from, to)
}

func (d countedDisk) SyncDir(dir string) error {
	if _, err := d.before("syncdir", 0); err != nil {
		return err
	}
	return d.Disk.SyncDir(dir)
}

// killDisk kills this process in front of its n-th change; of a write, part/2
// is done first (part 0, 1 or 2).
func killDisk(n, part int) audit.Disk {
	kill := func() { _ = syscall.Kill(os.Getpid(), syscall.SIGKILL); select {} }
	d := countedDisk{Disk: audit.OSDisk, after: kill}
	d.before = func(op string, size int) (int, error) {
		if n--; n == 0 && op != "write" {
			kill()
		}
		if n == 0 {
			return size * part / 2, syscall.EIO
		}
		return 0, nil
	}
	return d
}

// simDisk keeps a history of the changes made to the files of one folder, from
// which it makes the folder that a loss of power at some time could leave.
type simDisk struct {
	audit.Disk // makes the changes for real, for the log to read
	dir        string
	history    []change
	names      map[*os.File]int // file → number in the order of their creation
	count      int
}

// change is one call.
type change struct {
	op       string // create write truncate sync rename syncdir
	inode    int
	name, to string
	data     []byte
	offset   int64
}

func newSimDisk(dir string) *simDisk {
	return &simDisk{Disk: audit.OSDisk, dir: dir, names: map[*os.File]int{}}
}

func (d *simDisk) note(c change) { d.history = append(d.history, c) }

// inode finds the number of f: by its path, since a log opens files again.
func (d *simDisk) inode(f *os.File) int {
	if n, ok := d.names[f]; ok {
		return n
	}
	at := map[string]int{}
	for _, c := range d.history {
		switch c.op {
		case "create":
			at[c.name] = c.inode
		case "rename":
			at[c.to] = at[c.name]
			delete(at, c.name)
		}
	}
	return at[filepath.Base(f.Name())]
}

func (d *simDisk) Create(path string, perm os.FileMode) (*os.File, error) {
	f, err := d.Disk.Create(path, perm)
	if err == nil {
		d.count++
		d.names[f] = d.count
		d.note(change{op: "create", inode: d.count, name: filepath.Base(path)})
	}
	return f, err
}

func (d *simDisk) WriteAt(f *os.File, b []byte, offset int64) error {
	d.note(change{op: "write", inode: d.inode(f), data: append([]byte(nil), b...), offset: offset})
	return d.Disk.WriteAt(f, b, offset)
}

func (d *simDisk) Truncate(f *os.File, size int64) error {
	d.note(change{op: "truncate", inode: d.inode(f), offset: size})
	return d.Disk.Truncate(f, size)
}

func (d *simDisk) Sync(f *os.File) error {
	d.note(change{op: "sync", inode: d.inode(f)})
	return nil
}

func (d *simDisk) Rename(from, to string) error {
	d.note(change{op: "rename", name: filepath.Base(from), to: filepath.Base(to)})
	return d.Disk.Rename(from, to)
}

func (d *simDisk) SyncDir(string) error {
	d.note(change{op: "syncdir"})
	return nil
}

// loss chooses what of the changes that were not synced reaches the disk.
type loss struct {
	name  string
	files func(pending []change) []change // those of one file, oldest first
	names bool                            // of the folder: all, or none
}

// writeOnly is a write whose first or second half was lost: zeros stand there
// if the file is longer.
func half(c change, second bool) change {
	cut := len(c.data) / 2
	if second {
		return change{op: "write", inode: c.inode, data: c.data[cut:], offset: c.offset + int64(cut)}
	}
	return change{op: "write", inode: c.inode, data: c.data[:cut], offset: c.offset}
}

var losses = []loss{
	{"nothing", func(p []change) []change { return p }, true},
	{"all that was not synced", func([]change) []change { return nil }, false},
	{"all data, no names", func([]change) []change { return nil }, true},
	{"the last change", func(p []change) []change { return p[:max(0, len(p)-1)] }, true},
	{"the first change", func(p []change) []change { return p[min(1, len(p)):] }, true},
	{"second half of the last write", tornWrite(false), true},
	{"first half of the last write", tornWrite(true), true},
	{"first half of the first write", func(p []change) []change {
		if len(p) == 0 || p[0].op != "write" {
			return p
		}
		return append([]change{half(p[0], true)}, p[1:]...)
	}, true},
}

func tornWrite(second bool) func([]change) []change {
	return func(p []change) []change {
		if len(p) == 0 || p[len(p)-1].op != "write" {
			return p
		}
		return append(append([]change(nil), p[:len(p)-1]...), half(p[len(p)-1], second))
	}
}

// image makes in dir what a loss of power after n changes leaves.
func (d *simDisk) image(dir string, n int, l loss) error {
	durable, pending := map[int][]byte{}, map[int][]change{}
	names, pendingNames := map[string]int{}, map[string]int{}
	for _, c := range d.history[:n] {
		switch c.op {
		case "create":
			pendingNames[c.name] = c.inode
		case "rename":
			pendingNames[c.to] = pendingNames[c.name]
			delete(pendingNames, c.name)
		case "syncdir":
			names = map[string]int{}
			maps.Copy(names, pendingNames)
		case "sync":
			durable[c.inode] = apply(durable[c.inode], pending[c.inode])
			pending[c.inode] = nil
		default:
			pending[c.inode] = append(pending[c.inode], c)
		}
	}
	if l.names {
		names = pendingNames
	}
	for name, inode := range names {
		content := apply(durable[inode], l.files(pending[inode]))
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			return err
		}
	}
	return nil
}

func apply(content []byte, changes []change) []byte {
	content = append([]byte(nil), content...)
	grow := func(n int64) {
		for int64(len(content)) < n {
			content = append(content, make([]byte, n-int64(len(content)))...)
		}
	}
	for _, c := range changes {
		switch c.op {
		case "write":
			grow(c.offset + int64(len(c.data)))
			copy(content[c.offset:], c.data)
		case "truncate":
			grow(c.offset)
			content = content[:c.offset]
		}
	}
	return content
}
