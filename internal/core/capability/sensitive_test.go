package capability_test

import (
	"path"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"ambit.dev/ambit/internal/core/capability"
)

const homeOfU = "/home/u"

// secretPaths are examples of the list, with a word of what is said about them.
var secretPaths = map[string]string{
	"/home/u/.ssh":                                   "SSH",
	"/home/u/.ssh/id_rsa":                            "SSH",
	"/home/other/.ssh/config":                        "SSH",
	"/root/.ssh":                                     "SSH",
	"/mnt/backup/u/.ssh/known_hosts":                 "SSH",
	"/home/u/keys/id_ed25519":                        "SSH",
	"/tmp/ssh-AbCdEf/agent.7":                        "SSH",
	"/etc/ssh/ssh_host_ed25519_key":                  "SSH",
	"/home/u/.gnupg/private-keys-v1.d/x.key":         "GnuPG",
	"/home/u/.aws/credentials":                       "cloud",
	"/home/u/.config/gcloud/access_tokens.db":        "cloud",
	"/home/u/.azure":                                 "cloud",
	"/srv/app/terraform.tfstate":                     "cloud",
	"/home/u/.kube/config":                           "clusters",
	"/home/u/.docker/config.json":                    "clusters",
	"/run/docker.sock":                               "containers",
	"/run/user/1000/keyring/control":                 "keyring",
	"/home/u/.local/share/keyrings/login.keyring":    "keyring",
	"/home/u/.password-store/mail.gpg":               "password store",
	"/home/u/Sync/all.kdbx":                          "password store",
	"/home/u/.mozilla/firefox/x.default/logins.json": "browser",
	"/home/u/.config/google-chrome-beta/Default":     "browser",
	"/home/u/.config/BraveSoftware":                  "browser",
	"/home/u/snap/firefox/common":                    "browser",
	"/home/u/.bash_history":                          "history",
	"/home/u/.local/share/fish/fish_history":         "history",
	"/home/u/.netrc":                                 "logins",
	"/etc/shadow":                                    "logins",
	"/etc/shadow-":                                   "logins",
	"/home/u/.npmrc":                                 "registries",
	"/home/u/src/site/.npmrc":                        "registries",
	"/home/u/.pypirc":                                "registries",
	"/home/u/.git-credentials":                       "git",
	"/home/u/.config/gh/hosts.yml":                   "code hosts",
	"/home/u/src/site/.env":                          "settings",
	"/home/u/src/site/.env.production":               "settings",
	"/home/u/src/site/.ENV":                          "settings",
	"/home/u/src/site/tls/server.pem":                "private keys",
	"/home/u/src/site/tls/Server.KEY":                "private keys",
	"/etc/ssl/private/x":                             "private keys",
	"/home/u/.thunderbird":                           "mail",
	"/home/u/Mail/inbox":                             "mail",
	"/var/mail/u":                                    "mail",
	"/home/u/.config/Signal/sql/db.sqlite":           "messages",
	"/home/u/.bitcoin/wallet.dat":                    "wallet",
	"/home/u/.config/Ledger Live":                    "wallet",
	"/home/u/x/../.ssh/id_rsa":                       "SSH",
	"//home//u/.ssh/":                                "SSH",
}

func TestSecretsAreKnown(t *testing.T) {
	for p, word := range secretPaths {
		if why, ok := capability.Sensitive(p, homeOfU); !ok || !strings.Contains(why, word) {
			t.Errorf("Sensitive(%q) = %q, %v; want something about %q", p, why, ok, word)
		}
	}
}

func TestOrdinaryFilesAreNoSecrets(t *testing.T) {
	for _, p := range []string{
		"/", "/home/u", "/home/u/notes.txt", "/home/u/.config", "/home/u/.config/git/config", "/home/u/.gitconfig", "/home/u/src/site/main.go",
		"/home/u/src/.sshd/x", "/home/u/ssh/x", "/home/u/.ssh2", "/home/u/src/mail/send.go", "/srv/snap/firefox", "/srv/mail/x",
		"/home/u/src/site/.env.example", "/home/u/src/site/environment", "/home/u/.cache/pip/x", "/home/u/.npm/_cacache/x", "/home/u/.docker/buildx/x",
		"/usr/lib/ssl/x.pem", "/usr/share/keyrings/debian.key", "/etc/ssl/certs/a.pem", "/etc/ssh/ssh_config", "/etc/ssh/ssh_host_ed25519_key.pub",
		"/home/u/src/site/node_modules/x/test/key.pem", "/home/u/src/site/node_modules/x/.npmrc", "/home/u/v/lib/python3/site-packages/certifi/cacert.pem", "/home/u/go/pkg/mod/x@v1/testdata/a.key",
		"/home/u/src/site/monkey", "/run/user/1000", "/tmp/ssh",
	} {
		if why, ok := capability.Sensitive(p, homeOfU); ok {
			t.Errorf("Sensitive(%q) = %q; want nothing", p, why)
		}
	}
}

// A package tree excuses what is inside it, not what it lies in.
func TestPackagesExcuseNothingElse(t *testing.T) {
	for _, p := range []string{
		"/home/u/.ssh/node_modules/x", "/home/u/tls.key/node_modules/x", "/etc/ssl/private/node_modules", "/home/u/Mail/node_modules", "/usr/share/../../root/.aws", "/home/u/node_modules/../server.key",
	} {
		if _, ok := capability.Sensitive(p, homeOfU); !ok {
			t.Errorf("Sensitive(%q): want true", p)
		}
	}
}

func TestAHomeElsewhere(t *testing.T) {
	for _, home := range []string{"/srv/people/u", "/srv/people/*", "/"} {
		p := path.Join(home, "Maildir/cur/1")
		if _, ok := capability.Sensitive(p, home); ok != (home != "/") {
			t.Errorf("Sensitive(%q, %q) = %v", p, home, ok)
		}
	}
	if _, ok := capability.Sensitive("/srv/people/v/Maildir", "/srv/people/*"); ok {
		t.Error("a star in the name of a home matched another home")
	}
}

func TestDirectoriesAboveSecrets(t *testing.T) {
	for p, want := range map[string]bool{
		"/": true, "/home": true, homeOfU: true, "/home/other": true, "/root": true, "/etc": true, "/etc/ssh": true, "/run": true, "/run/user/1000": true,
		"/home/u/.config": true, "/home/u/.local/share": true, "/home/u/.cache": true, "/home/other/.config": true, "/home/u/snap": true, "/tmp": true,
		"/home/u/.config/git": true, "/home/u/.config/nvim": false, "/home/u/src": false, "/home/u/src/.config": false, "/srv/.config": false, "/usr": false, "/opt": false,
		"/home/u/.ssh/x": false,
	} {
		if why, ok := capability.AboveSensitive(p, homeOfU); ok != want {
			t.Errorf("AboveSensitive(%q) = %q, %v; want %v", p, why, ok, want)
		}
	}
}

// What lies beneath a secret is one, wherever the home is.
func TestBeneathASecret(t *testing.T) {
	var known []string
	for p := range secretPaths {
		known = append(known, p)
	}
	name := rapid.StringMatching(`[a-zA-Z.*\[]{1,8}|node_modules|site-packages|cacert\.pem`)
	rapid.Check(t, func(t *rapid.T) {
		p := rapid.SampledFrom(known).Draw(t, "secret")
		for _, n := range rapid.SliceOfN(name, 0, 4).Draw(t, "names") {
			if n != ".." {
				p += "/" + n
			}
		}
		if _, ok := capability.Sensitive(p, homeOfU); !ok {
			t.Fatalf("Sensitive(%q): want true", p)
		}
	})
}

// A directory above a secret stays above it on the way up.
func TestAboveASecretUpwards(t *testing.T) {
	for _, p := range []string{"/home/u/.config/gcloud", "/home/u/.local/share/keyrings", "/run/user/7/keyring", "/etc/ssl/private", "/home/u/Mail"} {
		for dir := path.Dir(p); ; dir = path.Dir(dir) {
			if _, ok := capability.AboveSensitive(dir, homeOfU); !ok {
				t.Errorf("AboveSensitive(%q): want true, %s is beneath", dir, p)
			}
			if dir == "/" {
				break
			}
		}
	}
}

func FuzzSensitive(f *testing.F) {
	for p := range secretPaths {
		f.Add(p, homeOfU)
	}
	f.Fuzz(func(t *testing.T, p, home string) {
		why, ok := capability.Sensitive(p, home)
		if ok != (why != "") {
			t.Fatalf("Sensitive(%q, %q) = %q, %v", p, home, why, ok)
		}
		if _, beneath := capability.Sensitive(p+"/x", home); ok && !beneath {
			t.Fatalf("%q is a secret, and %q is none", p, p+"/x")
		}
	})
}

func BenchmarkSensitive(b *testing.B) {
	for b.Loop() {
		capability.Sensitive("/home/u/src/site/node_modules/left-pad/lib/.hidden/index.js", homeOfU)
	}
}
