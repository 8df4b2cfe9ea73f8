package script_test

import (
	"context"
	"fmt"
	"net/url"
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
// node_modules lies in. AMBIT_TEST_NPM names a folder to keep it in, for the
// tests of another user, who may not reach the registry.
func (p *npmPackage) fetch(t *testing.T) string {
	t.Helper()
	if _, err := exec.LookPath("npm"); err != nil {
		t.Skipf("requires: npm (%v)", err)
	}
	p.once.Do(func() {
		if err := p.install(); err != nil {
			p.why = strings.TrimSpace(err.Error())
		}
	})
	if p.why != "" {
		t.Skipf("requires: %s from a registry of npm (%s)", p.name, p.why)
	}
	return p.dir
}

func (p *npmPackage) install() (err error) {
	if kept := os.Getenv("AMBIT_TEST_NPM"); kept != "" {
		p.dir = filepath.Join(kept, url.PathEscape(p.name))
		if _, err := os.Stat(filepath.Join(p.dir, "whole")); err == nil {
			return nil
		}
		err = os.MkdirAll(p.dir, 0o755)
	} else if p.dir, err = os.MkdirTemp("", "ambit-npm-"); err == nil {
		fetching.Lock()
		fetchedIn = append(fetchedIn, p.dir)
		fetching.Unlock()
	}
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "npm", "install", "--prefix", p.dir, "--prefer-offline", "--fetch-retries=0", "--ignore-scripts",
		"--no-audit", "--no-fund", "--loglevel=error", p.name)
	cmd.Env = append(os.Environ(), "npm_config_update_notifier=false")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w", out, err)
	}
	return os.WriteFile(filepath.Join(p.dir, "whole"), nil, 0o644)
}

// place copies a file or folder of the package into the bench's home.
func (p *npmPackage) place(t *testing.T, b *bench, from, to string) {
	t.Helper()
	dir := p.fetch(t)
	b.prepare(t, "", "cp", "-a", filepath.Join(dir, "node_modules", from), filepath.Join(b.dir, to))
}

var (
	fetching  sync.Mutex
	fetchedIn []string // folders that nobody else keeps; guarded by fetching
)

// removeFetched removes what was installed.
func removeFetched() {
	fetching.Lock()
	defer fetching.Unlock()
	for _, dir := range fetchedIn {
		_ = os.RemoveAll(dir) // it is for temporary files
	}
}
