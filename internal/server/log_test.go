package server

import (
	"bytes"
	"encoding/json"
	"errors"
	"log/slog"
	"testing"
	"time"

	"connectrpc.com/connect"

	"ambit.dev/ambit/api/ambit/v1/ambitv1connect"
)

// Calls that may change something are logged, and refusals; what only shows is not. A
// second has a bounded number of lines, and the next one says how many were left out.
func TestCallLog(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	l := &callLog{to: slog.New(slog.NewJSONHandler(&out, nil))}
	ctx := WithCaller(t.Context(), Caller{Principal: "uid:1@acme", Role: Viewer, By: "token \"x\"\n"})
	read, _ := RouteOf(ambitv1connect.GrantServiceListGrantsProcedure)
	change, _ := RouteOf(ambitv1connect.GrantServiceRevokeGrantsProcedure)
	lines := func() (all []map[string]string) {
		for line := range bytes.SplitSeq(bytes.TrimSpace(out.Bytes()), []byte("\n")) {
			var fields map[string]json.RawMessage
			if len(line) == 0 || json.Unmarshal(line, &fields) != nil {
				continue
			}
			texts := map[string]string{}
			for name, value := range fields {
				texts[name] = string(value)
			}
			all = append(all, texts)
		}
		out.Reset()
		return all
	}
	l.called(ctx, read, time.Second, nil)
	l.called(ctx, read, time.Second, connect.NewError(connect.CodeNotFound, errors.New("secret")))
	if got := lines(); len(got) != 0 {
		t.Errorf("what only shows is logged: %v", got)
	}
	l.called(ctx, read, time.Second, connect.NewError(connect.CodePermissionDenied, errors.New("secret")))
	l.called(ctx, change, time.Second, nil)
	got := lines()
	if len(got) != 2 || got[0]["code"] != `"permission_denied"` || got[1]["code"] != `"ok"` || got[1]["principal"] != `"uid:1@acme"` || got[1]["role"] != `"viewer"` ||
		got[1]["by"] != `"token \"x\"\n"` || got[1]["route"] != `"`+change.Procedure+`"` {
		t.Errorf("%v", got)
	}
	now := time.Unix(5, 0)
	for range maxLines + 7 {
		l.room(now)
	}
	if left, ok := l.room(now.Add(time.Second)); !ok || left != 7 {
		t.Errorf("%d are left out, %v", left, ok)
	}
}
