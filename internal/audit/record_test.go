package audit_test

import (
	"bytes"
	"encoding/json"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"ambit.dev/ambit/internal/audit"
)

func TestText(t *testing.T) {
	for text, want := range map[audit.Text]string{
		"/home/u":       `"/home/u"`,
		"é\"\\\n<&>":    `"é\"\\\n<&>"`,
		"/tmp/\xff\x00": `{"base64":"L3RtcC//AA=="}`,
		"":              `""`,
	} {
		got, err := text.MarshalJSON()
		if err != nil || string(got) != want {
			t.Errorf("%q: got %s, %v, want %s", text, got, err, want)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		want := audit.Text(rapid.SliceOf(rapid.Byte()).Draw(t, "bytes"))
		b, err := json.Marshal(want)
		if err != nil {
			t.Fatal(err)
		}
		var got audit.Text
		if err := json.Unmarshal(b, &got); err != nil || got != want {
			t.Errorf("got %q, %v, want %q", got, err, want)
		}
	})
	var text audit.Text
	if err := json.Unmarshal([]byte(`{"base64":"AA==","more":1}`), &text); err == nil {
		t.Error("an unknown key was read")
	}
}

// TestBodies has every kind of body survive the log.
func TestBodies(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir, audit.Options{})
	bodies := []audit.Body{
		&audit.LaunchBody{Argv: []audit.Text{"cat", "\xff"}, Tier: "process", PID: 7, Capabilities: audit.Texts([]string{"fs.read:/x"})},
		&audit.EndBody{Status: "exited", Exit: 3, Duration: time.Second},
		&audit.DecisionBody{Capability: "fs.read:/x", Outcome: "deny", Reasons: []audit.ReasonBody{{Rule: "not granted"}}},
		&audit.DenialBody{Layer: "seccomp", Action: "ptrace", Object: "\xfe", Count: 3},
		&audit.GrantBody{Grant: "g-1", Capability: "fs.read:/x", Outcome: "allow", Span: "until", Until: time.Unix(9, 0).UTC()},
		&audit.GrantBody{Grant: "g-1", Revoked: true},
		&audit.SecretBody{Name: "github-token", Target: "https://api.github.com:443", Place: "header"},
		&audit.SecretBody{Name: "github-token", Removed: true},
		&audit.TokenBody{Name: "ci", Role: "viewer", Until: time.Unix(9, 0).UTC()},
		&audit.TokenBody{Name: "ci", Removed: true},
		&audit.CallBody{By: "token ci", Role: "admin", Procedure: "/ambit.v1.GrantService/AddGrants", Objects: []audit.Text{"fs.read:/\xff"}},
		&audit.ReportBody{Tier: "process", Layers: []audit.LayerBody{{Name: "landlock", Promised: true, Holds: true}}},
	}
	for _, want := range bodies {
		r, err := audit.New(want)
		if err != nil {
			t.Fatal(err)
		}
		done, err := l.Append(t.Context(), r)
		if err != nil {
			t.Fatal(err)
		}
		back, err := audit.At(dir, done[0].Seq)
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(back, done[0]) {
			t.Errorf("got %+v, want %+v", back, done[0])
		}
		if got, err := back.Decode(); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("got %+v, %v, want %+v", got, err, want)
		}
	}
}

func TestAppendRefused(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir, audit.Options{})
	good := decision(t, 1)
	for name, spoil := range map[string]func(*audit.Record){
		"no kind":        func(r *audit.Record) { r.Kind = "" },
		"unknown kind":   func(r *audit.Record) { r.Kind = "gossip" },
		"unknown field":  func(r *audit.Record) { r.Body = json.RawMessage(`{"capability":"x","outcome":"deny","more":1}`) },
		"wrong type":     func(r *audit.Record) { r.Body = json.RawMessage(`{"outcome":1}`) },
		"two values":     func(r *audit.Record) { r.Body = json.RawMessage(`{} {}`) },
		"a list":         func(r *audit.Record) { r.Body = json.RawMessage(`[]`) },
		"null":           func(r *audit.Record) { r.Body = json.RawMessage(`null`) },
		"not JSON":       func(r *audit.Record) { r.Body = json.RawMessage(`{`) },
		"not UTF-8":      func(r *audit.Record) { r.Pack = "\xff" },
		"body not UTF-8": func(r *audit.Record) { r.Body = json.RawMessage("{\"outcome\":\"\xff\"}") },
		"too long":       func(r *audit.Record) { r.Session = strings.Repeat("x", 1<<20) },
	} {
		bad := good
		spoil(&bad)
		if got, err := l.Append(t.Context(), good, bad); err == nil {
			t.Errorf("%s: got %+v", name, got)
		}
	}
	odd := good
	odd.Session, odd.Pack, odd.Body = "a\"b\\\x01\n", "<é>", json.RawMessage("{ \"outcome\" : \"deny\",\n\"capability\":\"x\" }")
	if _, err := l.Append(t.Context(), odd); err != nil {
		t.Fatal(err)
	}
	if res := verify(t, dir); res.Records != 2 {
		t.Errorf("got %+v, want only log.open and the odd one", res)
	}
	if r, err := audit.At(dir, 2); err != nil || r.Session != odd.Session || r.Pack != odd.Pack {
		t.Errorf("got %+v, %v", r, err)
	}
}

func TestNewID(t *testing.T) {
	seen := map[string]bool{}
	form := regexp.MustCompile(`^d-[a-z2-7]{10}$`)
	for range 10_000 {
		id := audit.NewID("d")
		if !form.MatchString(id) || seen[id] {
			t.Fatalf("got %q", id)
		}
		seen[id] = true
	}
}

func FuzzRecord(f *testing.F) {
	dir := f.TempDir()
	fill(f, dir, audit.Options{}, 2, 1)
	for line := range strings.SplitSeq(read(f, dir, "00000001.log"), "\n") {
		f.Add([]byte(line))
	}
	f.Add([]byte(`{"seq":1,"time":"2026-01-02T03:04:05Z","kind":"report","body":{"tier":"","body":{},"prev":""},"prev":"` + strings.Repeat("0", 64) + `"}`))
	f.Fuzz(func(t *testing.T, line []byte) {
		if r, err := audit.ParseRecordLine(line); err == nil {
			if got := r.Line(); !bytes.Equal(got, line) {
				t.Errorf("got %q, want %q", got, line)
			}
			var slow audit.Record // a second opinion
			if err := json.Unmarshal(line, &slow); err != nil || !reflect.DeepEqual(slow, r) {
				t.Errorf("got %+v, want %+v, %v", r, slow, err)
			}
		}
	})
}

func FuzzHead(f *testing.F) {
	dir := f.TempDir()
	fill(f, dir, audit.Options{}, 1, 1)
	for line := range strings.SplitSeq(read(f, dir, "00000001.log"), "\n") {
		f.Add([]byte(line))
	}
	f.Add([]byte(read(f, dir, "head")))
	if _, err := open(f, dir, audit.Options{}).AppendSoon(f.Context(), decision(f, 1)); err != nil {
		f.Fatal(err)
	}
	f.Add([]byte(read(f, dir, "head")))
	key := read(f, dir, "key.pub")
	f.Fuzz(func(t *testing.T, b []byte) {
		if h, err := audit.ParseHeadLine(b); err == nil && !bytes.Equal(h.Line(), b) {
			t.Errorf("got %q, want %q", h.Line(), b)
		}
		if h, err := audit.ParseHeadFile(b); err == nil && strings.TrimRight(string(b), "\n") != strings.TrimRight(h.Note, "\n") {
			t.Errorf("got %q, want %q", h.Note, b)
		}
		_, _ = audit.ParseHead(string(b), key)
		_, _ = audit.ParseHead(string(b), string(b))
	})
}
