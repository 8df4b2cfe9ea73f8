package view

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/enforce"
)

// systemDirs are shown read-only where they are directories, and as links
// where they are links (a merged /usr).
var systemDirs = []string{"/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"}

// programDirs are the directories of programs in systemDirs.
var programDirs = []string{"/usr/bin", "/usr/sbin", "/usr/local/bin", "/usr/local/sbin", "/usr/games", "/bin", "/sbin"}

// etcDirs hold settings of system programs, without secrets: /etc/ssl/private
// and the like stay out. The second line is where Fedora, openSUSE, Arch and Alpine
// have the certificates of authorities, and links to them.
var etcDirs = []string{"/etc/alternatives", "/etc/ssl/certs", "/etc/fonts", "/etc/java-17-openjdk", "/etc/crypto-policies",
	"/etc/pki/tls/certs", "/etc/pki/tls/cert.pem", "/etc/pki/ca-trust/extracted", "/var/lib/ca-certificates", "/etc/ssl/ca-bundle.pem", "/etc/ca-certificates/extracted", "/etc/ssl/cert.pem"}

// etcFiles are copied: most are small, and then a copy costs less than a mount.
var etcFiles = []string{
	"/etc/ld.so.cache", "/etc/host.conf", "/etc/gai.conf", "/etc/localtime", "/etc/timezone", "/etc/os-release", "/etc/debian_version",
	"/etc/mime.types", "/etc/protocols", "/etc/services", "/etc/shells", "/etc/inputrc", "/etc/locale.conf", "/etc/locale.alias",
	"/etc/ssl/openssl.cnf", "/etc/pki/tls/openssl.cnf", "/etc/bash.bashrc", "/etc/profile", "/etc/ld-musl-x86_64.path", "/etc/ld-musl-aarch64.path",
}

// procMasked tell of the whole host and belong to no namespace: keys, the
// kernel's memory and its addresses, what devices and other programs do. Most
// are for root only, and uid 0 inside is root to them. Container runtimes mask
// the same.
var procMasked = []string{
	"/proc/acpi", "/proc/asound", "/proc/scsi", "/proc/interrupts", "/proc/kcore", "/proc/key-users", "/proc/keys",
	"/proc/kpagecgroup", "/proc/kpagecount", "/proc/kpageflags", "/proc/latency_stats", "/proc/sched_debug",
	"/proc/slabinfo", "/proc/timer_list", "/proc/timer_stats", "/proc/vmallocinfo",
}

// From mountFrom on a file is mounted: copying each page of it costs about as
// much as a system call, and a mount some ten of those.
const mountFrom = 32 << 10

// maxCopy bounds a file that is copied all the same, since a link leads to it.
const maxCopy = 4 << 20

// Mounted are the settings that a view mounts: directories, and files that are too
// large to be copied into it. Those that are not there are none of them.
func Mounted() (all []string) {
	for _, p := range slices.Concat(etcDirs, etcFiles) {
		fi, err := os.Stat(p)
		if err == nil && (fi.IsDir() || fi.Mode().IsRegular() && fi.Size() >= mountFrom) {
			all = append(all, p)
		}
	}
	return all
}

// Who is the person for whom the program runs.
type Who struct {
	Name     string
	UID, GID int
	Home     string
}

// Base reads what every program sees of this host. Files with names of people
// (passwd, group, hosts) are written anew and know root, nobody and the user.
func Base(w Who) (enforce.Base, error) {
	var b enforce.Base
	for _, p := range append(systemDirs, etcDirs...) {
		o, err := directory(p)
		switch {
		case errors.Is(err, fs.ErrNotExist):
		case err != nil:
			return b, err
		case len(o.Links) > 0:
			b.Links = append(b.Links, o.Links...)
		default:
			b.Dirs = append(b.Dirs, o)
		}
	}
	for _, p := range programDirs {
		if fi, err := os.Lstat(p); err == nil && fi.IsDir() {
			b.Programs = append(b.Programs, p)
		}
	}
	for _, p := range etcFiles {
		content, o, err := setting(p)
		switch {
		case errors.Is(err, fs.ErrNotExist), errors.Is(err, fs.ErrPermission):
		case err != nil:
			return b, err
		case o.Path != "":
			b.Dirs = append(b.Dirs, o)
		default:
			b.Files = append(b.Files, enforce.File{Path: p, Content: content})
		}
	}
	b.Files = append(b.Files, w.files()...)
	for _, p := range procMasked {
		fi, err := os.Lstat(p)
		if err == nil && (w.UID == 0 || fi.Mode()&0o004 != 0) {
			b.Masked = append(b.Masked, enforce.Object{Path: p, Dir: fi.IsDir()})
		}
	}
	var err error
	b.Sockets, err = Sockets()
	return b, err
}

// directory is the directory at p itself; a link at p is answered as a link.
func directory(p string) (enforce.Object, error) {
	if target, err := os.Readlink(p); err == nil {
		return enforce.Object{Path: p, Links: []enforce.Link{{Path: p, Target: target}}}, nil
	}
	return Resolve(p)
}

// setting is a file of etcFiles: what is in it, or the object that is mounted.
func setting(p string) (content []byte, o enforce.Object, err error) {
	fd, err := unix.Open(p, unix.O_RDONLY|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, o, &fs.PathError{Op: "open", Path: p, Err: err}
	}
	defer unix.Close(fd) //nolint:errcheck // nothing was written
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return nil, o, &fs.PathError{Op: "stat", Path: p, Err: err}
	}
	if st.Mode&unix.S_IFMT != unix.S_IFREG {
		return nil, o, fmt.Errorf("read %q: not a regular file", p)
	}
	if st.Size >= mountFrom {
		// Without its device and inode: a tool of the system may replace it at any
		// time, and what is at this path then is what is meant.
		if o, err = Resolve(p); err == nil && len(o.Links) == 0 {
			return nil, enforce.Object{Path: o.Path}, nil
		}
	}
	if st.Size > maxCopy {
		return nil, o, fmt.Errorf("read %q: a link to more than %d bytes", p, maxCopy)
	}
	content, err = readAll(fd, int(st.Size))
	return content, enforce.Object{}, err
}

// files are the system files that name people and machines.
func (w Who) files() []enforce.File {
	passwd := "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n" //nolint:gosec // there is no password in it
	group := "root:x:0:\ntty:x:5:\nnogroup:x:65534:\n"
	if w.UID != 0 && w.UID != 65534 {
		home := w.Home
		if home == "" || strings.ContainsAny(home, ":\n") {
			home = "/" // what passwd(5) cannot say
		}
		passwd += fmt.Sprintf("%s:x:%d:%d::%s:/bin/sh\n", w.Name, w.UID, w.GID, home)
		if w.GID != 0 && w.GID != 5 && w.GID != 65534 {
			group += fmt.Sprintf("%s:x:%d:\n", w.Name, w.GID)
		}
	}
	return []enforce.File{
		{Path: "/etc/passwd", Content: []byte(passwd)},
		{Path: "/etc/group", Content: []byte(group)},
		{Path: "/etc/hosts", Content: []byte("127.0.0.1 localhost ambit\n::1 localhost\n")},
		{Path: "/etc/hostname", Content: []byte("ambit\n")},
		{Path: "/etc/nsswitch.conf", Content: []byte("passwd: files\ngroup: files\nhosts: files dns\nservices: files\nprotocols: files\n")},
	}
}
