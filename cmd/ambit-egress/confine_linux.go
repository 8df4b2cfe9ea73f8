package main

import (
	"os"
	"slices"
	"strings"

	"ambit.dev/ambit/internal/companion"
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
// Security: beside what a companion gives up, it writes no file, and makes only
// the system calls that are listed.
func confine() error {
	paths := slices.Clone(readable)
	for _, name := range ownRoots {
		for p := range strings.SplitSeq(os.Getenv(name), ":") {
			if p != "" {
				paths = append(paths, p)
			}
		}
	}
	if err := companion.Confine(companion.Files{Read: paths}); err != nil {
		return err
	}
	if err := companion.Late(); err != nil {
		return err
	}
	return filter()
}
