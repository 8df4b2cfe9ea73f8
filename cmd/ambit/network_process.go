package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"ambit.dev/ambit/internal/companion"
	"ambit.dev/ambit/internal/companion/start"
	"ambit.dev/ambit/internal/core/capability"
	"ambit.dev/ambit/internal/egress/wire"
)

// An egress is the process of one sandbox's network, and the line to it.
type egress struct {
	*start.Process
	conn *companion.Conn
	told []byte // its authority's certificate; nil: not told yet
}

// startEgress starts the process; it takes some time, which is that of building
// the sandbox.
func (s *prepared) startEgress(args ...string) (*egress, error) {
	path, err := start.Path(egressProgram)
	if err != nil {
		return nil, err
	}
	p, err := start.Start(start.Config{Path: path, Args: args, Env: egressEnvironment(), Stderr: s.app.err})
	if err != nil {
		return nil, fmt.Errorf("this run has a network, which needs %s: %w", path, err)
	}
	return &egress{Process: p, conn: wire.NewConn(p.Line)}, nil
}

// beginEgress starts the process early where a certificate of its own will be
// wanted for the plan, so that it is there when the plan is made.
func (s *prepared) beginEgress(effective []capability.Capability) {
	secret := func(c capability.Capability) bool { return c.Kind() == capability.SecretUse }
	if s.egress == nil && slices.ContainsFunc(effective, networks) && (s.opens() || slices.ContainsFunc(effective, secret)) {
		s.egress, _ = s.startEgress(wire.WithAuthority) // whoever needs it tries again, and says what is wrong
	}
}

// takeEgress hands the process over to the network of a session.
func (s *prepared) takeEgress() (*egress, error) {
	e := s.egress
	if e == nil {
		return s.startEgress()
	}
	if _, err := e.certificate(); err != nil { // what it tells comes before all else
		return nil, err
	}
	s.egress = nil
	return e, nil
}

// certificate is that of the authority which the process has made.
//
// Security: it is one certificate by its form, of bounded size, and written anew,
// whatever came. What it certifies is for the sandbox to believe.
func (e *egress) certificate() ([]byte, error) {
	if e.told != nil {
		return e.told, nil
	}
	var m wire.Message
	if err := e.Line.SetReadDeadline(time.Now().Add(networkReady)); err != nil {
		return nil, err
	}
	if err := e.conn.Receive(&m); err != nil {
		return nil, fmt.Errorf("%s tells no certificate: %w", egressProgram, err)
	}
	if err := e.Line.SetReadDeadline(time.Time{}); err != nil {
		return nil, err
	}
	var err error
	e.told, err = oneCertificate(m.Trust)
	return e.told, err
}

// stop ends a process that no network has taken over.
func (e *egress) stop() {
	if e != nil {
		e.Stop()
	}
}

// egressEnvironment is what the egress process learns of the person's
// environment: where the host's roots are.
func egressEnvironment() []string {
	env := []string{}
	for _, name := range []string{"SSL_CERT_FILE", "SSL_CERT_DIR"} {
		var absolute []string
		for p := range strings.SplitSeq(os.Getenv(name), ":") {
			if filepath.IsAbs(p) {
				absolute = append(absolute, p)
			}
		}
		if absolute != nil {
			env = append(env, name+"="+strings.Join(absolute, ":"))
		}
	}
	return env
}
