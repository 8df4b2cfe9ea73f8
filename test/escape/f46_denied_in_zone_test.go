package escape_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

func TestF46DeniedInAppendOnly(t *testing.T) { deniedAttack("append").run(t) }
func TestF46DeniedInOverlay(t *testing.T)    { deniedAttack("cow").run(t) }

// deniedIn makes a folder with something closed in it, and something that may be read
// and no more.
func deniedIn(t *testing.T, f *field) {
	f.Values["zone"] = filepath.Join(f.Dir, "zone")
	for _, name := range []string{"closed", "sealed/in", "deep/a/closed", "fixed", "open"} {
		text := f.token
		if name == "fixed" || name == "open" {
			text = "before"
		}
		f.put(t, f.in(name), text+"\n")
		f.guard(t, f.in(name))
	}
	f.Values["token"] = f.token
}

// in is a path of the zone.
func (f *field) in(name string) string { return filepath.Join(f.Values["zone"], name) }

// tells says whether what is closed can be read at a path.
func (f *field) tells(p string) error {
	text, err := os.ReadFile(p)
	if err == nil && !bytes.Contains(text, []byte(f.Values["token"])) {
		return unix.ENODATA
	}
	return err
}

// after does something to names of the zone, and reads at one of them.
func after(do func(old, other string) error, old, other, read string) func(f *field) error {
	return func(f *field) error {
		if err := do(f.in(old), f.in(other)); err != nil {
			return err
		}
		return f.tells(f.in(read))
	}
}

func exchanged(old, other string) error {
	if err := os.MkdirAll(other+"/a", 0o755); err != nil {
		return err
	}
	return unix.Renameat2(unix.AT_FDCWD, old, unix.AT_FDCWD, other, unix.RENAME_EXCHANGE)
}

// added adds to a file of the zone, opened so.
func added(flags int, name string) func(f *field) error {
	return func(f *field) error {
		fd, err := unix.Open(f.in(name), flags, 0o600)
		if err != nil {
			return err
		}
		return written(unix.Write(fd, []byte("more")))
	}
}

func deniedAttack(mode string) attack {
	a := deniedAnywhere(mode)
	if mode == "append" { // what is changed elsewhere is not changed on the host
		a.Tries = append(a.Tries, fixed...)
		if attempting == nil && !trapOpens() {
			a.Tries = a.Tries[:1]
			a.Tries[0].Want = notLaunched("it needs /dev/fuse, which cannot be opened")
		}
	}
	return a
}

var fixed = []try{
	{Name: "add to what may be read", Do: added(unix.O_WRONLY|unix.O_APPEND, "fixed")},
	{Name: "make it, where it may be read", Do: added(unix.O_CREAT|unix.O_RDWR|unix.O_APPEND, "fixed")},
	{Name: "cut what may be read", Do: func(f *field) error {
		fd, err := unix.Open(f.in("fixed"), unix.O_RDWR|unix.O_TRUNC, 0)
		if err != nil {
			return err
		}
		return unix.Ftruncate(fd, 0)
	}},
	{Name: "replace what may be read", Do: func(f *field) error {
		if err := os.WriteFile(f.in("other"), []byte("changed"), 0o600); err != nil {
			return err
		}
		return unix.Rename(f.in("other"), f.in("fixed"))
	}},
}

func deniedAnywhere(mode string) attack {
	return attack{
		ID: "F46", Title: "reach what is denied in a folder that " + mode + " shows",
		Reference: "masks that were moved away with the directory above them",
		Tiers:     process, Setup: deniedIn, Harm: (*field).harm,
		Flags: func(f *field) []string {
			return []string{"-v", f.in("") + ":" + f.in("") + ":" + mode, "--deny", "fs.read:" + f.in("closed"), "--deny", "fs.read:" + f.in("sealed"),
				"--deny", "fs.read:" + f.in("deep/a/closed"), "--deny", "fs.write:" + f.in("fixed"), "--deny", "fs.append:" + f.in("fixed")}
		},
		Tries: []try{
			{Name: "read", Harmless: true, Do: func(f *field) error { return f.tells(f.in("closed")) }},
			{Name: "read in a folder", Harmless: true, Do: func(f *field) error { return f.tells(f.in("sealed/in")) }},
			{Name: "list a folder", Harmless: true, Do: func(f *field) error {
				names, err := os.ReadDir(f.in("sealed"))
				if err == nil && len(names) == 0 {
					return unix.ENODATA
				}
				return err
			}},
			{Name: "from its folder", Harmless: true, Do: func(f *field) error {
				if err := os.Chdir(f.in("deep/a")); err != nil {
					return err
				}
				return f.tells("closed")
			}},
			{Name: "by a descriptor of its path", Harmless: true, Do: func(f *field) error {
				fd, err := unix.Open(f.in("closed"), unix.O_PATH, 0)
				if err != nil {
					return err
				}
				return f.tells("/proc/self/fd/" + itoa(fd))
			}},
			{Name: "rename", Do: after(unix.Rename, "closed", "other", "other")},
			{Name: "a second name", Harmless: true, Do: after(unix.Link, "closed", "other", "other")},
			{Name: "rename the folder", Do: after(unix.Rename, "sealed", "other", "other/in")},
			{Name: "rename the folder above", Do: after(unix.Rename, "deep", "other", "other/a/closed")},
			{Name: "rename the folder that it is in", Do: after(unix.Rename, "deep/a", "deep/b", "deep/b/closed")},
			{Name: "exchange the folder above", Do: after(exchanged, "deep", "other", "other/a/closed")},
			{Name: "open to all", Harmless: true, Do: after(func(old, _ string) error { return unix.Chmod(old, 0o644) }, "closed", "", "closed")},
			{Name: "remove", Do: func(f *field) error { return unix.Unlink(f.in("closed")) }},
			{Name: "remove all of it", Do: func(f *field) error { return os.RemoveAll(f.in("deep")) }},
			{Name: "put another in its place", Do: func(f *field) error {
				if err := os.WriteFile(f.in("other"), []byte("changed"), 0o600); err != nil {
					return err
				}
				return unix.Rename(f.in("other"), f.in("closed"))
			}},
			{Name: "make one in a folder", Harmless: true, Do: added(unix.O_CREAT|unix.O_EXCL|unix.O_WRONLY, "sealed/new")},
			{Name: "add to it", Do: added(unix.O_WRONLY|unix.O_APPEND, "closed")},
		},
	}
}
