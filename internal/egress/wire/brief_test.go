package wire_test

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"ambit.dev/ambit/internal/core/capability"
	"ambit.dev/ambit/internal/egress/wire"
)

// TestBrief: the short form says what the JSON does, whatever the texts are.
func TestBrief(t *testing.T) {
	text := rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{"", "GET", "/a/b?c", "a b", `"`, `"a`, "\n", "\\n", "ü", " ", "not-granted"}))
	to := rapid.SampledFrom([]string{"net.connect:a.com:443", "net.connect:[::1]:80", "net.stream:a.com:443"})
	when := rapid.SampledFrom([]time.Time{{}, time.Unix(1, 5).UTC(), time.Date(2026, 3, 1, 12, 0, 0, 7, time.UTC)})
	rapid.Check(t, func(t *rapid.T) {
		c, err := capability.Parse(to.Draw(t, "to"))
		if err != nil {
			t.Fatal(err)
		}
		r := &wire.Request{Flow: rapid.Uint64().Draw(t, "flow"), To: c, Decision: text.Draw(t, "decision"), Method: text.Draw(t, "method"), Path: text.Draw(t, "path"),
			Status: rapid.IntRange(0, 999).Draw(t, "status"), In: rapid.Uint64().Draw(t, "in"), Out: rapid.Uint64().Draw(t, "out"),
			Begun: when.Draw(t, "begun"), Ended: when.Draw(t, "ended"), End: text.Draw(t, "end"), Why: text.Draw(t, "why")}
		for _, k := range rapid.SliceOfN(rapid.SampledFrom([]string{"net.connect", "net.stream", "odd kind"}), 0, 3).Draw(t, "again") {
			r.Again = append(r.Again, capability.Kind(k))
		}
		line, ok := wire.Message{Made: r}.AppendBrief(nil)
		if !ok || line[0] == '{' || bytes.ContainsRune(line, '\n') {
			t.Fatalf("%q, %v", line, ok)
		}
		var short wire.Message
		if err := short.ParseBrief(line); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		whole, err := json.Marshal(wire.Message{Made: r})
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(whole, jsonOf(t, short)) {
			t.Fatalf("%q is read as %s, want %s", line, jsonOf(t, short), whole)
		}
	})
	t.Run("secrets", func(t *testing.T) { rapid.Check(t, secrets) })
	if _, ok := (wire.Message{Ready: true}).AppendBrief(nil); ok {
		t.Error("another message has a short form")
	}
}

// TestHeard: what stands in one message after the other is read as it stands in each.
func TestHeard(t *testing.T) {
	var h wire.Heard
	for _, to := range []string{"net.connect:a.com:443", "net.connect:a.com:443", "net.connect:b.com:443", "x", "net.connect:b.com:443", `""`, "net.connect:a.com:443"} {
		m := h.Next()
		err := m.ParseBrief([]byte(`made 1 200 2 3 4 5 ` + to + ` d-1 GET /a "" ""`))
		switch {
		case to == "x":
			if err == nil || m.Made != nil {
				t.Errorf("%s is read as %+v", to, m.Made)
			}
		case err != nil || m.Made.To.String() != strings.Trim(to, `"`):
			t.Errorf("%s is read as %+v, %v", to, m.Made, err)
		}
	}
}

// secrets: a use and its answer are read as they were written, whatever bytes a value has.
func secrets(t *rapid.T) {
	text := rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{"", "GET", "a b", `"`, "\n"}))
	for _, m := range []wire.Message{
		{ID: rapid.Uint64().Draw(t, "id"), Use: &wire.Use{Name: text.Draw(t, "name"), Method: text.Draw(t, "method"), Path: text.Draw(t, "path")}},
		{ID: rapid.Uint64().Draw(t, "id"), Secret: &wire.Secret{Value: rapid.SliceOf(rapid.Byte()).Draw(t, "value"), Reason: text.Draw(t, "reason"), Words: text.Draw(t, "words")}},
	} {
		line, ok := m.AppendBrief(nil)
		var short wire.Message
		if err := short.ParseBrief(line); !ok || err != nil || bytes.ContainsRune(line, '\n') || line[0] == '{' || !bytes.Equal(jsonOf(t, m), jsonOf(t, short)) {
			t.Fatalf("%q is read as %s, %v; want %s", line, jsonOf(t, short), err, jsonOf(t, m))
		}
	}
}

func jsonOf(t interface{ Fatal(...any) }, m wire.Message) []byte {
	text, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// TestBriefRefused: what is not whole is not read.
func TestBriefRefused(t *testing.T) {
	const whole = `made 1 200 2 3 4 5 net.connect:a.com:443 d-1 GET /a "" ""`
	for _, whole := range []string{whole, `use 1 token GET "/a"`, `secret 1 "of a" "" ""`} {
		var m wire.Message
		if err := m.ParseBrief([]byte(whole)); err != nil {
			t.Fatal(err)
		}
		for i := range len(whole) {
			if i == len(whole)-1 && whole[i] == '"' || whole[i] == ' ' && strings.Count(whole[:i], `"`)%2 == 0 {
				var m wire.Message
				if err := m.ParseBrief([]byte(whole[:i])); err == nil || m.Made != nil || m.Use != nil || m.Secret != nil {
					t.Errorf("%q is read", whole[:i])
				}
			}
		}
		if err := m.ParseBrief([]byte(whole + " x")); err == nil && m.Made == nil {
			t.Errorf("more than %q is read", whole)
		}
	}
	for _, line := range []string{
		"", "made", strings.Replace(whole, "made", "make", 1), strings.Replace(whole, " 1 ", " -1 ", 1), strings.Replace(whole, " 1 ", "  ", 1), strings.Replace(whole, "200", "99999999999999999999", 1),
		strings.Replace(whole, "net.connect:a.com:443", "net.connect", 1), strings.Replace(whole, "net.connect:a.com:443", "x", 1), whole + " ", whole + `x`, whole + ` "a`, strings.Replace(whole, "/a", `"/a"b`, 1),
	} {
		var m wire.Message
		if err := m.ParseBrief([]byte(line)); err == nil || m.Made != nil {
			t.Errorf("%q is read as %+v", line, m.Made)
		}
	}
}

// FuzzBrief: whatever is read has one form, and says the same when it is read again.
func FuzzBrief(f *testing.F) {
	f.Add([]byte(`use 1 token GET "/a b"`))
	f.Add([]byte(`secret 1 "\xff" "" ""`))
	f.Add([]byte(`made 1 200 2 3 4 5 net.connect:a.com:443 d-1 GET "/a b" "" "\n" net.connect`))
	f.Fuzz(func(t *testing.T, line []byte) {
		var m, again wire.Message
		if m.ParseBrief(line) != nil {
			return
		}
		short, ok := m.AppendBrief(nil)
		if !ok || bytes.ContainsRune(short, '\n') {
			t.Fatalf("%q: %q", line, short)
		}
		if err := again.ParseBrief(short); err != nil || !reflect.DeepEqual(m, again) {
			t.Fatalf("%q becomes %q, which is %+v, %v", line, short, again.Made, err)
		}
	})
}
