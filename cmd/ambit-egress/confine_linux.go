package main

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/enforce/landlock"
)

// readable is what looking up names and verifying servers takes.
var readable = []string{"/etc/resolv.conf", "/etc/hosts", "/etc/nsswitch.conf", "/etc/services", "/run/systemd/resolve", "/run/resolvconf",
	"/proc/sys/net/core/somaxconn",
	// The host's roots, where crypto/x509 looks for them, and what is linked there.
	"/etc/ssl/certs", "/etc/ssl/cert.pem", "/etc/ssl/ca-bundle.pem", "/etc/pki/tls/certs", "/etc/pki/tls/cert.pem", "/etc/pki/tls/cacert.pem", "/etc/pki/ca-trust/extracted",
	"/usr/share/ca-certificates", "/usr/local/share/ca-certificates"}

// ownRoots are the variables by which a person says where the roots are.
var ownRoots = []string{"SSL_CERT_FILE", "SSL_CERT_DIR"}

// confine takes from every thread of this process what it does not need.
//
// Security: it is undumpable, so that no other process of this user reads or
// changes it; it cannot gain rights; it opens no file but readable, and writes
// none; it dies with the launcher.
func confine() error {
	for _, c := range []struct {
		what string
		args [3]uintptr
	}{
		{"be undumpable", [3]uintptr{unix.PR_SET_DUMPABLE, 0}},
		{"set no_new_privs", [3]uintptr{unix.PR_SET_NO_NEW_PRIVS, 1}},
	} {
		if _, _, errno := syscall.AllThreadsSyscall(unix.SYS_PRCTL, c.args[0], c.args[1], c.args[2]); errno != 0 {
			return fmt.Errorf("%s: %w", c.what, errno)
		}
	}
	abi, err := landlock.ABI()
	if err != nil {
		return err
	}
	ruleset, err := landlock.Ruleset(abi)
	if err != nil {
		return err
	}
	paths := slices.Clone(readable)
	for _, name := range ownRoots {
		for p := range strings.SplitSeq(os.Getenv(name), ":") {
			if p != "" {
				paths = append(paths, p)
			}
		}
	}
	for _, p := range paths {
		if err := allow(ruleset, p); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("let %s be read: %w", p, err)
		}
	}
	if _, _, errno := syscall.AllThreadsSyscall(unix.SYS_LANDLOCK_RESTRICT_SELF, uintptr(ruleset), 0, 0); errno != 0 {
		return fmt.Errorf("enter a Landlock domain: %w", errno)
	}
	if err := unix.Close(ruleset); err != nil {
		return err
	}
	if f, err := os.Open("/"); err == nil {
		_ = f.Close() // nothing was written
		return errors.New("the Landlock domain does not hold")
	}
	return filter()
}

func allow(ruleset int, path string) error {
	fd, err := unix.Open(path, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd) //nolint:errcheck // it only stands for a file
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return err
	}
	var rights uint64 = unix.LANDLOCK_ACCESS_FS_READ_FILE
	if st.Mode&unix.S_IFMT == unix.S_IFDIR {
		rights |= unix.LANDLOCK_ACCESS_FS_READ_DIR
	}
	return landlock.Allow(ruleset, fd, rights)
}
