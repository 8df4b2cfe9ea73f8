package manifest_test

import (
	"strings"
	"testing"

	"ambit.dev/ambit/internal/core/manifest"
)

// TestWithout: what is left has the other wants, in their order, and everything
// that was written beside them.
func TestWithout(t *testing.T) {
	const text = `// words
{
  "id": "org.example.words", "kind": "cli-tool", "entry": ["./run"],
  "capabilities": [
    "fs.read:~/a",
    // to greet
    {"capability": "fs.read:/etc/hostname", "reason": "to greet"}, // behind
    {"net.connect": {"host": "example.org:443", "methods": ["GET"]}},
    "fs.write:~/b", // last
  ],
  "home": "none", /* end */
}`
	for name, tc := range map[string]struct {
		drop string // places
		want []string
	}{
		"nothing":   {"", []string{"fs.read:~/a", "fs.read:/etc/hostname", "net.connect:example.org:443/http:GET", "fs.write:~/b"}},
		"the first": {"0", []string{"fs.read:/etc/hostname", "net.connect:example.org:443/http:GET", "fs.write:~/b"}},
		"the last":  {"3", []string{"fs.read:~/a", "fs.read:/etc/hostname", "net.connect:example.org:443/http:GET"}},
		"some":      {"12", []string{"fs.read:~/a", "fs.write:~/b"}},
		"all":       {"0123", nil},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := manifest.Without([]byte(text), func(i int) bool { return strings.Contains(tc.drop, string(rune('0'+i))) })
			if err != nil {
				t.Fatal(err)
			}
			m, err := manifest.Parse(manifest.File, got)
			if err != nil {
				t.Fatalf("%v\n%s", err, got)
			}
			var left []string
			for _, w := range m.Wants {
				left = append(left, w.Capability.String())
			}
			if strings.Join(left, " ") != strings.Join(tc.want, " ") {
				t.Errorf("got %q, want %q", left, tc.want)
			}
			for _, part := range []string{"// words\n", `"home": "none", /* end */`} {
				if !strings.Contains(string(got), part) {
					t.Errorf("%q is gone:\n%s", part, got)
				}
			}
			if tc.drop == "" && string(got) != text {
				t.Errorf("it was changed:\n%s", got)
			}
		})
	}
	for _, bad := range []string{"{", `{"id": "org.example.words"}`, `{"id": "a", "kind": "cli-tool", "entry": ["x"], "capabilities": "all"}`} {
		if got, err := manifest.Without([]byte(bad), func(int) bool { return true }); err == nil {
			t.Errorf("%q became %q", bad, got)
		}
	}
}
