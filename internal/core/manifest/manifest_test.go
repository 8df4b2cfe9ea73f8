package manifest_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"ambit.dev/ambit/internal/core/capability"
	"ambit.dev/ambit/internal/core/manifest"
)

const full = `// a pack
{
  "$schema": "https://ambit.dev/schema/manifest.schema.json",
  "id": "org.example.history", "name": "History", "version": "1.0", "kind": "cli-tool",
  "description": "Reads.\n\tWrites.",
  "entry": ["python3", "./report.py", "", "/x -y;$(z)"],
  "capabilities": [
    "fs.read:~/Documents/*.pdf",
    {"capability": "fs.write:./out", "reason": "the report", "optional": true},
    {"net.connect": {"host": "api.github.com", "methods": ["GET"], "paths": ["/repos/**"]}, "reason": "issues"}, /* last */
    {"capability": "net.connect:api.github.com:443", "methods": ["POST"], "optional": false},
    "fs.read:/a/\\x0a\u00e9😀\ud83d\ude00\\\\",
  ],
  "env": ["TZ", "LANG"],
  "limits": {"memory": "512M", "disk": "2G", "pids": "64", "cpu": "0.5", "wall": "1h30m", "fds": "256"},
  "home": "private",
}
`

// accepted are manifests that are read.
var accepted = map[string]string{
	"full":             full,
	"minimal":          fmt.Sprintf(minimal, ""),
	"empty lists":      fmt.Sprintf(minimal, `, "capabilities": [], "env": [], "limits": {}, "description": ""`),
	"file of the pack": `{"id": "a/b-c_d.e", "kind": "agent", "entry": ["./bin/run", "--x"], "home": "none"}`,
	"streams":          fmt.Sprintf(minimal, `, "capabilities": [{"net.stream": {"host": "a.com", "paths": ["/live", "/a,b"]}}, {"capability": "net.stream:b.com", "methods": ["GET"]}]`),
	"rules as a text":  fmt.Sprintf(minimal, `, "capabilities": ["net.connect:a.com/http:GET,PUT:/a/*,/b"]`),
	"root of requests": fmt.Sprintf(minimal, `, "capabilities": [{"net.connect": {"host": "*", "paths": ["/", "/a/"]}}]`),
	"rules beside":     fmt.Sprintf(minimal, `, "capabilities": [{"net.connect": {"host": "a.com", "methods": ["GET"]}, "paths": ["/a"]}]`),
	"rules by alias":   fmt.Sprintf(minimal, `, "capabilities": [{"capability": "net.access", "methods": ["GET"]}]`),
	"same host, other rules": fmt.Sprintf(minimal,
		`, "capabilities": [{"net.connect": {"host": "a.com", "methods": ["GET"]}}, {"net.connect": {"host": "a.com", "methods": ["PUT"]}}, "net.connect:a.com"]`),
	"a secret": fmt.Sprintf(minimal, `, "capabilities": [{"capability": "secret.use:gh@api.github.com", "env": "GH_TOKEN"}, "secret.use:b@b.com"]`),
	"zones": fmt.Sprintf(minimal, `, "zones": {"tree": {"mode": "cow", "of": "~/project/", "disk": "1G"}, "up-load": {"mode": "ro", "reason": "the job"},
		"output": {"mode": "rw", "disk": "100M", "files": "1000", "optional": true}, "store": {"mode": "append"}}, "capabilities": ["fs.read:~/a"]`),
	"no zones": fmt.Sprintf(minimal, `, "zones": {}`),
	"escapes":  fmt.Sprintf(minimal, `, "name": "\u00e9\\ud800 \ufffd \uD83D\uDE00"`),
}

var capabilities = cmp.Comparer(func(a, b capability.Capability) bool { return a == b })

func TestParse(t *testing.T) {
	parse := func(text string) capability.Capability {
		c, err := capability.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	got, err := manifest.Parse("dir/ambit.json", []byte(full))
	if err != nil {
		t.Fatal(err)
	}
	want := manifest.Manifest{
		ID: "org.example.history", Name: "History", Version: "1.0", Kind: manifest.CLITool, Description: "Reads.\n\tWrites.",
		Entry: []string{"python3", "./report.py", "", "/x -y;$(z)"},
		Wants: []manifest.Want{
			{Capability: parse("fs.read:~/Documents/*.pdf")},
			{Capability: parse("fs.write:out"), Reason: "the report", Optional: true},
			{Capability: parse("net.connect:api.github.com/http:GET:/repos/**"), Reason: "issues"},
			{Capability: parse("net.connect:api.github.com:443/http:POST")},
			{Capability: parse("fs.read:/a/\né😀😀\\\\")},
		},
		Env:    []string{"TZ", "LANG"},
		Limits: map[string]string{"memory": "512M", "disk": "2G", "pids": "64", "cpu": "0.5", "wall": "1h30m", "fds": "256"},
		Home:   manifest.HomePrivate, Source: manifest.File,
	}
	if diff := cmp.Diff(want, got, capabilities); diff != "" {
		t.Error(diff)
	}
}

// TestCanonical holds that the canonical bytes read back as the same manifest.
func TestCanonical(t *testing.T) {
	anyOrder := cmpopts.SortSlices(func(a, b string) bool { return a < b })
	wants := cmpopts.SortSlices(func(a, b manifest.Want) bool { return fmt.Sprint(a) < fmt.Sprint(b) })
	for name, text := range accepted {
		m, err := manifest.Parse("ambit.json", []byte(text))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		back, err := manifest.Parse("ambit.json", m.Canonical())
		if err != nil {
			t.Errorf("%s: %v\n%s", name, err, m.Canonical())
			continue
		}
		if diff := cmp.Diff(m, back, capabilities, anyOrder, wants, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		if !bytes.Equal(m.Canonical(), back.Canonical()) || m.Digest() != back.Digest() {
			t.Errorf("%s: other bytes the second time: %s", name, back.Canonical())
		}
	}
}

func TestCanonicalBytes(t *testing.T) {
	m, err := manifest.Parse("ambit.json", []byte(full))
	if err != nil {
		t.Fatal(err)
	}
	want := `{"capabilities":[` +
		`{"capability":"fs.read:/a/\\x0aé😀😀\\\\"},` +
		`{"capability":"fs.read:~/Documents/*.pdf"},` +
		`{"capability":"fs.write:out","optional":true,"reason":"the report"},` +
		`{"capability":"net.connect:api.github.com/http:GET:/repos/**","reason":"issues"},` +
		`{"capability":"net.connect:api.github.com:443/http:POST"}],` +
		`"description":"Reads.\n\tWrites.","entry":["python3","./report.py","","/x -y;$(z)"],"env":["LANG","TZ"],"home":"private",` +
		`"id":"org.example.history","kind":"cli-tool",` +
		`"limits":{"cpu":"0.5","disk":"2G","fds":"256","memory":"512M","pids":"64","wall":"1h30m"},"name":"History","version":"1.0"}`
	if got := string(m.Canonical()); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if got, want := m.Digest(), "sha256:"; !strings.HasPrefix(got, want) || len(got) != len(want)+64 {
		t.Errorf("digest %s", got)
	}
	swapped := strings.Replace(full, `"TZ", "LANG"`, `"LANG", "TZ"`, 1)
	if other, err := manifest.Parse("ambit.json", []byte("/* other */"+swapped)); err != nil || other.Digest() != m.Digest() {
		t.Error("a comment or the order changed the digest")
	}
}

// TestForeign reads the aip.json of packs for other hosts as it is.
func TestForeign(t *testing.T) {
	text := `{
	  "id": "acme/pdf", "version": "0.1.0", "tools": [{"name": "x"}], "author": null,
	  "capabilities": ["net.access", "ui.tabs.open", "fs.read.*", "fs.read.~/Documents/*.pdf", "fs.write.*", "db.query.*", "require_host_execution"]
	}`
	m, err := manifest.Parse("/packs/pdf/aip.json", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, w := range m.Wants {
		got = append(got, w.Capability.String())
	}
	want := []string{
		"net.connect:*", "ui.tab.open", "fs.read:~", "fs.read:~/Documents/*.pdf", "fs.write:~", "db.query:*", "host.execute",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if m.ID != "acme/pdf" || m.Version != "0.1.0" || m.Kind != manifest.MCPTool || m.Source != manifest.ForeignFile || m.Home != manifest.HomeEphemeral {
		t.Errorf("%+v", m)
	}
	m, err = manifest.Parse("aip.json", []byte(`{"name": "pdf", "capabilities": []}`))
	if err != nil || m.ID != "pdf" {
		t.Errorf("%+v, %v", m, err)
	}
}

func TestAdHoc(t *testing.T) {
	argv := []string{"git", "log\x1b\xff", "é\x01"}
	m := manifest.AdHoc(argv)
	argv[0] = "changed"
	c := capability.Capability{}
	if _, ok := m.Declares(c); ok {
		t.Error("it declares nothing at all")
	}
	if err := c.UnmarshalText([]byte("host.execute")); err != nil {
		t.Fatal(err)
	}
	if w, ok := m.Declares(c); !ok || w.Capability != c {
		t.Error("it does not declare everything")
	}
	want := `{"entry":["git","log\\x1b\\xff","é\u0001"],"home":"ephemeral","kind":"cli-tool","name":"git","open":true}`
	if got := string(m.Canonical()); got != want {
		t.Errorf("got %s", got)
	}
	if m := manifest.AdHoc(nil); !m.Open || m.Name != "" {
		t.Errorf("%+v", m)
	}
}

func TestDeclares(t *testing.T) {
	m, err := manifest.Parse("ambit.json", []byte(fmt.Sprintf(minimal, `, "capabilities": ["fs.write:./out", `+
		`{"net.connect": {"host": "a.com", "methods": ["GET"]}}, {"net.connect": {"host": "*.b.com", "methods": ["GET"]}}, {"capability": "net.connect:a.com", "reason": "all"}]`)))
	if err != nil {
		t.Fatal(err)
	}
	resolved, err := m.Resolve(capability.Base{Dir: "/pack"})
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		m        manifest.Manifest
		text     string
		declared bool
	}{
		{m, "fs.read:/pack/out/x", false},
		{resolved, "fs.read:/pack/out/x", true},
		{resolved, "fs.read:/pack/other", false},
		{resolved, "net.connect:a.com:443", true},
		{resolved, "net.connect:a.com:443/http:PUT:/x", true},
		{resolved, "net.connect:x.b.com", false},
		{resolved, "net.connect:x.b.com/http:HEAD:/x", true},
		{resolved, "net.connect:x.b.com/http:PUT:/x", false},
		{resolved, "net.connect:b.com/http:GET:/x", false},
		{manifest.Manifest{}, "process.kill", false},
	} {
		c, err := capability.Parse(tc.text)
		if err != nil {
			t.Fatal(err)
		}
		if w, ok := tc.m.Declares(c); ok != tc.declared || ok && !w.Capability.Covers(c) {
			t.Errorf("%s: got %+v, %v", tc.text, w, ok)
		}
	}
	if m.Wants[0].Capability.String() != "fs.write:out" {
		t.Error("Resolve changed the manifest it was called on")
	}
	if got, err := m.Resolve(capability.Base{}); err == nil || got.ID != "" {
		t.Errorf("resolved without a base: %+v", got)
	}
}

// FuzzParseManifest holds for any file: it is refused with a place, or read as a
// manifest whose canonical bytes mean the same, and which declares only what it
// names.
func FuzzParseManifest(f *testing.F) {
	for _, text := range accepted {
		f.Add(text, false)
		f.Add(text, true)
	}
	for _, tc := range refused {
		if len(tc.text) < 1000 {
			f.Add(tc.text, false)
		}
	}
	schema := published(f)
	f.Fuzz(func(t *testing.T, text string, foreign bool) {
		name := manifest.File
		if foreign {
			name = manifest.ForeignFile
		}
		m, err := manifest.Parse(name, []byte(text))
		if err != nil {
			if e, ok := errors.AsType[*manifest.Error](err); !ok || e.File != name || e.Line < 1 || e.Column < 1 || e.Msg == "" {
				t.Fatalf("%#v", e)
			}
			return
		}
		if m.Open || m.ID == "" || m.Source != name {
			t.Fatalf("%+v", m)
		}
		if foreign {
			m.Entry = append(m.Entry, "x") // ours needs one
		} else if err := schema.Validate(plain(t, text)); err != nil {
			t.Fatalf("the schema refuses it: %v", err)
		}
		back, err := manifest.Parse(manifest.File, m.Canonical())
		if err != nil || !bytes.Equal(back.Canonical(), m.Canonical()) {
			t.Fatalf("%v\n%s\n%s", err, m.Canonical(), back.Canonical())
		}
	})
}
