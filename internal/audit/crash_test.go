package audit_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"ambit.dev/ambit/internal/audit"
)

// small makes segments so small that a test crosses them.
var small = audit.Options{SegmentSize: 3000}

func TestMain(m *testing.M) {
	if args := os.Getenv("AUDIT_TEST_WRITER"); args != "" {
		if err := writer(strings.Split(args, " ")); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	if dir := os.Getenv("AUDIT_TEST_STOPPED"); dir != "" {
		if err := slowWriter(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// writer is a process that appends: folder, name, records, change before which
// it is killed (0: none), how much of that change is done. It prints the ids of
// what was acknowledged.
func writer(args []string) error {
	dir, name := args[0], args[1]
	count, _ := strconv.Atoi(args[2])
	kill, _ := strconv.Atoi(args[3])
	part, _ := strconv.Atoi(args[4])
	opt := small
	if kill > 0 {
		opt = opt.WithDisk(killDisk(kill, part))
	}
	l, err := audit.Open(dir, opt)
	if err != nil {
		return err
	}
	for i := range count {
		var group []audit.Record
		for j := range 1 + i%3 {
			r, err := audit.New(audit.DecisionBody{Capability: "fs.read:/x", Outcome: "deny"})
			if err != nil {
				return err
			}
			r.ID = fmt.Sprintf("%s-%d-%d", name, i, j)
			group = append(group, r)
		}
		write := l.Append
		if i%3 == 1 {
			write = l.AppendSoon // which this process may die behind, too
		}
		done, err := write(context.Background(), group...)
		if err != nil {
			return err
		}
		for _, r := range done {
			fmt.Println(r.ID)
		}
	}
	return l.Close()
}

// startWriter starts a writer and returns what reads the ids it acknowledges,
// and its process.
func startWriter(t testing.TB, dir, name string, count, kill, part int) (*exec.Cmd, func() []string) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), fmt.Sprintf("AUDIT_TEST_WRITER=%s %s %d %d %d", dir, name, count, kill, part))
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return cmd, func() (ids []string) {
		for s := bufio.NewScanner(out); s.Scan(); {
			ids = append(ids, s.Text())
		}
		return ids
	}
}

// killed says whether cmd was killed; any other failure is one of the test.
func killed(t testing.TB, cmd *exec.Cmd) bool {
	t.Helper()
	err := cmd.Wait()
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.Sys().(syscall.WaitStatus).Signal() == syscall.SIGKILL {
		return true
	}
	if err != nil {
		t.Errorf("writer: %v", err)
	}
	return false
}

// checkAcknowledged verifies the log and that it has each of the ids once.
func checkAcknowledged(t testing.TB, dir string, ids []string) {
	t.Helper()
	if _, err := audit.Verify(dir, audit.VerifyOptions{}); err != nil {
		t.Fatalf("verify: %v", err)
	}
	have := map[string]int{}
	for r, err := range audit.Read(dir) {
		if err != nil {
			t.Fatal(err)
		}
		have[r.ID]++
	}
	for _, id := range ids {
		if have[id] != 1 {
			t.Errorf("record %q was acknowledged and is there %d times", id, have[id])
		}
	}
}

// TestKillAtEveryWrite kills a writer at each of its changes, then kills the one
// that repairs, and lets a third go on.
func TestKillAtEveryWrite(t *testing.T) {
	stride := 1
	if testing.Short() {
		stride = 5
	}
	for part := range 3 {
		for n, alive := 1, false; !alive; n += stride {
			t.Run(fmt.Sprintf("change %d part %d", n, part), func(t *testing.T) {
				dir := t.TempDir()
				cmd, read := startWriter(t, dir, "a", 9, n, part)
				ids := read()
				alive = !killed(t, cmd)
				if len(ids) > 0 {
					checkAcknowledged(t, dir, ids)
				}
				cmd, read = startWriter(t, dir, "b", 3, 1+n%9, part)
				ids = append(ids, read()...)
				killed(t, cmd)
				cmd, read = startWriter(t, dir, "c", 3, 0, 0)
				ids = append(ids, read()...)
				if killed(t, cmd) || len(ids) < 6 {
					t.Errorf("the third writer acknowledged too little")
				}
				checkAcknowledged(t, dir, ids)
			})
		}
	}
}

// TestHammerKill has writers in several processes, each killed at a random
// time and followed by another.
func TestHammerKill(t *testing.T) {
	dir := t.TempDir()
	deadline := time.Now().Add(4 * time.Second)
	if testing.Short() {
		deadline = time.Now().Add(time.Second)
	}
	var mu sync.Mutex
	var ids []string
	over := func() bool { // and on a slow machine not before something was acknowledged
		mu.Lock()
		defer mu.Unlock()
		return time.Now().After(deadline) && (len(ids) > 0 || time.Now().After(deadline.Add(time.Minute)))
	}
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			most := 120
			for life := 0; !over(); life++ {
				cmd, read := startWriter(t, dir, fmt.Sprintf("w%d-%d", w, life), 1_000_000, 0, 0)
				time.AfterFunc(time.Duration(20+rand.IntN(most))*time.Millisecond, func() { _ = cmd.Process.Kill() })
				got := read()
				killed(t, cmd)
				if len(got) == 0 {
					most += 30 // it had not begun
				}
				mu.Lock()
				ids = append(ids, got...)
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if len(ids) == 0 {
		t.Fatal("no writer lived long enough")
	}
	t.Logf("%d records acknowledged", len(ids))
	checkAcknowledged(t, dir, ids)
	fill(t, dir, small, 3, 1)
	checkAcknowledged(t, dir, ids)
}

// TestPowerLoss makes the folders that a loss of power at each change can
// leave, and goes on in each.
func TestPowerLoss(t *testing.T) {
	live := t.TempDir()
	sim := newSimDisk(live)
	l := open(t, live, audit.Options{SegmentSize: 2500}.WithDisk(sim).WithBoot(bootA))
	acked := map[int]int{} // changes made → records acknowledged
	for i := range 11 {
		group := make([]audit.Record, 1+i%3)
		for j := range group {
			group[j] = decision(t, i)
		}
		write := l.Append
		if i%2 == 1 {
			write = l.AppendSoon // which is acknowledged, but not promised
		}
		got, err := write(t.Context(), group...)
		if err != nil {
			t.Fatal(err)
		}
		if i%2 == 0 {
			acked[len(sim.history)] = int(got[len(got)-1].Seq)
		}
	}
	images, promised := 0, 0
	for n := range len(sim.history) + 1 {
		promised = max(promised, acked[n])
		for _, loss := range losses {
			dir := t.TempDir()
			if err := sim.image(dir, n, loss); err != nil {
				t.Fatal(err)
			}
			images++
			where := fmt.Sprintf("power lost after change %d of %d, lost: %s", n, len(sim.history), loss.name)
			l, err := audit.Open(dir, audit.Options{SegmentSize: 2500}.WithDisk(noSync{audit.OSDisk}).WithBoot(bootB))
			if err != nil {
				t.Fatalf("%s: %v", where, err)
			}
			got, err := l.Append(t.Context(), decision(t, 99))
			if err != nil {
				t.Fatalf("%s: %v", where, err)
			}
			if int(got[0].Seq) <= promised {
				t.Errorf("%s: %d records were acknowledged, the next is %d", where, promised, got[0].Seq)
			}
			l.Close()
			if res := verify(t, dir); res.Records != got[0].Seq || res.Uncommitted != 0 || res.Lost != 0 {
				t.Errorf("%s: got %+v", where, res)
			}
		}
	}
	t.Logf("%d images of %d changes", images, len(sim.history))
}

// noSync is a disk that is fast because nothing is kept.
type noSync struct{ audit.Disk }

func (noSync) Sync(*os.File) error  { return nil }
func (noSync) SyncDir(string) error { return nil }

// TestFailAtEveryWrite has each change fail once, as on a full disk: nothing of
// the append that failed is in the log, and the next one works.
func TestFailAtEveryWrite(t *testing.T) {
	for part := range 3 {
		for n, failed := 1, true; failed; n++ {
			failed = false
			left := n
			d := countedDisk{Disk: noSync{audit.OSDisk}}
			d.before = func(_ string, size int) (int, error) {
				if left--; left == 0 {
					failed = true
					return size * part / 2, syscall.ENOSPC
				}
				return 0, nil
			}
			dir := t.TempDir()
			var ids []string
			l, err := audit.Open(dir, small.WithDisk(d))
			for range 3 {
				if err == nil {
					break
				}
				l, err = audit.Open(dir, small.WithDisk(d))
			}
			if err != nil {
				t.Fatal(err)
			}
			for i := range 9 {
				write := l.Append
				if i%3 == 1 {
					write = l.AppendSoon
				}
				got, err := write(t.Context(), decision(t, i), decision(t, i+100))
				switch {
				case err == nil:
					ids = append(ids, got[0].ID, got[1].ID)
				case !errors.Is(err, syscall.ENOSPC):
					t.Fatalf("change %d: %v", n, err)
				}
			}
			l.Close()
			checkAcknowledged(t, dir, ids)
			if res := verify(t, dir); int(res.Records) != len(ids)+1 || res.Uncommitted != 0 {
				t.Errorf("change %d: %d acknowledged, got %+v", n, len(ids), res)
			}
		}
	}
}
