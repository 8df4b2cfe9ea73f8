package script_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// An npmPackage is one of npm that tests run as it is.
type npmPackage struct {
	name string // with its version

	once sync.Once
	dir  string // where its node_modules lies
	why  string // it could not be had, "" if it could
}

var fileServer = &npmPackage{name: "@modelcontextprotocol/server-filesystem@2026.8.31"}

// fetch installs the package once for all tests, and returns the folder that its
// node_modules lies in.
func (p *npmPackage) fetch(t *testing.T) string {
	t.Helper()
	if _, err := exec.LookPath("npm"); err != nil {
		t.Skipf("requires: npm (%v)", err)
	}
	p.once.Do(func() {
		dir, err := os.MkdirTemp("", "ambit-npm-") //nolint:usetesting // it is for other tests, too
		if err != nil {
			p.why = err.Error()
			return
		}
		p.dir = dir
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
		defer cancel()
		cmd := exec.CommandContext(ctx, "npm", "install", "--prefix", dir, "--prefer-offline", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error", p.name)
		cmd.Env = append(os.Environ(), "npm_config_update_notifier=false")
		if out, err := cmd.CombinedOutput(); err != nil {
			p.why = strings.TrimSpace(string(out) + " " + err.Error())
		}
	})
	if p.why != "" {
		t.Skipf("requires: %s from a registry of npm (%s)", p.name, p.why)
	}
	return p.dir
}

// place copies a file or folder of the package into the bench's home.
func (p *npmPackage) place(t *testing.T, b *bench, from, to string) {
	t.Helper()
	dir := p.fetch(t)
	b.prepare(t, "", "cp", "-a", filepath.Join(dir, "node_modules", from), filepath.Join(b.dir, to))
}

// removeFetched removes what was installed.
func removeFetched() {
	for _, p := range []*npmPackage{fileServer, denoProgram} {
		if p.dir != "" {
			_ = os.RemoveAll(p.dir) // it is for temporary files
		}
	}
}
