package binding_test

import (
	"strings"
	"testing"

	"ambit.dev/ambit/internal/core/binding"
)

func TestParseTarget(t *testing.T) {
	for text, want := range map[string]string{
		"api.github.com":                   "https://api.github.com:443",
		"API.github.com.":                  "https://api.github.com:443",
		"https://api.github.com":           "https://api.github.com:443",
		"api.github.com:8443":              "https://api.github.com:8443",
		"10.1.2.3":                         "https://10.1.2.3:443",
		"10.1.2.3:8443":                    "https://10.1.2.3:8443",
		"[2001:db8::1]:8443":               "https://[2001:db8::1]:8443",
		"2001:DB8::1":                      "https://[2001:db8::1]:443",
		"http://127.0.0.1:8080":            "http://127.0.0.1:8080",
		"http://host.ambit.internal":       "http://host.ambit.internal:80",
		"http://[::1]:8080":                "http://[::1]:8080",
		"http://host.ambit.internal:65535": "http://host.ambit.internal:65535",
	} {
		got, err := binding.ParseTarget(text)
		if err != nil || got.String() != want {
			t.Errorf("%s: got %s and %v, want %s", text, got, err, want)
		}
		if again, err := binding.ParseTarget(got.String()); err != nil || again != got {
			t.Errorf("%s: read again it is %s, %v", got, again, err)
		}
	}
	for _, text := range []string{"", "*", "*.github.com", "10.0.0.0/8", "api.github.com:*", "api.github.com:1-9", "api.github.com:0", "api.github.com:x",
		"http://api.github.com", "http://10.1.2.3", "http://localhost", "ftp://api.github.com", "api.github.com/path", "user@api.github.com", "a b", "évil.example"} {
		if got, err := binding.ParseTarget(text); err == nil {
			t.Errorf("%q is taken for %s", text, got)
		}
	}
}

// bound is a binding as `ambit secret set` makes it.
func bound(change func(*binding.Binding)) binding.Binding {
	b := binding.Binding{Scheme: "https", Host: "api.github.com", Port: 443}
	change(&b)
	return b.Default("github-token")
}

func TestDefault(t *testing.T) {
	for _, tc := range []struct {
		name   string
		change func(*binding.Binding)
		words  string
		filled string
	}{
		{"nothing", func(*binding.Binding) {}, `header Authorization, as "Bearer {}"`, "Bearer x"},
		{"another header", func(b *binding.Binding) { b.Key = "X-Api-Key" }, `header X-Api-Key, as "{}"`, "x"},
		{"another form", func(b *binding.Binding) { b.Form = "token {}" }, `header Authorization, as "token {}"`, "token x"},
		{"basic", func(b *binding.Binding) { b.Place, b.Key = binding.Basic, "me" }, `basic authentication, password of "me"`, "x"},
		{"query", func(b *binding.Binding) { b.Place, b.Key = binding.Query, "key" }, `parameter "key", as "{}"`, "x"},
		{"body", func(b *binding.Binding) { b.Place = binding.Body }, "body", "x"},
		{"field", func(b *binding.Binding) { b.Place, b.Key = binding.Body, "client_secret" }, `field "client_secret" of the body`, "x"},
		{"prefix", func(b *binding.Binding) { b.Prefix = "sk-" }, `header Authorization, as "Bearer {}"`, "Bearer x"},
		{"HMAC", func(b *binding.Binding) { b.Place, b.Key = binding.HMAC, "X-Sig" }, `signing the body into header X-Sig (HMAC-SHA256), as "{}"`, "x"},
		{"AWS", func(b *binding.Binding) { b.Place, b.Key, b.Env = binding.AWS, "AKIAIOSFODNN7EXAMPLE", "GITHUB_TOKEN" }, "signing as AWS's AKIAIOSFODNN7EXAMPLE (Signature Version 4)", "x"},
	} {
		b := bound(tc.change)
		if err := b.Check(); err != nil {
			t.Errorf("%s: %v", tc.name, err)
		}
		if b.Words() != tc.words || b.Fill("x") != tc.filled || b.Env != "GITHUB_TOKEN" {
			t.Errorf("%s: %s, %s, %s", tc.name, b.Words(), b.Fill("x"), b.Env)
		}
	}
}

func TestRefused(t *testing.T) {
	for _, tc := range []struct {
		want   string
		change func(*binding.Binding)
	}{
		{"one port", func(b *binding.Binding) { b.Port = 0 }},
		{"not a destination", func(b *binding.Binding) { b.Host = "" }},
		{"not a destination", func(b *binding.Binding) { b.Scheme = "ftp" }},
		{"plain form", func(b *binding.Binding) { b.Host = "API.github.com" }},
		{"one host", func(b *binding.Binding) { b.Host = "*.github.com" }},
		{"plain HTTP", func(b *binding.Binding) { b.Scheme = "http" }},
		{"name of a header", func(b *binding.Binding) { b.Key = "X: y" }},
		{"no place", func(b *binding.Binding) { b.Key = "Host" }},
		{"colon", func(b *binding.Binding) { b.Place, b.Key = binding.Basic, "a:b" }},
		{"parameter", func(b *binding.Binding) { b.Place, b.Key = binding.Query, "a\nb" }},
		{"field", func(b *binding.Binding) { b.Place, b.Key = binding.Body, "a\nb" }},
		{"once", func(b *binding.Binding) { b.Form = "Bearer" }},
		{"once", func(b *binding.Binding) { b.Form = "{}{}" }},
		{"once", func(b *binding.Binding) { b.Form = "{}\r\nX: y" }},
		{"headers, parameters", func(b *binding.Binding) { b.Place, b.Form = binding.Body, "{}" }},
		{"headers, parameters", func(b *binding.Binding) { b.Place, b.Key, b.Form = binding.AWS, "AKIAIOSFODNN7EXAMPLE", "{}" }},
		{"access key's id", func(b *binding.Binding) { b.Place = binding.AWS }},
		{"access key's id", func(b *binding.Binding) { b.Place, b.Key = binding.AWS, "AKIA/OSFODNN7EXAMPLE" }},
		{"name of a header", func(b *binding.Binding) { b.Place = binding.HMAC }},
		{"no place", func(b *binding.Binding) { b.Place, b.Key = binding.HMAC, "content-length" }},
		{"once", func(b *binding.Binding) { b.Place, b.Key, b.Form = binding.HMAC, "X-Sig", "sha256=" }},
		{"stands in", func(b *binding.Binding) { b.Place = "cookie" }},
		{"prefix", func(b *binding.Binding) { b.Prefix = "a b" }},
		{"variable", func(b *binding.Binding) { b.Env = "PATH" }},
		{"variable", func(b *binding.Binding) { b.Env = "LD_PRELOAD" }},
		{"variable", func(b *binding.Binding) { b.Env = "1A" }},
		{"variable", func(b *binding.Binding) { b.Env = "A=B" }},
	} {
		if err := bound(tc.change).Check(); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("want an error with %q, got %v", tc.want, err)
		}
	}
	if err := (binding.Binding{}).Check(); err == nil {
		t.Error("the zero binding is taken")
	}
}

// TestFits: what has several lines stands in no header and no URL.
func TestFits(t *testing.T) {
	one, err := binding.NewValue("of one line")
	if err != nil {
		t.Fatal(err)
	}
	several, err := binding.NewValue("of two\nlines")
	if err != nil {
		t.Fatal(err)
	}
	for place, fits := range map[binding.Place]bool{binding.Header: false, binding.Basic: false, binding.Query: false, binding.AWS: false, binding.Body: true, binding.HMAC: true} {
		b := bound(func(b *binding.Binding) { b.Place = place })
		if b.Fits(one) != nil || (b.Fits(several) == nil) != fits {
			t.Errorf("%s: %v, %v", place, b.Fits(one), b.Fits(several))
		}
		if place.Signs() != (place == binding.AWS || place == binding.HMAC) {
			t.Errorf("%s signs: %v", place, place.Signs())
		}
	}
	if b := (binding.Binding{Place: binding.AWS}).Default("x"); b.Env != "AWS_SECRET_ACCESS_KEY" {
		t.Errorf("the variable is %s", b.Env)
	}
}

func TestNames(t *testing.T) {
	for name, variable := range map[string]string{"github-token": "GITHUB_TOKEN", "a.b_c": "A_B_C", "2fa": "_2FA"} {
		if err := binding.Name(name); err != nil || binding.Variable(name) != variable {
			t.Errorf("%s: %v, %s", name, err, binding.Variable(name))
		}
	}
	for _, name := range []string{"", "-x", "a b", "a@b", "a/b", strings.Repeat("a", 65), "é"} {
		if binding.Name(name) == nil {
			t.Errorf("%q is taken", name)
		}
	}
	if got := bound(func(*binding.Binding) {}).Target(); got != (binding.Target{Scheme: "https", Host: "api.github.com", Port: 443}) {
		t.Errorf("the target is %s", got)
	}
	c, err := bound(func(b *binding.Binding) { b.Host = "2001:db8::1" }).Capability("x")
	if err != nil || c.String() != "secret.use:x@[2001:db8::1]:443" {
		t.Errorf("%s, %v", c, err)
	}
}

func FuzzParseTarget(f *testing.F) {
	f.Add("api.github.com:443")
	f.Add("http://[::1]:80")
	f.Fuzz(func(t *testing.T, text string) {
		got, err := binding.ParseTarget(text)
		if err != nil {
			return
		}
		again, err := binding.ParseTarget(got.String())
		if err != nil || again != got {
			t.Errorf("%q is %s, and read again %s, %v", text, got, again, err)
		}
		b := binding.Binding{Scheme: got.Scheme, Host: got.Host, Port: got.Port}.Default("x")
		if err := b.Check(); err != nil {
			t.Errorf("%q is %s, which no binding can have: %v", text, got, err)
		}
	})
}
