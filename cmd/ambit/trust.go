package main

import (
	"fmt"
	"os"
	"slices"

	"ambit.dev/ambit/internal/core/capability"
	"ambit.dev/ambit/internal/core/grant"
	"ambit.dev/ambit/internal/egress/wire"
	"ambit.dev/ambit/internal/enforce"
)

// Where a sandbox finds the certificates that it trusts, when connections are
// opened: its own authority alone, and behind the host's.
const (
	trustAlone  = "/run/ambit/ca.pem"
	trustBundle = "/run/ambit/bundle.pem"
	trustJava   = "/run/ambit/cacerts"
)

// bundles are where programs look for a bundle of certificates, by the habits of
// distributions. The first that the host has is what it trusts.
var bundles = []string{
	"/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/ca-bundle.pem", "/etc/pki/tls/cacert.pem",
	"/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem", "/etc/ssl/cert.pem",
}

// bundleDirs hold some of them, and are shown otherwise as they are.
var bundleDirs = []string{"/etc/ssl/certs", "/etc/pki/tls/certs"}

// javaBundle is where Debian's runtimes of Java keep theirs.
const javaBundle = "/etc/ssl/certs/java/cacerts"

// trustVariables tell runtimes where to look. What reads one of these reads it
// instead of its own bundle.
var trustVariables = []string{
	"SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "GIT_SSL_CAINFO", "PIP_CERT", "CARGO_HTTP_CAINFO", "AWS_CA_BUNDLE", "DENO_CERT",
	"GRPC_DEFAULT_SSL_ROOTS_FILE_PATH",
}

// rules are the capabilities about requests that say something now.
func (s *prepared) rules(grants []grant.Grant) (r wire.Rules) {
	permit := slices.Clone(s.policy.Preapprove)
	if s.flags.asks() {
		permit = append(permit, s.wants()...)
	}
	deny := slices.Clone(s.policy.Forbid)
	for _, g := range grants {
		switch {
		case !g.Applies(s.app.now(), s.subject.Session):
		case g.Outcome == grant.Allow:
			permit = append(permit, g.Capability)
		default:
			deny = append(deny, g.Capability)
		}
	}
	other := func(c capability.Capability) bool { return !c.Requests() }
	addresses := s.deniesAddresses(deny)
	return wire.Rules{Permit: slices.DeleteFunc(permit, other), Deny: slices.DeleteFunc(deny, other), Addresses: addresses}
}

// opens reports whether this sandbox has connections that are opened.
func (s *prepared) opens() bool {
	r := s.rules(s.grants())
	return len(r.Permit)+len(r.Deny)+len(s.secrets) > 0
}

// trust has what is inside a sandbox whose connections are opened trust the
// authority that the egress process has made for it.
//
// Security: its key is in the memory of that process alone. The host trusts the
// certificate nowhere; inside, it stands behind the host's own, which are put
// together here and not by that process.
func (s *prepared) trust(in *enforce.Input) (err error) {
	if !s.opens() {
		return nil
	}
	if s.egress == nil {
		if s.egress, err = s.startEgress(wire.WithAuthority); err != nil {
			return err
		}
	}
	bundle, err := hostBundle()
	if err != nil {
		return err
	}
	alone, err := s.egress.certificate()
	if err != nil {
		return err
	}
	s.trusted = alone
	files := []enforce.File{{Path: trustAlone, Content: alone}, {Path: trustBundle, Content: slices.Concat(bundle, []byte("\n"), alone)}}
	links := []enforce.Link{{Path: bundles[0], Target: trustBundle}}
	for _, p := range bundles[1:] {
		if _, err := os.Stat(p); err == nil {
			links = append(links, enforce.Link{Path: p, Target: trustBundle})
		}
	}
	if _, err := os.Stat(javaBundle); err == nil {
		java, err := javaStore(files[1].Content, s.app.now())
		if err != nil {
			return err
		}
		files, links = append(files, enforce.File{Path: trustJava, Content: java}), append(links, enforce.Link{Path: javaBundle, Target: trustJava})
	}
	in.Base.Dirs = slices.DeleteFunc(slices.Clone(in.Base.Dirs), func(o enforce.Object) bool { return slices.Contains(bundleDirs, o.Path) })
	in.Base.Files = slices.Concat(in.Base.Files, files)
	in.Base.Links = slices.Concat(in.Base.Links, links)
	return nil
}

// hostBundle is what the host trusts, as a person may have set it.
func hostBundle() ([]byte, error) {
	paths := bundles
	if own := os.Getenv("SSL_CERT_FILE"); own != "" {
		paths = []string{own}
	}
	for _, p := range paths {
		text, err := os.ReadFile(p)
		if err == nil {
			return text, nil
		}
		if !os.IsNotExist(err) {
			return nil, fmt.Errorf("read what this host trusts: %w", err)
		}
	}
	return nil, nil // it trusts nobody
}

// trustEnvironment are the variables of a sandbox whose connections are opened.
func (s *prepared) trustEnvironment(env map[string]string) {
	if s.trusted == nil {
		return
	}
	for _, name := range trustVariables {
		env[name] = trustBundle
	}
	env["NODE_EXTRA_CA_CERTS"] = trustAlone
}
