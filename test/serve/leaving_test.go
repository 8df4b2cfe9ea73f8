package serve_test

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"

	pb "ambit.dev/ambit/api/ambit/v1"
	"ambit.dev/ambit/internal/server/servertest"
)

// stores are the processes that read the store for a host.
func stores(t *testing.T, h *servertest.Host) (pids []string) {
	t.Helper()
	lists, err := filepath.Glob(filepath.Join("/proc", strconv.Itoa(h.PID()), "task", "*", "children"))
	if err != nil {
		t.Fatal(err)
	}
	for _, list := range lists {
		below, _ := os.ReadFile(list) // its thread may have ended
		for pid := range strings.FieldsSeq(string(below)) {
			if line, _ := os.ReadFile(filepath.Join("/proc", pid, "cmdline")); strings.HasPrefix(string(line), "ambit-store\x00") {
				pids = append(pids, pid)
			}
		}
	}
	slices.Sort(pids)
	return pids
}

// Whoever leaves while something is read for them takes nothing from others: the
// process that reads the store for all of them goes on.
func TestServeLeaving(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	c := newClient(t, h)
	look := func(ctx context.Context) error {
		_, err := c.questions.ListQuestions(ctx, connect.NewRequest(&pb.ListQuestionsRequest{}))
		return err
	}
	if err := look(t.Context()); err != nil {
		t.Fatal(err)
	}
	before := stores(t, h)
	if len(before) == 0 {
		t.Fatal("no process reads the store")
	}
	left := 0
	for i := range 400 {
		ctx, cancel := context.WithTimeout(t.Context(), time.Duration(i%40)*50*time.Microsecond)
		if look(ctx) != nil {
			left++
		}
		cancel()
	}
	if err := look(t.Context()); err != nil || left == 0 {
		t.Errorf("%d callers left; the next one: %v", left, err)
	}
	if after := stores(t, h); !slices.Equal(before, after) {
		t.Errorf("the store is read by %v, and was by %v", after, before)
	}
}
