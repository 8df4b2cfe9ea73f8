package view_test

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"ambit.dev/ambit/internal/enforce"
	"ambit.dev/ambit/internal/enforce/view"
)

var person = view.Who{Name: "ada", UID: 1234, GID: 1235, Home: "/home/ada"}

func base(t *testing.T, w view.Who) enforce.Base {
	t.Helper()
	b, err := view.Base(w)
	must(t, err)
	return b
}

// under reports whether p is dir or lies beneath it.
func under(p, dir string) bool {
	rel, err := filepath.Rel(dir, p)
	return err == nil && filepath.IsLocal(rel)
}

// TestBaseNamesWhatIsThere: a directory of the base has no link in its path,
// and is known by device and inode; what is a link on the host is one inside.
func TestBaseNamesWhatIsThere(t *testing.T) {
	b := base(t, person)
	for _, d := range b.Dirs {
		if !d.Dir {
			continue // TestBaseLarge
		}
		is(t, d, d.Path)
		if real, err := filepath.EvalSymlinks(d.Path); !d.Dir || len(d.Links) > 0 || real != d.Path || err != nil {
			t.Errorf("%+v is %q, %v", d, real, err)
		}
	}
	for _, l := range b.Links {
		if target, err := os.Readlink(l.Path); err != nil || target != l.Target {
			t.Errorf("%q is a link to %q, %v, want %q", l.Path, target, err, l.Target)
		}
	}
	has := func(p string) bool {
		return slices.ContainsFunc(b.Dirs, func(d enforce.Object) bool { return d.Path == p }) ||
			slices.ContainsFunc(b.Links, func(l enforce.Link) bool { return l.Path == p })
	}
	for _, p := range []string{"/usr", "/bin", "/lib"} {
		if _, err := os.Lstat(p); err == nil && !has(p) {
			t.Errorf("%s is missing", p)
		}
	}
	for _, p := range b.Programs {
		if fi, err := os.Lstat(p); err != nil || !fi.IsDir() {
			t.Errorf("%q is among the folders of programs: %v", p, err)
		}
	}
	if !slices.Contains(b.Programs, "/usr/bin") {
		t.Errorf("programs %q", b.Programs)
	}
}

// TestBaseHasNothingOfAnybody: no secret of the system, nothing that people
// wrote, nothing of what runs.
func TestBaseHasNothingOfAnybody(t *testing.T) {
	b := base(t, person)
	for _, p := range []string{
		"/", "/etc", "/etc/shadow", "/etc/gshadow", "/etc/shadow-", "/etc/sudoers", "/etc/sudoers.d", "/etc/ssl", "/etc/ssl/private", "/etc/ssh",
		"/etc/ssh/ssh_host_ed25519_key", "/etc/krb5.keytab", "/etc/ambit", "/etc/machine-id", "/etc/fstab", "/etc/environment", "/etc/resolv.conf",
		"/etc/NetworkManager", "/etc/pki/tls/private", "/root", "/home", "/home/ada", "/var", "/run", "/tmp", "/proc", "/sys", "/dev", "/boot", "/opt", "/srv", "/mnt", "/media",
	} {
		for _, d := range b.Dirs {
			if under(p, d.Path) {
				t.Errorf("%s is shown by %s", p, d.Path)
			}
		}
		for _, f := range b.Files {
			if f.Path == p {
				t.Errorf("%s is copied", p)
			}
		}
	}
	// Nor do links of the base lead beneath what is not shown.
	for _, l := range b.Links {
		if under(l.Target, "/root") || under(l.Target, "/home") || under(l.Target, "/var") {
			t.Errorf("%q leads to %q", l.Path, l.Target)
		}
	}
}

// TestBaseFiles: files are copied as they are; those that name people and
// machines are written anew.
func TestBaseFiles(t *testing.T) {
	anew := []string{"/etc/passwd", "/etc/group", "/etc/hosts", "/etc/hostname", "/etc/nsswitch.conf"}
	seen := map[string]bool{}
	for _, f := range base(t, person).Files {
		if seen[f.Path] {
			t.Errorf("%s is written twice", f.Path)
		}
		seen[f.Path] = true
		if slices.Contains(anew, f.Path) {
			continue
		}
		if content, err := os.ReadFile(f.Path); err != nil || string(content) != string(f.Content) {
			t.Errorf("%s differs from the host's: %v", f.Path, err)
		}
	}
	for _, p := range anew {
		if !seen[p] {
			t.Errorf("%s is missing", p)
		}
	}
}

// TestBaseLarge: a file is copied or mounted, by its size, and not both; one
// that is mounted may be replaced while the sandbox is built.
func TestBaseLarge(t *testing.T) {
	const large = 32 << 10
	b := base(t, person)
	mounted := map[string]bool{}
	for _, o := range b.Dirs {
		info, err := os.Stat(o.Path)
		if err != nil {
			t.Fatal(err)
		}
		if mounted[o.Path] = true; !o.Dir && (info.Size() < large || o.Ino != 0 || info.IsDir()) {
			t.Errorf("%+v of %d bytes is mounted", o, info.Size())
		}
	}
	for _, f := range b.Files {
		if mounted[f.Path] || len(f.Content) >= large {
			t.Errorf("%s of %d bytes is copied, mounted: %v", f.Path, len(f.Content), mounted[f.Path])
		}
	}
	info, err := os.Lstat("/etc/ld.so.cache")
	if err != nil || info.Size() < large {
		t.Skip("needs a large /etc/ld.so.cache")
	}
	if !mounted["/etc/ld.so.cache"] {
		t.Error("the linker's cache is not mounted")
	}
}

// TestBaseAccounts: root, nobody and the person, whatever the person is called.
func TestBaseAccounts(t *testing.T) {
	const root, nobody = "root:x:0:0:root:/root:/bin/sh", "nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin"
	groups := []string{"root:x:0:", "tty:x:5:", "nogroup:x:65534:"}
	for _, tc := range []struct {
		name          string
		who           view.Who
		passwd, group []string // beside those
	}{
		{"a person", person, []string{"ada:x:1234:1235::/home/ada:/bin/sh"}, []string{"ada:x:1235:"}},
		{"root", view.Who{Name: "root", Home: "/root"}, nil, nil},
		{"nobody", view.Who{Name: "nobody", UID: 65534, GID: 65534, Home: "/"}, nil, nil},
		{"a group that is there already", view.Who{Name: "bob", UID: 1000, GID: 5, Home: "/h"}, []string{"bob:x:1000:5::/h:/bin/sh"}, nil},
		{"root's group", view.Who{Name: "bob", UID: 1000, Home: "/h"}, []string{"bob:x:1000:0::/h:/bin/sh"}, nil},
		{"no home", view.Who{Name: "bob", UID: 1000, GID: 5}, []string{"bob:x:1000:5::/:/bin/sh"}, nil},
		{"a home with a colon", view.Who{Name: "bob", UID: 1000, GID: 5, Home: "/a:b"}, []string{"bob:x:1000:5::/:/bin/sh"}, nil},
		{"a home of two lines", view.Who{Name: "bob", UID: 1000, GID: 5, Home: "/a\nroot2:x:0:0::/:/bin/sh"}, []string{"bob:x:1000:5::/:/bin/sh"}, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			for _, f := range base(t, tc.who).Files {
				want := ""
				switch f.Path {
				case "/etc/passwd":
					want = strings.Join(append([]string{root, nobody}, tc.passwd...), "\n") + "\n"
				case "/etc/group":
					want = strings.Join(append(slices.Clone(groups), tc.group...), "\n") + "\n"
				default:
					continue
				}
				if string(f.Content) != want {
					t.Errorf("%s: got %q, want %q", f.Path, f.Content, want)
				}
			}
		})
	}
}

// TestBaseMasks what tells of the whole host: all of it for uid 0, and what
// others could read for others.
func TestBaseMasks(t *testing.T) {
	masked := func(w view.Who) (paths []string) {
		for _, o := range base(t, w).Masked {
			if fi, err := os.Lstat(o.Path); err != nil || fi.IsDir() != o.Dir || !under(o.Path, "/proc") {
				t.Errorf("%+v: %v", o, err)
			}
			paths = append(paths, o.Path)
		}
		return paths
	}
	root, user := masked(view.Who{}), masked(person)
	for _, p := range []string{"/proc/kcore", "/proc/keys", "/proc/interrupts", "/proc/slabinfo"} {
		fi, err := os.Lstat(p)
		if err != nil {
			continue // this kernel has none
		}
		if !slices.Contains(root, p) {
			t.Errorf("%s is not masked for root", p)
		}
		if readable := fi.Mode()&0o004 != 0; slices.Contains(user, p) != readable {
			t.Errorf("%s, which others can read: %v, is masked for a user: %v", p, readable, !readable)
		}
	}
}

// TestBaseSockets: the host's sockets by the paths that they lie at now.
func TestBaseSockets(t *testing.T) {
	// Not a folder of the test's own: a socket's path has at most 107 bytes.
	root, err := os.MkdirTemp("/tmp", "s") //nolint:usetesting // as said
	must(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(root) })
	must(t, os.Mkdir(root+"/real", 0o755))
	must(t, os.Symlink("real", root+"/link"))
	listen := func(p string) {
		l, err := net.Listen("unix", p)
		must(t, err)
		t.Cleanup(func() { _ = l.Close() })
	}
	for _, p := range []string{"/s", "/with  two spaces", "/1 2 3", "/link/t", "/gone", "/replaced", "/a\nb", "/c\n\nd\n",
		"/e\n0000000000000000: 00000002 00000000 00010000 0001 01 12345 f"} {
		listen(root + p)
	}
	dir, err := os.Open(root + "/real")
	must(t, err)
	defer dir.Close()
	listen(fmt.Sprintf("/proc/self/fd/%d/by-descriptor", dir.Fd())) // of whoever bound it, which is nobody that can be told
	listen("@" + strings.TrimPrefix(root, "/"))                     // abstract: no path
	must(t, os.Remove(root+"/gone"))
	must(t, os.Remove(root+"/replaced"))
	write(t, root+"/replaced", "a file now")
	var found []string
	for _, o := range base(t, person).Sockets {
		if under(o.Path, root) {
			is(t, o, o.Path)
			found = append(found, strings.TrimPrefix(o.Path, root))
		}
	}
	slices.Sort(found)
	if want := []string{"/1 2 3", "/a\nb", "/c\n\nd\n", "/e\n0000000000000000: 00000002 00000000 00010000 0001 01 12345 f", "/real/t", "/s", "/with  two spaces"}; !slices.Equal(found, want) {
		t.Errorf("got %q, want %q", found, want)
	}
}

// TestBaseLetsProgramsStart: with nothing but the base's directories the usual
// programs have what they need.
func TestBaseLetsProgramsStart(t *testing.T) {
	b := base(t, person)
	for _, name := range []string{"sh", "ls", "env"} {
		p, err := exec.LookPath(name)
		must(t, err)
		needed, err := view.Executables(p, exec.LookPath)
		must(t, err)
		for _, o := range needed {
			if !slices.ContainsFunc(b.Dirs, func(d enforce.Object) bool { return under(o.Path, d.Path) }) {
				t.Errorf("%s needs %s, which is not in the base", name, o.Path)
			}
		}
	}
}
