//go:build linux

package process_test

import (
	"os"
	"strconv"
	"strings"
	"testing"

	"ambit.dev/ambit/internal/enforce"
	"ambit.dev/ambit/internal/enforce/enforcetest"
	"ambit.dev/ambit/internal/enforce/landlock"
	"ambit.dev/ambit/internal/enforce/process"
)

func TestProcessTier(t *testing.T) {
	enforcetest.Run(t, process.Tier{}, facts(t))
}

func TestLink(t *testing.T) {
	enforcetest.RunLink(t, func(n enforce.Networker) enforce.Tier { return process.Tier{Networker: n} }, facts(t))
}

func facts(t testing.TB) enforce.Facts {
	t.Helper()
	abi, err := landlock.ABI()
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile("/proc/sys/user/max_user_namespaces")
	if err != nil {
		t.Fatal(err)
	}
	n, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	return enforce.Facts{UID: os.Getuid(), GID: os.Getgid(), UserNamespace: n > 0, LandlockABI: abi}
}
