package microvm_test

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"ambit.dev/ambit/internal/enforce"
	"ambit.dev/ambit/internal/enforce/enforcetest"
)

var (
	scratch string // for this run of the tests
	ctx     context.Context
)

func TestMain(m *testing.M) {
	if store := os.Getenv(launcherVariable); store != "" {
		if err := launch(store); err != nil {
			fmt.Println(err)
		}
		os.Exit(1)
	}
	os.Exit(func() int {
		var err error
		if scratch, err = os.MkdirTemp("", "ambit-microvm"); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(scratch)
		var cancel context.CancelFunc
		ctx, cancel = context.WithCancel(context.Background())
		defer cancel()
		return m.Run()
	}())
}

// TestRuns is the whole of it: a cold boot, a clone, a program with arguments,
// input, output and a status.
func TestRuns(t *testing.T) {
	begin := time.Now()
	tr := tier(t)
	t.Log("image after", time.Since(begin))
	for i := range 2 {
		begin = time.Now()
		res, out, errs := run(t, tr, input(t, `cat; uname -sr; hostname; id -u; pwd; echo err >&2; exit 3`), "hello\n")
		t.Log("run", i, time.Since(begin))
		if res.Exit != 3 || errs != "err\n" || !strings.HasPrefix(out, "hello\nLinux 6.1") || !strings.Contains(out, fmt.Sprintf("\n%d\n/tmp\n", os.Getuid())) {
			t.Errorf("got %+v %q %q", res, out, errs)
		}
	}
}

// differs is how the tier differs from others.
var differs = enforcetest.Differences{Tier: enforce.TierEmulated, OwnKernel: true, OwnLink: true, OwnGroups: true, NoFilter: true}

// TestDenied tries what no tier lets happen, some of it in machines of its own: all
// of it is tried by programs that enter one (TestEntered). `make test-microvm` tries
// all here too.
func TestDenied(t *testing.T) {
	some := []string{"write what is hidden", "link it", "a setuid program", "the host's loopback", "a signal to it"}
	if os.Getenv("AMBIT_TEST_MICROVM") == "all" {
		some = nil
	}
	enforcetest.RunDenied(t, tier(t), facts(), differs, some...)
}

// TestLink: one interface beside lo, and what the program sends comes out of the
// other end.
func TestLink(t *testing.T) {
	tr := tier(t)
	enforcetest.RunLinkWith(t, func(n enforce.Networker) enforce.Tier {
		tr.Networker = n
		return tr
	}, facts(), differs)
}

// TestEntered: another program in a machine that runs.
func TestEntered(t *testing.T) {
	enforcetest.RunEntered(t, tier(t), facts(), differs)
}
