package audit

import (
	"bytes"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// TestEncode holds what is encoded by hand to what encoding/json makes of it,
// with every field filled in some cases, so that none is forgotten.
func TestEncode(t *testing.T) {
	same[DecisionBody](t)
	same[LaunchBody](t)
	same[ReportBody](t)
	same[EndBody](t)
	same[FlowBody](t)
	same[RequestBody](t)
}

func same[B Body](t *testing.T) {
	t.Helper()
	t.Run(reflect.TypeFor[B]().Name(), func(t *testing.T) {
		bodies := rapid.Make[B]()
		seen := map[string]bool{}
		rapid.Check(t, func(t *rapid.T) {
			b := bodies.Draw(t, "body")
			want, err := marshal(b)
			if err != nil {
				t.Fatal(err)
			}
			got, err := encodeBody(b)
			if err != nil || !bytes.Equal(got, want) {
				t.Fatalf("got  %s, %v\nwant %s", got, err, want)
			}
			v := reflect.ValueOf(b)
			for i := range v.NumField() {
				if !v.Field(i).IsZero() {
					seen[v.Type().Field(i).Name] = true
				}
			}
		})
		if n := reflect.TypeFor[B]().NumField(); len(seen) != n {
			t.Errorf("%d of %d fields were ever filled", len(seen), n)
		}
		var zero B
		for _, b := range []B{zero, odd(zero, "a\"\\\x00\x1f\x7f<&>\u2028\r\n\t"), odd(zero, "\xff"), odd(zero, "ü")} {
			want, err := marshal(b)
			got, err2 := encodeBody(b)
			if err != nil || err2 != nil || !bytes.Equal(got, want) {
				t.Errorf("got  %s, %v\nwant %s, %v", got, err2, want, err)
			}
		}
	})
}

// odd is b with s in each of its fields that is a string.
func odd[B Body](b B, s string) B {
	for _, f := range reflect.ValueOf(&b).Elem().Fields() {
		if f.Kind() == reflect.String {
			f.SetString(s)
		}
	}
	return b
}

// A body that New made is believed; one that was changed since is looked at.
func TestMadeBodies(t *testing.T) {
	r, err := New(EndBody{Status: "exited"})
	if err != nil {
		t.Fatal(err)
	}
	if done, err := checkNew(r); err != nil || string(done.Body) != string(r.Body) || done.made != "" {
		t.Errorf("got %+v, %v", done, err)
	}
	r.Body = []byte(`{"status":"exited","exit":0,"more":1}`)
	if _, err := checkNew(r); err == nil || !strings.Contains(err.Error(), "more") {
		t.Errorf("a changed body: got %v", err)
	}
	r, _ = New(EndBody{Status: "exited"})
	r.Body[1] = 'x' // in place
	if _, err := checkNew(r); err == nil {
		t.Error("a body that was spoilt in place was taken")
	}
	r, _ = New(EndBody{Status: "exited"})
	r.Kind = SessionStart
	if _, err := checkNew(r); err == nil {
		t.Error("a body of another kind was taken")
	}
}
