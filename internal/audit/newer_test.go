package audit_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ambit.dev/ambit/internal/audit"
)

// A log that a newer version went on with says so, to whoever verifies it, reads it or
// wants to write to it.
func TestNewerVersion(t *testing.T) {
	t.Parallel()
	dir, l := smallLog(t)
	writeSessions(t, l, 2)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	segment := filepath.Join(dir, "00000001.log")
	text, err := os.ReadFile(segment)
	if err != nil {
		t.Fatal(err)
	}
	newer := bytes.ReplaceAll(text, []byte(`"kind":"decision"`), []byte(`"kind":"oracle.x"`))
	if err := os.WriteFile(segment, newer, 0o600); err != nil {
		t.Fatal(err)
	}
	says := func(what string, err error) {
		t.Helper()
		if err == nil || !strings.Contains(err.Error(), `kind "oracle.x": a newer version of ambit wrote it`) {
			t.Errorf("%s: %v", what, err)
		}
	}
	_, err = audit.Verify(dir, audit.VerifyOptions{})
	says("verify", err)
	_, _, err = audit.Page(dir, 10, audit.Query{})
	says("page", err)
	_, err = audit.Last(dir, 10, func(audit.Record) bool { return true })
	says("last", err)
	if l, err = audit.Open(dir, audit.Options{}); err != nil {
		t.Fatal(err)
	}
	_, err = l.Append(t.Context(), decision(t, 1))
	says("append", err)
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	for body, want := range map[string]bool{
		`{"capability":"x","outcome":"deny","trace":"1"}`: true,
		`{"capability":1,"outcome":"deny","trace":"1"}`:   false,
	} {
		_, err = audit.Record{Kind: audit.Decision, Body: json.RawMessage(body)}.Decode()
		if err == nil || strings.Contains(err.Error(), "newer version of ambit") != want {
			t.Errorf("decode %s: %v", body, err)
		}
	}
}
