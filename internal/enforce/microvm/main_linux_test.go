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

// TestDenied tries what no tier lets happen.
func TestDenied(t *testing.T) {
	enforcetest.RunDenied(t, tier(t), facts(), enforcetest.Differences{Tier: enforce.TierEmulated, OwnKernel: true, NoFilter: true})
}

// TestLink: one interface beside lo, and what the program sends comes out of the
// other end.
func TestLink(t *testing.T) {
	tr := tier(t)
	enforcetest.RunLinkWith(t, func(n enforce.Networker) enforce.Tier {
		tr.Networker = n
		return tr
	}, facts(), enforcetest.Differences{Tier: enforce.TierEmulated, OwnLink: true})
}
