package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ambit.dev/ambit/internal/audit"
	"ambit.dev/ambit/internal/audit/audittest"
)

// auditRun runs one audit command on the log in dir/audit.
func auditRun(t *testing.T, dir string, args ...string) (out string, err error) {
	t.Helper()
	folder := t.TempDir()
	var files [2]*os.File
	for i := range files {
		var err error
		if files[i], err = os.Create(filepath.Join(folder, fmt.Sprint(i))); err != nil {
			t.Fatal(err)
		}
		defer files[i].Close()
	}
	status := run(append([]string{"--state-dir", filepath.Dir(dir), "audit"}, args...), os.Stdin, files[0], files[1])
	text, err1 := os.ReadFile(files[0].Name())
	words, err2 := os.ReadFile(files[1].Name())
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	if status != 0 {
		return string(text), fmt.Errorf("exit status %d: %s", status, words)
	}
	return string(text), nil
}

// auditLog makes a log with a record of each of some kinds.
func auditLog(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "audit")
	l, err := audit.Open(dir, audit.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for id, body := range map[string]audit.Body{
		"d-1": audit.DecisionBody{Capability: "fs.read:/home/u/a", Outcome: "deny", Reasons: []audit.ReasonBody{{Rule: "not granted"}}, Program: "cat"},
	} {
		r, err := audit.New(body)
		if err != nil {
			t.Fatal(err)
		}
		r.ID, r.Session = id, "s-1"
		if _, err := l.Append(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
	for _, body := range []audit.Body{
		audit.LaunchBody{Argv: []audit.Text{"sh", "-c", "echo\x1b[31m \xff"}, Tier: "process", Dir: "/tmp"},
		audit.DenialBody{Layer: "seccomp", Action: "ptrace", Program: "gdb"},
		audit.ReportBody{Tier: "process", Layers: []audit.LayerBody{{Name: "landlock", Promised: true, Holds: true}, {Name: "pids", Promised: true}}},
		audit.GrantBody{Grant: "g-1", Outcome: "allow", Capability: "fs.read:/x", Span: "always"},
		audit.EffectBody{Capability: "fs.read:/x", Reason: "not granted", Paths: []audit.Text{"/x"},
			Open: []audit.HeldBody{{PID: 7, Program: "cat", What: "descriptor 3", Path: "/x"}}},
		audit.EndBody{Status: "exited", Exit: 3},
	} {
		r, err := audit.New(body)
		if err != nil {
			t.Fatal(err)
		}
		r.Session = "s-2"
		if _, err := l.Append(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestAuditList(t *testing.T) {
	dir := auditLog(t)
	for _, tc := range []struct {
		args  []string
		lines int
		want  string
	}{
		{nil, 8, "deny fs.read:/home/u/a (not granted) cat"},
		{nil, 8, `process runs sh -c "echo\x1b[31m \xff" in /tmp`},
		{nil, 8, "fs.read:/x is taken away (not granted); still open: descriptor 3 of cat, process 7, /x"},
		{nil, 8, "seccomp stopped ptrace gdb"},
		{nil, 8, "1 of 2 layers hold; does not hold: pids"},
		{nil, 8, "g-1 allow fs.read:/x always"},
		{nil, 8, "exited 3"},
		{[]string{"-n", "2"}, 2, "exited 3"},
		{[]string{"-n", "0"}, 8, "begins"},
		{[]string{"--session", "s-1"}, 1, "d-1"},
		{[]string{"--kind", "denial"}, 1, "ptrace"},
		{[]string{"--since", "1h"}, 8, ""},
		{[]string{"--since", "2999-01-01"}, 0, ""},
		{[]string{"--until", "3d"}, 0, ""},
	} {
		out, err := auditRun(t, dir, append([]string{"ls"}, tc.args...)...)
		if err != nil || strings.Count(out, "\n") != tc.lines || !strings.Contains(out, tc.want) || strings.Contains(out, "\x1b") || strings.Contains(out, "\xff") {
			t.Errorf("ls %q: got %v and\n%s, want %d lines with %q", tc.args, err, out, tc.lines, tc.want)
		}
	}
	for _, args := range [][]string{{"ls", "x"}, {"ls", "--kind", "x"}, {"ls", "--since", "x"}, {"ls", "-n", "-1"}, {"show"}, {"show", "d-none"}, {"frobnicate"}} {
		if out, err := auditRun(t, dir, args...); err == nil {
			t.Errorf("%q: got %s", args, out)
		}
	}
	out, err := auditRun(t, dir, "ls", "--json", "--session", "s-1")
	var records []audit.Record
	if err != nil || json.Unmarshal([]byte(out), &records) != nil || len(records) != 1 || records[0].ID != "d-1" {
		t.Errorf("got %s, %v", out, err)
	}
	if out, err := auditRun(t, dir, "show", "d-1"); err != nil || !strings.Contains(out, "number     2\n") || !strings.Contains(out, `"outcome": "deny"`) {
		t.Errorf("got %s, %v", out, err)
	}
	if out, err := auditRun(t, dir, "export", "--kind", "decision"); err != nil || strings.Count(out, "\n") != 1 {
		t.Errorf("got %s, %v", out, err)
	}
	if _, err := auditRun(t, t.TempDir(), "ls"); err == nil {
		t.Error("a folder without a log was listed")
	}
}

// Records that may have been lost with the machine are said, and are no fault.
func TestAuditVerifyLost(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "audit")
	l, err := audit.Open(dir, audit.Options{})
	if err != nil {
		t.Fatal(err)
	}
	rec, err := audit.New(audit.EndBody{Status: "exited"})
	if err != nil {
		t.Fatal(err)
	}
	_, one := l.Append(t.Context(), rec)
	_, two := l.AppendSoon(t.Context(), rec, rec)
	if err := errors.Join(one, two, l.Close(), audittest.Lose(dir)); err != nil {
		t.Fatal(err)
	}
	const want = "2 records in 1 segments: intact"
	const lost = "2 records behind them are lost or were cut off: they were written, but not known to be on the disk, before the machine last stopped\n"
	if out, err := auditRun(t, dir, "verify"); err != nil || !strings.Contains(out, want) || !strings.Contains(out, lost) {
		t.Errorf("got %v and\n%s, want %q and %q", err, out, want, lost)
	}
	if out, err := auditRun(t, dir, "verify", "--json"); err != nil || !strings.Contains(out, `"lost": 2`) {
		t.Errorf("got %v, %s", err, out)
	}
}

func TestAuditVerify(t *testing.T) {
	dir := auditLog(t)
	elsewhere := t.TempDir()
	head, proof, key := filepath.Join(elsewhere, "head"), filepath.Join(elsewhere, "proof"), filepath.Join(elsewhere, "key.pub")
	out, err := auditRun(t, dir, "head")
	if err != nil || os.WriteFile(head, []byte(out), 0o600) != nil {
		t.Fatal(out, err)
	}
	public, err := os.ReadFile(filepath.Join(dir, "key.pub"))
	if err != nil || os.WriteFile(key, public, 0o600) != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct{ args, want string }{
		{"verify", "8 records in 1 segments: intact"},
		{"verify", "not checked"},
		{"verify --key KEY --head HEAD", "intact"},
		{"verify --json", `"ok": true`},
		{"head --json", `"size": 8`},
		{"prove d-1 -o PROOF", ""},
		{"check-proof PROOF", "record 2 of 8"},
		{"check-proof PROOF --key KEY", `"outcome": "deny"`},
		{"check-proof PROOF --key KEY --json", `"pinned": true`},
		{"prove 3", `"index": 2`},
	} {
		args := strings.NewReplacer("KEY", key, "HEAD", head, "PROOF", proof).Replace(tc.args)
		if out, err := auditRun(t, dir, strings.Fields(args)...); err != nil || !strings.Contains(out, tc.want) {
			t.Errorf("%s: got %v and\n%s, want %q", tc.args, err, out, tc.want)
		}
	}
	if _, err := auditRun(t, dir, "prove", "d-1", "-o", proof); err == nil {
		t.Error("the proof was replaced")
	}
	segment := filepath.Join(dir, "00000001.log")
	b, err := os.ReadFile(segment)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(segment, bytes.Replace(b, []byte("ptrace"), []byte("getpid"), 1), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := auditRun(t, dir, "verify"); err == nil || !strings.Contains(err.Error(), "record 4 (00000001.log:") {
		t.Errorf("got %v, want record 4", err)
	}
	if out, err := auditRun(t, dir, "verify", "--json"); err == nil || !strings.Contains(out, `"ok": false`) || !strings.Contains(out, `"seq": 4`) {
		t.Errorf("got %v, %s", err, out)
	}
}
