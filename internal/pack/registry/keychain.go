package registry

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"github.com/google/go-containerregistry/pkg/authn"
)

// maxCredentials bounds the file of credentials.
const maxCredentials = 1 << 20

// keychain are credentials as Docker keeps them. What a helper keeps is not had: a
// helper would be a program of its own.
type keychain struct {
	Auths   map[string]credential `json:"auths"`
	Store   string                `json:"credsStore"`
	Helpers map[string]string     `json:"credHelpers"`
}

type credential struct {
	Auth          string `json:"auth"` // name and password, encoded
	Username      string `json:"username"`
	Password      string `json:"password"`
	IdentityToken string `json:"identitytoken"`
	RegistryToken string `json:"registrytoken"`
}

// readKeychain reads the file, which need not be there. Errors repeat nothing of it.
func readKeychain(file string) (*keychain, error) {
	f, err := os.Open(file)
	if errors.Is(err, fs.ErrNotExist) || file == "" {
		return &keychain{}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the credentials for registries: %w", err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxCredentials))
	if err != nil {
		return nil, fmt.Errorf("read the credentials for registries: %w", err)
	}
	k := &keychain{}
	if json.Unmarshal(text, k) != nil {
		return nil, fmt.Errorf("the credentials for registries in %q are not understood", file)
	}
	return k, nil
}

// spellings are the names by which Docker may have kept a registry's credentials.
func spellings(registry string) []string {
	if registry == "index.docker.io" {
		return []string{"https://index.docker.io/v1/", "index.docker.io", "docker.io"}
	}
	return []string{registry, "https://" + registry, "https://" + registry + "/", "https://" + registry + "/v1/", "https://" + registry + "/v2/"}
}

// Resolve finds the credentials for a registry, and none for any other.
func (k *keychain) Resolve(r authn.Resource) (authn.Authenticator, error) {
	for _, name := range spellings(r.RegistryStr()) {
		if c, ok := k.Auths[name]; ok && c != (credential{}) {
			return c.authenticator()
		}
	}
	return authn.Anonymous, nil
}

func (c credential) authenticator() (authn.Authenticator, error) {
	cfg := authn.AuthConfig{Username: c.Username, Password: c.Password, IdentityToken: c.IdentityToken, RegistryToken: c.RegistryToken}
	if c.Auth != "" {
		text, err := base64.StdEncoding.DecodeString(c.Auth)
		user, password, ok := strings.Cut(string(text), ":")
		if err != nil || !ok {
			return nil, errors.New("a credential for the registry is not understood")
		}
		cfg.Username, cfg.Password = user, strings.TrimRight(password, "\x00")
	}
	return authn.FromConfig(cfg), nil
}

// hint says why there may be no credentials for a registry that refused.
func (k *keychain) hint(registry string) string {
	for _, name := range spellings(registry) {
		if _, ok := k.Auths[name]; ok && k.Helpers[name] == "" && k.Store == "" {
			return "; the credentials are those of Docker's config.json"
		}
		if k.Helpers[name] != "" {
			return fmt.Sprintf("; its credentials are kept by the helper %q, which is not started: put a token into Docker's config.json", k.Helpers[name])
		}
	}
	if k.Store != "" {
		return fmt.Sprintf("; credentials are kept by the helper %q, which is not started: put a token into Docker's config.json", k.Store)
	}
	return "; there are no credentials for it in Docker's config.json"
}
