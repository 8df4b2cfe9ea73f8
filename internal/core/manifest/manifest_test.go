package manifest_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ambit.dev/ambit/internal/core/capability"
	"ambit.dev/ambit/internal/core/manifest"
)

const full = `// a pack
{
  "$schema": "https://ambit.dev/manifest.schema.json",
  "id": "org.example.history", "name": "History", "version": "1.0", "kind": "cli-tool",
  "description": "Reads.\nWrites.",
  "entry": ["python3", "./report.py", ""],
  "capabilities": [
    "fs.read:~/Documents/*.pdf",
    {"capability": "fs.write:./out", "reason": "the report", "optional": true},
    {"net.connect": {"host": "api.github.com", "methods": ["GET"], "paths": ["/repos/**"]}, "reason": "issues"}, /* last */
  ],
  "env": ["LANG"], "limits": {"memory": "512M"}, "home": "private",
}
`

func TestParse(t *testing.T) {
	m, err := manifest.Parse("dir/ambit.json", []byte(full))
	if err != nil {
		t.Fatal(err)
	}
	back, err := manifest.Parse("ambit.json", m.Canonical())
	if err != nil {
		t.Fatalf("%v\n%s", err, m.Canonical())
	}
	if diff := cmp.Diff(m, back, cmp.Comparer(func(a, b capability.Capability) bool { return a == b })); diff != "" {
		t.Error(diff)
	}
	if back.Digest() != m.Digest() {
		t.Error("the digest changed")
	}
}

func TestForeign(t *testing.T) {
	m, err := manifest.Parse("aip.json", []byte(`{"id": "acme/pdf", "tools": [], "capabilities": ["net.access", "ui.tabs.open", "fs.read.*"]}`))
	if err != nil {
		t.Fatal(err)
	}
	if got := m.Wants[2].Capability.String(); got != "fs.read:~" {
		t.Errorf("got %s", got)
	}
}

func TestRefuse(t *testing.T) {
	for _, text := range []string{"", "{", "{}", `{"id": "a", "id": "b"}`, `{"idd": 1}`, full + "x"} {
		_, err := manifest.Parse("ambit.json", []byte(text))
		var e *manifest.Error
		if !errors.As(err, &e) || e.Line < 1 || e.Column < 1 {
			t.Errorf("%q: %v", text, err)
		}
	}
}
