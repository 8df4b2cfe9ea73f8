package audit_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"ambit.dev/ambit/internal/audit"
	"ambit.dev/ambit/internal/core/trace"
)

const someTrace = "4bf92f3577b34da6a3ce929d0e0e4736"

func parent(t *testing.T, id string) trace.Parent {
	t.Helper()
	p, ok := trace.Parse("00-" + id + "-00f067aa0ba902b7-01")
	if !ok {
		t.Fatal(id)
	}
	return p
}

// Records have the trace of the log that wrote them, or their own; the log verifies,
// they are found by it, and their bodies are what they were.
func TestTrace(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "audit")
	log := parent(t, someTrace)
	own := parent(t, strings.Repeat("ab", 16))
	l, err := audit.Open(dir, audit.Options{Trace: log})
	if err != nil {
		t.Fatal(err)
	}
	launch := audit.LaunchBody{Argv: audit.Texts([]string{"x", `,"trace":"00-` + strings.Repeat("cd", 16) + `-00f067aa0ba902b7-01"}`}), TraceState: "a=b"}
	first, err := audit.New(launch)
	if err != nil {
		t.Fatal(err)
	}
	second := decision(t, 1)
	second.Trace = own
	empty := audit.Record{Kind: audit.Report, Body: json.RawMessage(`{"tier":""}`)}
	if _, err := l.Append(t.Context(), first, second, empty); err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if l, err = audit.Open(dir, audit.Options{}); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Append(t.Context(), decision(t, 2)); err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := audit.Verify(dir, audit.VerifyOptions{}); err != nil {
		t.Error(err)
	}
	for id, want := range map[string]int{someTrace: 2, own.Trace(): 1, strings.Repeat("cd", 16): 0} {
		page, _, err := audit.Page(dir, 10, audit.Query{Hints: []string{audit.HintTrace(id)}, Keep: func(r audit.Record) bool { return r.Trace.Trace() == id }})
		if err != nil || len(page) != want {
			t.Errorf("%d records of trace %s, want %d: %v", len(page), id, want, err)
		}
	}
	all, _, err := audit.Page(dir, 10, audit.Query{})
	if err != nil || len(all) != 5 {
		t.Fatalf("%d records: %v", len(all), err)
	}
	for i, want := range []trace.Parent{{}, log, own, log, {}} { // newest first; the last began the log
		if i == 4 {
			continue // which has the trace of whoever began it, or none
		}
		if all[i].Trace != want {
			t.Errorf("record %d has the trace %q, want %q", all[i].Seq, all[i].Trace, want)
		}
		if _, err := all[i].Decode(); err != nil {
			t.Error(err)
		}
	}
	if body, err := all[3].Decode(); err != nil || !reflect.DeepEqual(body, &launch) {
		t.Errorf("%+v: %v", body, err)
	}
}

// Whose trace is spelled otherwise, stands elsewhere or twice was not written here: it
// is a field that the body has not.
func TestTraceElsewhere(t *testing.T) {
	t.Parallel()
	p := parent(t, someTrace).String()
	for body, ok := range map[string]bool{
		`{"capability":"x","outcome":"deny","trace":"` + p + `"}`:                                true,
		`{"trace":"` + p + `"}`:                                                                  true,
		`{"capability":"x","outcome":"deny","trace":"` + p + `","trace":"` + p + `"}`:            false,
		`{"trace":"` + p + `","capability":"x","outcome":"deny"}`:                                false,
		`{"capability":"x","outcome":"deny","trace":"` + p[:len(p)-2] + `09"}`:                   false,
		`{"capability":"x","outcome":"deny", "trace":"` + p + `"}`:                               false,
		`{"reasons":[{"rule":"x","trace":"` + p + `"}]}`:                                         false,
		`{"capability":"x","outcome":"deny","trace":"` + strings.ToUpper(p[:10]) + p[10:] + `"}`: false,
	} {
		if _, err := (audit.Record{Kind: audit.Decision, Body: json.RawMessage(body)}).Decode(); (err == nil) != ok {
			t.Errorf("%s: %v", body, err)
		}
	}
}

// A log that has no traces is written as before, byte for byte.
func TestTraceNone(t *testing.T) {
	t.Parallel()
	dir, l := smallLog(t)
	if _, err := l.Append(t.Context(), decision(t, 1)); err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(dir, "00000001.log"))
	if err != nil || strings.Contains(string(text), "trace") {
		t.Errorf("%s: %v", text, err)
	}
}
