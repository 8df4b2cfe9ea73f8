package trace_test

import (
	"strings"
	"testing"

	"ambit.dev/ambit/internal/core/trace"
)

const (
	id   = "4bf92f3577b34da6a3ce929d0e0e4736"
	span = "00f067aa0ba902b7"
)

// What is a traceparent, and how it is spelled from then on.
func TestParse(t *testing.T) {
	t.Parallel()
	whole := "00-" + id + "-" + span + "-"
	for text, want := range map[string]string{
		whole + "01":                         whole + "01",
		whole + "00":                         whole + "00",
		whole + "ff":                         whole + "03",
		"01-" + id + "-" + span + "-01":      whole + "01",
		"cc-" + id + "-" + span + "-01-more": whole + "01",
		"cc-" + id + "-" + span + "-01more":  "",
		whole + "01-more":                    "",
		whole + "0":                          "",
		whole + "0x":                         "",
		whole + "01 ":                        "",
		"ff-" + id + "-" + span + "-01":      "",
		"00-" + id + "_" + span + "-01":      "",
		"00-" + strings.ToUpper(id) + "-" + span + "-01":     "",
		"00-" + strings.Repeat("0", 32) + "-" + span + "-01": "",
		"00-" + id + "-" + strings.Repeat("0", 16) + "-01":   "",
		"00-" + id + "-" + span[1:] + "\n-01":                "",
		"":                                                   "",
	} {
		p, ok := trace.Parse(text)
		if p.String() != want || ok != (want != "") || p.None() == ok {
			t.Errorf("Parse(%q) = %q, %v; want %q", text, p, ok, want)
		}
		if ok && (p.Trace() != id || p.Span() != span || p.Sampled() != !strings.HasSuffix(want, "0")) {
			t.Errorf("Parse(%q): %q, %q, %v", text, p.Trace(), p.Span(), p.Sampled())
		}
	}
	if p := trace.Make([16]byte{1}, [8]byte{2}, true); !p.Sampled() || p.Trace()[:2] != "01" || p.Span()[:2] != "02" {
		t.Errorf("made %q", p)
	}
	if p := trace.Make([16]byte{}, [8]byte{2}, true); !p.None() || p.Trace() != "" || p.Span() != "" || p.Sampled() {
		t.Errorf("made %q of nothing", p)
	}
}

// A span beneath another one is of its trace.
func TestUnder(t *testing.T) {
	t.Parallel()
	p, _ := trace.Parse("00-" + id + "-" + span + "-01")
	if got := p.Under([8]byte{7: 5}); got.String() != "00-"+id+"-0000000000000005-01" {
		t.Errorf("under it is %q", got)
	}
	if got := p.Under([8]byte{}); !got.None() {
		t.Errorf("no span is %q", got)
	}
	if got := (trace.Parent{}).Under([8]byte{1}); !got.None() {
		t.Errorf("under none is %q", got)
	}
}

// What is a tracestate is passed on as it came, and nothing else is.
func TestState(t *testing.T) {
	t.Parallel()
	for text, ok := range map[string]bool{
		"rojo=00f067aa0ba902b7,congo=t61rcWkgMzE": true,
		"fw529a3039@dt=FfffF, a=b":                true,
		"":                                        false,
		",":                                       false,
		"a":                                       false,
		"A=b":                                     false,
		"@a=b":                                    false,
		"a@=b":                                    false,
		"a@b@c=d":                                 false,
		"=b":                                      false,
		"a=b,a=c":                                 false,
		"a=b\n":                                   false,
		"a=\x1b[31m":                              false,
		"a=ü":                                     false,
		"a=" + strings.Repeat("x", 256):           true,
		"a=" + strings.Repeat("x", 257):           false,
		strings.Repeat("a=b,", 200):               false,
	} {
		want := ""
		if ok {
			want = text
		}
		if got := trace.State(text); got != want {
			t.Errorf("State(%q) = %q", text, got)
		}
	}
	var many []string
	for i := range 33 {
		many = append(many, string(rune('a'+i%26))+string(rune('a'+i/26))+"=1")
	}
	if trace.State(strings.Join(many, ",")) != "" || trace.State(strings.Join(many[:32], ",")) == "" {
		t.Error("32 members are all, and are passed on")
	}
}

func FuzzParse(f *testing.F) {
	f.Add("00-" + id + "-" + span + "-01")
	f.Add("cc-" + id + "-" + span + "-01-more")
	f.Fuzz(func(t *testing.T, text string) {
		p, ok := trace.Parse(text)
		again, same := trace.Parse(p.String())
		if ok != same || again != p || ok && (len(p.String()) != trace.Length || !trace.IsTrace(p.Trace()) || !trace.IsSpan(p.Span())) {
			t.Fatalf("%q: %q, %v", text, p, ok)
		}
	})
}
