package process_test

import (
	"os"
	"testing"

	"ambit.dev/ambit/internal/enforce"
	"ambit.dev/ambit/internal/enforce/enforcetest"
	"ambit.dev/ambit/internal/enforce/process"
)

func TestAsking(t *testing.T) {
	f := asking(t)
	if !f.FUSE {
		t.Skip("requires: /dev/fuse that this user can open")
	}
	enforcetest.RunAsking(t, tier, f, false)
}

// TestAskingByNotification: the same without /dev/fuse, for everybody.
func TestAskingByNotification(t *testing.T) {
	f := facts(t)
	enforcetest.RunAsking(t, tier, f, true)
}

func BenchmarkProcessTier(b *testing.B) { enforcetest.Benchmark(b, tier, asking(b)) }

func tier(a enforce.Asker) enforce.Tier { return process.Tier{Asker: a} }

// asking are the facts of a host where first touches can be asked about.
func asking(t testing.TB) enforce.Facts {
	t.Helper()
	f := facts(t)
	dev, err := os.OpenFile("/dev/fuse", os.O_RDWR, 0)
	f.FUSE = err == nil
	if f.FUSE {
		if err := dev.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return f
}
