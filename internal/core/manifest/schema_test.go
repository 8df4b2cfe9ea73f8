package manifest_test

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/tailscale/hujson"

	"ambit.dev/ambit/internal/core/manifest"
)

// published compiles the schema that editors and other tools read.
func published(t testing.TB) *jsonschema.Schema {
	t.Helper()
	data, err := os.ReadFile("../../../api/manifest.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("manifest.schema.json", doc); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile("manifest.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

// plain returns what a text with comments says, as the validator takes it.
func plain(t testing.TB, text string) any {
	t.Helper()
	standard, err := hujson.Standardize([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(standard))
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

// complete adds the required keys that doc lacks, but for the one whose lack is
// what msg is about: a short text is to be refused for its own fault.
func complete(doc any, msg string) any {
	members, _ := doc.(map[string]any)
	for key, value := range map[string]any{"id": "a", "kind": "agent", "entry": []any{"x"}} {
		if _, there := members[key]; members != nil && !there && !strings.Contains(msg, `the key "`+key) {
			members[key] = value
		}
	}
	return doc
}

// TestSchema holds that the schema accepts what Parse accepts, and refuses what
// Parse refuses wherever a schema can.
func TestSchema(t *testing.T) {
	schema := published(t)
	for name, text := range accepted {
		if err := schema.Validate(plain(t, text)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, tc := range refused {
		if tc.schema && schema.Validate(complete(plain(t, tc.text), tc.msg)) == nil {
			t.Errorf("%s: the schema accepts %s", tc.name, tc.text)
		}
	}
}

// TestSchemaOfCanonical holds that what we write ourselves is in the schema.
func TestSchemaOfCanonical(t *testing.T) {
	schema := published(t)
	for name, text := range accepted {
		m, err := manifest.Parse("ambit.json", []byte(text))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if err := schema.Validate(plain(t, string(m.Canonical()))); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
