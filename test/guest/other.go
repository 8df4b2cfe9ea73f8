package guest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// musl is a program that says which library it runs with and on which system.
const musl = `#include <stdio.h>
int main(void) {
	char line[200] = "";
	FILE *f = fopen("/etc/os-release", "r");
	if (f) fgets(line, sizeof line, f);
	printf("musl on %s", line);
	return 0;
}
`

// other puts a second root into the guest, at /srv/other: of a system that is not
// like Debian. It has no /usr/lib64, no glibc, no /etc/ssl, no ld.so.cache; its
// tools are one program with many names, and its library is musl, as in Alpine.
// Its certificates lie where Fedora has them.
func (r rootfs) other() error {
	root := filepath.Join(r.dir, "srv/other")
	for _, d := range []string{"bin", "sbin", "lib", "usr/bin", "etc", "proc", "sys", "dev", "tmp", "run", "root", "home/ana", "old",
		"etc/pki/ca-trust/extracted/pem", "etc/pki/tls/certs", "etc/pki/tls/private"} {
		if err := os.MkdirAll(filepath.Join(root, d), 0o755); err != nil {
			return err
		}
	}
	for to, from := range map[string]string{"bin/busybox": "/bin/busybox", "lib/ld-musl-x86_64.so.1": "/lib/ld-musl-x86_64.so.1"} {
		real, err := filepath.EvalSymlinks(from)
		if err == nil {
			err = copyFile(filepath.Join(root, to), real)
		}
		if err == nil {
			err = os.Chmod(filepath.Join(root, to), 0o755)
		}
		if err != nil {
			return err
		}
	}
	for _, tool := range []string{"sh", "ls", "cat", "id", "echo", "true", "umount"} {
		if err := os.Symlink("/bin/busybox", filepath.Join(root, "bin", tool)); err != nil {
			return err
		}
	}
	if err := os.Symlink("/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem", filepath.Join(root, "etc/pki/tls/certs/ca-bundle.crt")); err != nil {
		return err
	}
	for path, text := range map[string]string{
		"etc/os-release": "NAME=\"Not Debian\"\n",
		"etc/passwd":     "root:x:0:0:root:/root:/bin/sh\nana:x:1000:1000:Ana:/home/ana:/bin/sh\n",
		"etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem": "a certificate\n",
		"etc/pki/tls/private/key":                          "a key\n",
		"musl.c":                                           musl,
	} {
		if err := os.WriteFile(filepath.Join(root, path), []byte(text), 0o644); err != nil {
			return err
		}
	}
	cc := exec.Command("musl-gcc", "-o", "usr/bin/musl", "musl.c") //nolint:noctx // it ends at once
	cc.Dir = root
	if out, err := cc.CombinedOutput(); err != nil {
		return fmt.Errorf("musl-gcc: %w: %s", err, out)
	}
	for path, mode := range map[string]os.FileMode{"tmp": 0o777 | os.ModeSticky, "root": 0o700} {
		if err := os.Chmod(filepath.Join(root, path), mode); err != nil {
			return err
		}
	}
	return os.Chown(filepath.Join(root, "home/ana"), user, user)
}
