package main

import (
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"

	"ambit.dev/ambit/internal/enforce"
)

// Where browsers look for what is laid down for every user of a machine:
// https://chromeenterprise.google/policies and
// https://mozilla.github.io/policy-templates.
var (
	chromiumPolicies = []string{
		"/etc/chromium/policies/managed/ambit.json", "/etc/opt/chrome/policies/managed/ambit.json",
		"/etc/opt/chrome_for_testing/policies/managed/ambit.json",
	}
	firefoxPolicies = []string{"/etc/firefox/policies/policies.json", "/etc/firefox-esr/policies/policies.json"}
)

// chromiumPolicy is what Chromium, Chrome and their like are told.
type chromiumPolicy struct {
	Hidden       bool     `json:"EncryptedClientHelloEnabled"`
	Certificates []string `json:"CACertificates,omitempty"` // in base64
}

// firefoxPolicy is what Firefox is told.
type firefoxPolicy struct {
	NoHidden     bool            `json:"DisableEncryptedClientHello"`
	Certificates *firefoxInstall `json:"Certificates,omitempty"`
}

type firefoxInstall struct {
	Install []string // files
}

// browsers tells browsers what other programs know by files and variables: to
// trust the sandbox's authority, if there is one, and to say in the open for which
// name a connection is. They have lists of certificates of their own.
func browsers(in *enforce.Input, authority []byte) error {
	one, other := []byte(chromiumAlone), []byte(firefoxAlone)
	if block, _ := pem.Decode(authority); block != nil {
		var err error
		if one, other, err = trusting(block.Bytes); err != nil {
			return fmt.Errorf("write what browsers are told: %w", err)
		}
	}
	for _, path := range chromiumPolicies {
		in.Base.Files = append(in.Base.Files, enforce.File{Path: path, Content: one})
	}
	for _, path := range firefoxPolicies {
		in.Base.Files = append(in.Base.Files, enforce.File{Path: path, Content: other})
	}
	return nil
}

// What they are told without an authority, as most are: to encode it took a start
// 0.1 ms.
const (
	chromiumAlone = `{"EncryptedClientHelloEnabled":false}`
	firefoxAlone  = `{"policies":{"DisableEncryptedClientHello":true}}`
)

// trusting is what they are told with one.
func trusting(authority []byte) (chromium, firefox []byte, err error) {
	chromium, err = json.Marshal(chromiumPolicy{Certificates: []string{base64.StdEncoding.EncodeToString(authority)}})
	if err != nil {
		return nil, nil, err
	}
	firefox, err = json.Marshal(struct {
		Policies firefoxPolicy `json:"policies"`
	}{firefoxPolicy{NoHidden: true, Certificates: &firefoxInstall{Install: []string{trustAlone}}}})
	return chromium, firefox, err
}
