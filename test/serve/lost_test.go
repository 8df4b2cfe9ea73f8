package serve_test

import (
	"path/filepath"
	"testing"

	"connectrpc.com/connect"

	pb "ambit.dev/ambit/api/ambit/v1"
	"ambit.dev/ambit/internal/audit/audittest"
)

// Whoever has the log verified is told what may have been lost with the machine.
func TestServeLost(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	c := newClient(t, h)
	verify := func() *pb.VerifyLogResponse {
		t.Helper()
		m, err := c.audit.VerifyLog(t.Context(), connect.NewRequest(&pb.VerifyLogRequest{}))
		if err != nil {
			t.Fatal(err)
		}
		return m.Msg
	}
	if out, err := h.Command("run", "--", "true").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	before := verify()
	if err := audittest.Lose(filepath.Join(h.State, "audit")); err != nil {
		t.Fatal(err)
	}
	after := verify()
	if lost := before.GetRecords() - after.GetRecords(); !after.GetIntact() || lost == 0 || after.GetLost() != lost || before.GetLost() != 0 {
		t.Errorf("before it is %v, and after %d are lost %v", before, lost, after)
	}
}
