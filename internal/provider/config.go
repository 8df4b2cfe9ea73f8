package provider

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/tailscale/hujson"
	"golang.org/x/sys/unix"
)

// Config is what is known of a provider, as people write it.
type Config struct {
	Name       string   `json:"name"`        // as people call it
	Issuer     string   `json:"issuer"`      // exactly as it calls itself
	Client     string   `json:"client"`      // as it calls this host
	SecretFile string   `json:"secret_file"` // "": PKCE alone
	Redirect   string   `json:"redirect"`    // where it sends people back to
	Scopes     []string `json:"scopes"`      // beside openid
	Audiences  []string `json:"audiences"`   // others that its tokens may be for, beside the client
	Algorithms []string `json:"algorithms"`  // of signatures
	Hosts      []string `json:"hosts"`       // that it is asked at, beside the issuer's
	CA         string   `json:"ca"`          // file of those who vouch for it; "": as this machine has them
	User       string   `json:"user"`        // claim that people are shown by
	Rules      []Rule   `json:"rules"`

	redirect *url.URL
	hosts    []string // all, with their ports
}

// A Rule says who somebody is that a claim holds of. It is the claim's list that has
// a text, or the claim is that text.
type Rule struct {
	Claim string `json:"claim"`
	Has   string `json:"has"`
	Is    string `json:"is"`
	Role  string `json:"role"`
	Org   string `json:"org"` // whose; "": of who runs the machine
}

// CallbackPath is where people come back to.
const CallbackPath = "/login/oidc/callback"

// Load reads the part "login" of a file of ambit serve. roles are the words for roles,
// and org says what is wrong with the name of an organisation.
//
// Security: who can write the file says who is let in as what.
func Load(path string, roles []string, org func(string) error) (Config, error) {
	text, err := readOwn(path, 0o022)
	if err != nil {
		return Config{}, fmt.Errorf("read %q: %w", path, err)
	}
	plain, err := hujson.Standardize(text)
	if err != nil {
		return Config{}, fmt.Errorf("read %q: %w", path, err)
	}
	var d struct {
		Login *Config `json:"login"`
	}
	dec := json.NewDecoder(bytes.NewReader(plain))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&d); err != nil {
		return Config{}, fmt.Errorf("read %q: %w", path, err)
	}
	if d.Login == nil {
		return Config{}, fmt.Errorf("%q has no \"login\"", path)
	}
	for _, f := range []*string{&d.Login.SecretFile, &d.Login.CA} {
		if *f != "" && !filepath.IsAbs(*f) {
			*f = filepath.Join(filepath.Dir(path), *f)
		}
	}
	if err := d.Login.complete(roles, org); err != nil {
		return Config{}, fmt.Errorf("%q: login: %w", path, err)
	}
	_, err = d.Login.secret()
	return *d.Login, err
}

// complete checks a configuration, and fills in what it does not say.
func (c *Config) complete(roles []string, org func(string) error) (err error) {
	issuer, err := httpsURL("issuer", c.Issuer)
	if err != nil {
		return err
	}
	if c.redirect, err = httpsURL("redirect", c.Redirect); err != nil {
		return err
	}
	if c.redirect.Path != CallbackPath {
		return fmt.Errorf("redirect: expected https://NAME%s, as it is registered", CallbackPath)
	}
	if c.Client == "" {
		return errors.New("client: what the provider calls this host is missing")
	}
	if c.Name == "" {
		c.Name = issuer.Hostname()
	}
	if !plain(c.Name, 60) {
		return errors.New("name: expected a short text")
	}
	if c.User == "" {
		c.User = "preferred_username"
	}
	c.hosts = []string{hostPort(issuer)}
	for _, h := range c.Hosts {
		u, err := httpsURL("hosts", "https://"+h)
		if err != nil || u.Path != "" {
			return fmt.Errorf("hosts: %q: expected NAME, or NAME:PORT", h)
		}
		c.hosts = append(c.hosts, hostPort(u))
	}
	if err := c.completeAlgorithms(); err != nil {
		return err
	}
	if len(c.Rules) == 0 {
		return errors.New("rules: nobody could log in; say which claim gives which role")
	}
	for i, r := range c.Rules {
		if r.Claim == "" || (r.Has == "") == (r.Is == "") || !slices.Contains(roles, r.Role) {
			return fmt.Errorf("rules: the %dth: expected a claim, what it has or is, and a role of %s", i+1, strings.Join(roles, ", "))
		}
		if r.Org == "" {
			continue
		}
		if err := org(r.Org); err != nil {
			return fmt.Errorf("rules: the %dth: %w", i+1, err)
		}
	}
	return nil
}

// completeAlgorithms keeps to signatures that a key makes which the provider does not
// give away.
func (c *Config) completeAlgorithms() error {
	known := []string{oidc.RS256, oidc.ES256, oidc.EdDSA}
	if len(c.Algorithms) == 0 {
		c.Algorithms = known
	}
	for _, a := range c.Algorithms {
		if !slices.Contains(known, a) {
			return fmt.Errorf("algorithms: %q: expected one of %s", a, strings.Join(known, ", "))
		}
	}
	return nil
}

func httpsURL(what, text string) (*url.URL, error) {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return nil, fmt.Errorf("%s: %q: expected an address that begins with https://", what, text)
	}
	return u, nil
}

// secret is what the client proves itself by; "" where it has none.
func (c *Config) secret() (string, error) {
	if c.SecretFile == "" {
		return "", nil
	}
	text, err := readOwn(c.SecretFile, 0o077)
	if err != nil {
		return "", fmt.Errorf("read the client's secret in %q: %w", c.SecretFile, err)
	}
	secret := strings.TrimSpace(string(text))
	if secret == "" {
		return "", fmt.Errorf("the client's secret in %q is empty", c.SecretFile)
	}
	return secret, nil
}

// maxFile bounds the files that people write.
const maxFile = 1 << 20

// readOwn reads a file of this user, or of root, that has none of these bits.
func readOwn(path string, never os.FileMode) ([]byte, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		return nil, err
	}
	if st.Mode&unix.S_IFMT != unix.S_IFREG || os.FileMode(st.Mode)&never != 0 || st.Uid != 0 && int(st.Uid) != os.Geteuid() {
		return nil, fmt.Errorf("it is another user's, or its mode is wider than %#o", 0o666&^never)
	}
	text, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if len(text) > maxFile {
		return nil, errors.New("it is too long")
	}
	return text, err
}

// plain reports whether a text can be shown: short, and with nothing but what prints.
func plain(text string, most int) bool {
	return text != "" && len(text) <= most && !strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r > '~' })
}
