package main

import (
	"bytes"
	"encoding/json"
	"encoding/pem"
	"strings"
	"testing"

	"ambit.dev/ambit/internal/enforce"
)

// TestBrowsers holds that browsers are told to trust no authority where there is
// none, in the words that their policies are encoded in, and else that one.
func TestBrowsers(t *testing.T) {
	encoded := func(of any) []byte {
		text, err := json.Marshal(of)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	told := func(authority []byte) map[string][]byte {
		var in enforce.Input
		if err := browsers(&in, authority); err != nil {
			t.Fatal(err)
		}
		files := map[string][]byte{}
		for _, f := range in.Base.Files {
			files[f.Path] = f.Content
		}
		if len(files) != len(chromiumPolicies)+len(firefoxPolicies) {
			t.Errorf("%d files", len(files))
		}
		return files
	}
	alone, trusting := told(nil), told(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte("der")}))
	for _, path := range chromiumPolicies {
		if want := encoded(chromiumPolicy{}); !bytes.Equal(alone[path], want) {
			t.Errorf("%s: %s, want %s", path, alone[path], want)
		}
		if want := encoded(chromiumPolicy{Certificates: []string{"ZGVy"}}); !bytes.Equal(trusting[path], want) {
			t.Errorf("%s: %s, want %s", path, trusting[path], want)
		}
	}
	for _, path := range firefoxPolicies {
		if want := encoded(map[string]firefoxPolicy{"policies": {NoHidden: true}}); !bytes.Equal(alone[path], want) {
			t.Errorf("%s: %s, want %s", path, alone[path], want)
		}
		if !strings.Contains(string(trusting[path]), trustAlone) {
			t.Errorf("%s: %s", path, trusting[path])
		}
	}
}
