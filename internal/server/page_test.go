package server_test

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"ambit.dev/ambit/internal/audit"
	"ambit.dev/ambit/internal/server"
)

// A page token is good for its caller, its request and its server alone.
func TestTokens(t *testing.T) {
	t.Parallel()
	state := t.TempDir()
	l, err := audit.Open(filepath.Join(state, "audit"), audit.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for i := range 6 {
		r, err := audit.New(audit.DecisionBody{Capability: audit.Text(fmt.Sprintf("fs.read:/%d", i)), Outcome: "allow"})
		if err != nil {
			t.Fatal(err)
		}
		r.Principal, r.Session = []string{"uid:1", "uid:2"}[i%2], "s-aaaaaaaaaa"
		if _, err := l.Append(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
	one, other := serverOn(t, state).Handler(), serverOn(t, state).Handler()
	you := server.Caller{Principal: "uid:2", Role: server.Admin}
	const list = "/ambit.v1.AuditService/ListRecords"
	_, text := send(t, one, me, list, jsonType, `{"pageSize":1,"filter":{"session":"s-aaaaaaaaaa"}}`)
	var first struct {
		Records       []json.RawMessage `json:"records"`
		NextPageToken string            `json:"nextPageToken"`
	}
	if err := json.Unmarshal([]byte(text), &first); err != nil || len(first.Records) != 1 || first.NextPageToken == "" {
		t.Fatalf("the first page is %s, %v", text, err)
	}
	next := func(filter string) string {
		return `{"pageSize":2,"pageToken":"` + first.NextPageToken + `","filter":` + filter + `}`
	}
	const same = `{"session":"s-aaaaaaaaaa"}`
	if _, text := send(t, one, me, list, jsonType, next(same)); strings.Count(text, `"seq"`) != 2 {
		t.Errorf("the next page is %s", text)
	}
	for what, answer := range map[string]func() (int, string){
		"somebody else's":   func() (int, string) { return send(t, one, you, list, jsonType, next(same)) },
		"of another filter": func() (int, string) { return send(t, one, me, list, jsonType, next(`{}`)) },
		"of another route": func() (int, string) {
			return send(t, one, me, "/ambit.v1.GrantService/ListGrants", jsonType, `{"pageToken":"`+first.NextPageToken+`"}`)
		},
		"of another process": func() (int, string) { return send(t, other, me, list, jsonType, next(same)) },
		"made up": func() (int, string) {
			return send(t, one, me, list, jsonType, `{"pageToken":"AAAAAAAAAAAAAAAAAAAAAAAAAAAA"}`)
		},
		"changed": func() (int, string) {
			return send(t, one, me, list, jsonType, strings.Replace(next(same), first.NextPageToken, first.NextPageToken+"MQ", 1))
		},
	} {
		if _, text := answer(); !strings.Contains(text, "page token") && !strings.Contains(text, "unavailable") || strings.Contains(text, `"seq"`) {
			t.Errorf("a token %s is answered %s", what, text)
		}
	}
}
