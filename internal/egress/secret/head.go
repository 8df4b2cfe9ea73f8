package secret

import (
	"encoding/base64"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"

	"ambit.dev/ambit/internal/core/binding"
	"ambit.dev/ambit/internal/egress/request"
)

// A part is a piece of a request's head.
type part struct{ name, text string }

// in reports whether the placeholder stands in a text: as it is, with other
// capitals, or with percent signs.
func (s sought) in(text string) bool {
	if len(text) < len(s.folded) {
		return false
	}
	if strings.Contains(strings.ToLower(text), s.folded) {
		return true
	}
	return strings.Contains(text, "%") && strings.Contains(strings.ToLower(decoded(text)), s.folded)
}

// head is all of a request but its body.
func head(r *http.Request) []part {
	parts := append(outside(r), part{"query", r.URL.RawQuery})
	for name, values := range r.Header {
		parts = append(parts, header(name, values)...)
	}
	return parts
}

// outside is what no secret is bound to.
func outside(r *http.Request) []part {
	parts := []part{{"method", r.Method}, {"host", r.Host}, {"host", r.URL.Host}, {"path", r.URL.Path}, {"path", r.URL.RawPath},
		{"path", r.URL.Opaque}, {"path", r.URL.Fragment}}
	if u := r.URL.User; u != nil {
		parts = append(parts, part{"user of the URL", u.String()})
	}
	for name, values := range r.Trailer {
		parts = append(parts, header(name, values)...)
	}
	return parts
}

// header is one header, with what basic authentication hides in it.
func header(name string, values []string) []part {
	parts := []part{{"name of a header", name}}
	for _, v := range values {
		parts = append(parts, part{"header " + name, v})
		if user, password, ok := basic(v); ok {
			parts = append(parts, part{"header " + name, user + ":" + password})
		}
	}
	return parts
}

// place finds the bound place with the placeholder in it, and all the rest.
func (s sought) place(r *http.Request) (put func(string), rest []part, ok bool) {
	switch s.Binding.Place {
	case binding.Header, binding.Basic:
		return s.inHeader(r)
	case binding.Query:
		return s.inQuery(r)
	default: // the body is looked at by itself
		return nil, nil, false
	}
}

func (s sought) inHeader(r *http.Request) (put func(string), rest []part, ok bool) {
	b := s.Binding
	key := http.CanonicalHeaderKey(b.Key)
	if b.Place == binding.Basic {
		key = "Authorization"
	}
	values := r.Header[key]
	if len(values) != 1 {
		return nil, nil, false
	}
	if b.Place == binding.Basic {
		user, password, is := basic(values[0])
		ok = is && user == b.Key && password == s.Text
		put = func(v string) { r.Header.Set(key, "Basic "+base64.StdEncoding.EncodeToString([]byte(b.Key+":"+v))) }
	} else {
		ok = values[0] == b.Fill(s.Text)
		put = func(v string) { r.Header.Set(key, b.Fill(v)) }
	}
	if !ok {
		return nil, nil, false
	}
	rest = append(outside(r), part{"query", r.URL.RawQuery})
	for name, all := range r.Header {
		if name != key {
			rest = append(rest, header(name, all)...)
		}
	}
	return put, rest, true
}

func (s sought) inQuery(r *http.Request) (put func(string), rest []part, ok bool) {
	pairs := strings.Split(r.URL.RawQuery, "&")
	at := -1
	for i, pair := range pairs {
		name, value, _ := strings.Cut(pair, "=")
		n, err := url.QueryUnescape(name)
		if err != nil || n != s.Binding.Key {
			continue
		}
		if v, err := url.QueryUnescape(value); err == nil && v == s.Binding.Fill(s.Text) {
			at = i
			break
		}
	}
	if at < 0 {
		return nil, nil, false
	}
	name, _, _ := strings.Cut(pairs[at], "=")
	put = func(v string) {
		now := strings.Split(r.URL.RawQuery, "&") // another secret may stand in it too
		now[at] = name + "=" + url.QueryEscape(s.Binding.Fill(v))
		r.URL.RawQuery = strings.Join(now, "&")
	}
	rest = outside(r)
	for i, pair := range pairs {
		if i != at {
			rest = append(rest, part{"query", pair})
		}
	}
	for n, all := range r.Header {
		rest = append(rest, header(n, all)...)
	}
	return put, rest, true
}

// basic reads basic authentication (RFC 7617).
func basic(value string) (user, password string, ok bool) {
	scheme, rest, found := strings.Cut(value, " ")
	if !found || !strings.EqualFold(scheme, "Basic") {
		return "", "", false
	}
	text, err := base64.StdEncoding.DecodeString(strings.TrimSpace(rest))
	if err != nil {
		return "", "", false
	}
	return strings.Cut(string(text), ":")
}

// decoded undoes percent signs, and leaves what is no escape.
func decoded(text string) string {
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		if text[i] == '%' && i+2 < len(text) {
			if n, err := strconv.ParseUint(text[i+1:i+3], 16, 8); err == nil {
				b.WriteByte(byte(n))
				i += 2
				continue
			}
		}
		b.WriteByte(text[i])
	}
	return b.String()
}

// sameHost reports whether the request says that it is for d.
func sameHost(d request.Destination, r *http.Request) bool {
	said := r.Host
	if said == "" {
		said = r.URL.Host
	}
	host, port, err := net.SplitHostPort(said)
	if err != nil {
		host, port = strings.TrimSuffix(strings.TrimPrefix(said, "["), "]"), ""
	}
	if a, err := netip.ParseAddr(host); err == nil {
		host = a.String()
	}
	usual := map[string]uint16{binding.HTTPS: 443, binding.HTTP: 80}[d.Scheme]
	if port == "" {
		port = strconv.Itoa(int(usual))
	}
	return strings.EqualFold(strings.TrimSuffix(host, "."), d.Host) && port == strconv.Itoa(int(d.Port))
}
