package main

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"time"
)

// mitm is mitmproxy, which runs.
type mitm struct {
	process *exec.Cmd
	version string
	at      string // host and port of the proxy
	pem     []byte // its authority
}

// mitmproxy starts it, with a server's authority to trust.
func (m *measurer) mitmproxy(roots string) (*mitm, error) {
	path, err := exec.LookPath("mitmdump")
	if err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	at := port(l)
	if err := l.Close(); err != nil {
		return nil, err
	}
	dir := m.in("mitmproxy")
	p := &mitm{version: versionOfMitm(path), at: "127.0.0.1:" + at}
	p.process = exec.Command(path, "-q", "--listen-host", "127.0.0.1", "--listen-port", at, "--set", "confdir="+dir,
		"--set", "ssl_verify_upstream_trusted_ca="+roots, "--set", "stream_large_bodies=1m")
	if err := p.process.Start(); err != nil {
		return nil, err
	}
	for range 300 { // until it answers
		time.Sleep(100 * time.Millisecond)
		c, err := net.Dial("tcp", p.at)
		if err != nil {
			continue
		}
		_ = c.Close() // it was only to see
		if p.pem, err = os.ReadFile(dir + "/mitmproxy-ca-cert.pem"); err == nil {
			return p, nil
		}
	}
	p.stop()
	return nil, fmt.Errorf("it does not answer")
}

func versionOfMitm(path string) string {
	out, _ := exec.Command(path, "--version").Output()
	line, _, _ := strings.Cut(string(out), "\n")
	return strings.TrimPrefix(line, "Mitmproxy: ")
}

func (p *mitm) stop() {
	_ = p.process.Process.Kill() // it may have ended
	_ = p.process.Wait()
}
