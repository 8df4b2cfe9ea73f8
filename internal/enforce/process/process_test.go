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

// TestLateLink: a link that is made with the first socket, by each way that this
// user has.
func TestLateLink(t *testing.T) {
	make := func(a enforce.Asker, n enforce.Networker) enforce.Tier { return process.Tier{Asker: a, Networker: n} }
	f := asking(t)
	ways := map[string]enforce.Facts{"by a veth pair": f}
	if dev, err := os.OpenFile("/dev/net/tun", os.O_RDWR, 0); err == nil {
		if err := dev.Close(); err != nil {
			t.Fatal(err)
		}
		f.TUN = true
		ways["by a tun device"] = f
	}
	for way, f := range ways {
		t.Run(way+", by notification", func(t *testing.T) { enforcetest.RunLateLink(t, make, f, true) })
		t.Run(way+", by a trap", func(t *testing.T) {
			if !f.FUSE {
				t.Skip("requires: /dev/fuse that this user can open")
			}
			enforcetest.RunLateLink(t, make, f, false)
		})
	}
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
