package span

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"
)

// A Config is where spans are sent, and how, as the variables of OpenTelemetry say it.
type Config struct {
	URL     string
	Headers http.Header
	Timeout time.Duration // of one message
	CA      *x509.CertPool
	Resource
}

// A Resource is who the spans are of.
type Resource struct {
	Service, Version string
	More             []Attribute
}

// usualTimeout is how long one message may take where nobody says.
const usualTimeout = 10 * time.Second

// Variables are those that are read here. Their values may be secret: what starts other
// programs takes them out of its environment.
func Variables() []string {
	all := []string{"OTEL_SDK_DISABLED", "OTEL_TRACES_EXPORTER", "OTEL_SERVICE_NAME", "OTEL_RESOURCE_ATTRIBUTES"}
	for _, name := range []string{"ENDPOINT", "HEADERS", "TIMEOUT", "PROTOCOL", "CERTIFICATE"} {
		all = append(all, "OTEL_EXPORTER_OTLP_"+name, "OTEL_EXPORTER_OTLP_TRACES_"+name)
	}
	return all
}

// FromEnvironment reads where spans are to be sent. wanted is false where nobody wants
// them.
func FromEnvironment(get func(string) string, service, version string) (c Config, wanted bool, err error) {
	own := func(name string) string { return get("OTEL_EXPORTER_OTLP_TRACES_" + name) }
	of := func(name string) string {
		if v := own(name); v != "" {
			return v
		}
		return get("OTEL_EXPORTER_OTLP_" + name)
	}
	if e := get("OTEL_TRACES_EXPORTER"); of("ENDPOINT") == "" || strings.EqualFold(get("OTEL_SDK_DISABLED"), "true") || e == "none" {
		return c, false, nil
	}
	if p := of("PROTOCOL"); p != "" && p != "http/json" {
		return c, false, fmt.Errorf("OTEL_EXPORTER_OTLP_PROTOCOL is %q: spans are sent by http/json alone", p)
	}
	c.Resource = Resource{Service: service, Version: version}
	if name := get("OTEL_SERVICE_NAME"); name != "" {
		c.Service = name
	}
	address, path := own("ENDPOINT"), ""
	if address == "" {
		address, path = get("OTEL_EXPORTER_OTLP_ENDPOINT"), "/v1/traces"
	}
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return c, false, errors.New("OTEL_EXPORTER_OTLP_ENDPOINT is no address of http or https") // it may have a password in it
	}
	if path != "" {
		u.Path = strings.TrimSuffix(u.Path, "/") + path
	}
	c.URL = u.String()
	c.Timeout = usualTimeout
	if text := of("TIMEOUT"); text != "" {
		ms, err := strconv.Atoi(text)
		if err != nil || ms < 1 {
			return c, false, fmt.Errorf("OTEL_EXPORTER_OTLP_TIMEOUT is %q: want milliseconds", text)
		}
		c.Timeout = time.Duration(ms) * time.Millisecond
	}
	c.Headers = http.Header{}
	for _, p := range pairs(of("HEADERS")) {
		c.Headers.Set(p.Name, p.Text)
	}
	for _, p := range pairs(get("OTEL_RESOURCE_ATTRIBUTES")) {
		if p.Name != "service.name" && p.Name != "service.version" && len(c.More) < maxAttributes {
			c.More = append(c.More, p)
		}
	}
	if file := of("CERTIFICATE"); file != "" {
		if c.CA, err = pool(file); err != nil {
			return c, false, fmt.Errorf("OTEL_EXPORTER_OTLP_CERTIFICATE: %w", err)
		}
	}
	return c, true, nil
}

// pairs reads NAME=VALUE,… with values that are escaped as in addresses.
func pairs(text string) (all []Attribute) {
	for pair := range strings.SplitSeq(text, ",") {
		name, value, ok := strings.Cut(pair, "=")
		value, err := url.PathUnescape(strings.TrimSpace(value))
		if name = strings.TrimSpace(name); ok && name != "" && err == nil {
			all = append(all, Attribute{Name: name, Text: value})
		}
	}
	return all
}

func pool(file string) (*x509.CertPool, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	all := x509.NewCertPool()
	if !all.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("%s has no certificate", file)
	}
	return all, nil
}

// client asks no proxy that nobody named here, and follows nobody elsewhere: headers
// that were meant for one place go to that alone.
func (c Config) client() *http.Client {
	return &http.Client{
		Timeout:       c.Timeout,
		Transport:     &http.Transport{TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: c.CA}, MaxIdleConns: 1, IdleConnTimeout: time.Minute},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}
