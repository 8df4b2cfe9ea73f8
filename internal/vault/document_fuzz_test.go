package vault

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"ambit.dev/ambit/internal/core/binding"
)

// FuzzParse: what is read as a document is written as one that reads the same.
func FuzzParse(f *testing.F) {
	value, err := binding.NewValue("correct horse battery staple")
	if err != nil {
		f.Fatal(err)
	}
	b := binding.Binding{Scheme: "https", Host: "api.example.com", Port: 443}.Default("a")
	text, err := format([]secret{{Entry{Name: "a", Binding: b, Created: time.Unix(1, 0).UTC(), Changed: time.Unix(2, 0).UTC()}, value}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Add([]byte(`{"version":1,"secrets":[]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		all, err := parse(text)
		if err != nil {
			if !errors.Is(err, errDocument) && !errors.Is(err, errNewer) {
				t.Fatalf("an error that is no fixed text: %v", err)
			}
			return
		}
		again, err := format(all)
		if err != nil {
			t.Fatal(err)
		}
		same, err := parse(again)
		if err != nil || len(same) != len(all) {
			t.Fatalf("read again: %d of %d, %v", len(same), len(all), err)
		}
		if twice, err := format(same); err != nil || !bytes.Equal(twice, again) {
			t.Fatalf("written again it is another: %v", err)
		}
	})
}

func TestParseRefuses(t *testing.T) {
	entry := `{"name":"a","binding":{"scheme":"https","host":"api.example.com","port":443,"place":"body","env":"A"},"created":"2026-01-01T00:00:00Z","changed":"2026-01-01T00:00:00Z","value":"correct horse"}`
	if _, err := parse([]byte(`{"version":1,"secrets":[` + entry + `]}`)); err != nil {
		t.Fatalf("the control: %v", err)
	}
	for _, text := range []string{"", "null", "[]", `{"version":0}`, `{"version":2,"secrets":[]}`, `{"version":1,"secrets":[],"more":1}`, `{"version":1,"secrets":[]} {}`,
		`{"version":1,"secrets":[` + entry + `,` + entry + `]}`, `{"version":1,"secrets":[{"name":"a"}]}`, `{"version":1,"secrets":[{"name":"a","value":7}]}`} {
		if _, err := parse([]byte(text)); err == nil {
			t.Errorf("%s is taken", text)
		}
	}
}
