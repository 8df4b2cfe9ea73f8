//go:build linux

package gvisor_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"ambit.dev/ambit/internal/enforce"
	"ambit.dev/ambit/internal/enforce/enforcetest"
	"ambit.dev/ambit/internal/enforce/gvisor"
)

// scratch is for the runtime, where it has to be built.
var scratch string

func TestMain(m *testing.M) { os.Exit(testMain(m)) }

func testMain(m *testing.M) int {
	var err error
	if scratch, err = os.MkdirTemp("", "ambit-gvisor-"); err != nil {
		panic(err)
	}
	defer os.RemoveAll(scratch)
	return m.Run()
}

func TestGVisorTier(t *testing.T) {
	enforcetest.RunWith(t, tier(t), facts(), differences)
}

func TestLink(t *testing.T) {
	enforcetest.RunLinkWith(t, func(n enforce.Networker) enforce.Tier {
		g := tier(t)
		g.Networker = n
		return g
	}, facts(), differences)
}

var differences = enforcetest.Differences{Tier: enforce.TierGVisor, OwnKernel: true, Cuts: true, Strays: true, TextOnly: true, OwnHome: true}

// facts are those of a host with nothing but namespaces: the tier needs no more.
func facts() enforce.Facts {
	return enforce.Facts{UID: os.Getuid(), GID: os.Getgid(), UserNamespace: true, PIDMax: true, FUSE: true}
}

var built = sync.OnceValues(func() (string, error) {
	if ambit := os.Getenv("AMBIT_BIN"); ambit != "" {
		return filepath.Join(filepath.Dir(ambit), "ambit-runsc"), nil
	}
	path := filepath.Join(scratch, "ambit-runsc")
	cmd := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-o", path, "ambit.dev/ambit/cmd/ambit-runsc")
	cmd.Env, cmd.Stderr = append(os.Environ(), "CGO_ENABLED=0"), os.Stderr
	return path, cmd.Run()
})

// tier is the tier with the runtime of this checkout.
func tier(t testing.TB) gvisor.Tier {
	t.Helper()
	path, err := built()
	if err != nil {
		t.Fatal(err)
	}
	version, err := exec.Command(path, "ours").Output()
	if err != nil {
		t.Fatal(err)
	}
	return gvisor.Tier{Program: path, Version: strings.TrimSpace(string(version))}
}
