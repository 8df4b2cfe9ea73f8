package script_test

import (
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/registry"
)

const registryPassword = "hunter2-of-ana"

// A shop is a registry with TLS that gives a token to whoever knows a password, and
// the person at it who does.
type shop struct {
	*bench
	host    string
	network []string
}

func newShop(t *testing.T) *shop {
	t.Helper()
	const token = "token-of-the-shop"
	behind := registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch _, pass, _ := r.BasicAuth(); {
		case r.URL.Path == "/token" && pass == registryPassword:
			_ = json.NewEncoder(w).Encode(map[string]string{"token": token}) // who is gone hears nothing
		case r.Header.Get("Authorization") == "Bearer "+token:
			behind.ServeHTTP(w, r)
		default:
			w.Header().Set("WWW-Authenticate", `Bearer realm="https://`+r.Host+`/token"`)
			w.WriteHeader(http.StatusUnauthorized)
		}
	}))
	srv.Config.ErrorLog = log.New(io.Discard, "", 0)
	srv.StartTLS()
	t.Cleanup(srv.Close)
	s := &shop{bench: newBench(t), host: srv.Listener.Addr().String()}
	docker := filepath.Join(s.dir, "docker")
	cert := filepath.Join(s.dir, "ca.pem")
	config := fmt.Sprintf(`{"auths": {%q: {"auth": %q}}}`, s.host, base64.StdEncoding.EncodeToString([]byte("ana:"+registryPassword)))
	if err := errors.Join(os.Mkdir(docker, 0o700), os.WriteFile(filepath.Join(docker, "config.json"), []byte(config), 0o600),
		os.WriteFile(cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: srv.Certificate().Raw}), 0o600)); err != nil {
		t.Fatal(err)
	}
	s.network = []string{"SSL_CERT_FILE=" + cert, "DOCKER_CONFIG=" + docker}
	return s
}

// as is a command with what it takes to speak to the registry.
func (s *shop) as(args ...string) *exec.Cmd {
	cmd := s.command(args...)
	cmd.Env = append(cmd.Env, s.network...)
	return cmd
}

func (s *shop) do(args ...string) ran { return s.finish(s.as(args...)) }

// ref is a reference to the registry.
func (s *shop) ref(name string) string { return "oci://" + s.host + "/" + name }

// pack makes the folder of a pack that says a word.
func (s *shop) pack(t *testing.T, name, id, word string) string {
	t.Helper()
	dir := filepath.Join(s.dir, name)
	manifest := fmt.Sprintf(`{"id": %q, "version": "1.0", "kind": "cli-tool", "entry": ["sh", "./run"], "capabilities": ["fs.read:/etc/hostname"]}`, id)
	if err := errors.Join(os.Mkdir(dir, 0o755), os.WriteFile(filepath.Join(dir, "ambit.json"), []byte(manifest), 0o644),
		os.WriteFile(filepath.Join(dir, "run"), []byte("echo it says "+word+"\n"), 0o644)); err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestPackRegistry: a pack goes to a registry and comes back, by tag, digest and as
// a file, and stays its signer's.
func TestPackRegistry(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	const id = "org.example.words"
	words, evil := s.pack(t, "words", id, "words"), s.pack(t, "evil", id, "evil")
	key := filepath.Join(s.dir, "key")
	s.do("pack", "key", "example.org", key).want(t, 0)
	s.do("pack", "sign", "--key", key, words).want(t, 0)
	pushed := s.do("pack", "push", words, s.ref("words:1.0"))
	pushed.want(t, 0, "org.example.words 1.0, signed by example.org", s.ref("words@sha256:"))
	exact := strings.TrimSuffix(pushed.out[strings.LastIndex(pushed.out, "oci://"):], ".\n")

	s.do("pack", "install", "--yes", s.ref("words:1.0")).want(t, 0, "is installed")
	s.do("run", "--pack", id).want(t, 0, "it says words")
	_, digest, _ := strings.Cut(exact, "@")
	s.do("pack", "ls", "--json").want(t, 0, s.ref("words:1.0")+"@"+digest, `"signer": "example.org+`)
	s.do("pack", "verify", id).want(t, 0)

	// Whoever may write to the registry is not the signer.
	s.do("pack", "push", evil, s.ref("words:1.0")).want(t, 0, "signed by nobody")
	s.do("pack", "install", "--yes", s.ref("words:1.0")).want(t, 125, "this is no update of it")
	s.do("pack", "install", "--yes", exact).want(t, 0)
	s.do("pack", "update", id).want(t, 0)
	s.do("run", "--pack", id).want(t, 0, "it says words")

	// The same as a file, and as a folder.
	file, layout := filepath.Join(s.dir, "words.oci.tar"), filepath.Join(s.dir, "layout")
	s.do("pack", "export", "--oci", id, file).want(t, 0)
	if out, err := exec.Command("sh", "-c", `mkdir "$1" && tar -xf "$2" -C "$1"`, "sh", layout, file).CombinedOutput(); err != nil {
		t.Fatal(err, string(out))
	}
	s.do("pack", "rm", id).want(t, 0)
	for _, from := range []string{file, layout} {
		s.do("pack", "install", "--yes", from).want(t, 0, "is installed")
		s.do("run", "--pack", id).want(t, 0, "it says words")
		s.do("pack", "rm", id).want(t, 0)
	}

	for ref, why := range map[string]string{s.ref("words:2.0"): "fetch", "oci://words:1.0": "is not understood", s.ref("words"): "is not understood"} {
		s.do("pack", "install", "--yes", ref).want(t, 125, why)
	}
	s.network = s.network[:1] // and no credentials
	s.do("pack", "install", "--yes", s.ref("words:1.0")).want(t, 125, "there are no credentials for it")
	s.nothingLeft(t)
}

// nothingLeft: the shelf has nothing that is on its way.
func (s *shop) nothingLeft(t *testing.T) {
	t.Helper()
	left, err := os.ReadDir(s.state() + ".packs")
	if err != nil && !os.IsNotExist(err) || len(left) > 0 {
		t.Errorf("it left %v, %v", left, err)
	}
}

// TestPackSwapped: what was agreed to is what is installed, whatever its tag leads
// to meanwhile.
func TestPackSwapped(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	const id = "org.example.swapped"
	honest, evil := s.pack(t, "honest", id, "honest"), s.pack(t, "evil", id, "evil")
	s.do("pack", "push", honest, s.ref("swapped:1")).want(t, 0)
	x := startOn(t, s.as("pack", "install", s.ref("swapped:1")), 200, 40)
	x.expect("[N]o: ")
	s.do("pack", "push", evil, s.ref("swapped:1")).want(t, 0)
	x.typed("y\n")
	x.ends(0)
	s.do("run", "--pack", id).want(t, 0, "it says honest")
	// The other one is there for whoever asks for it now.
	s.do("pack", "update", id).want(t, 0)
	s.do("run", "--pack", id).want(t, 0, "it says evil")
}

// TestPackStolenID: a registry cannot have what a folder was granted.
func TestPackStolenID(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	const id = "org.example.mine"
	mine, thief := s.pack(t, "mine", id, "mine"), s.pack(t, "thief", id, "thief")
	s.do("pack", "push", thief, s.ref("mine:1")).want(t, 0)
	s.do("grants", "add", "--pack", mine, "fs.read:/etc/hostname").want(t, 0)
	s.do("pack", "install", "--yes", s.ref("mine:1")).want(t, 125, "belongs to the pack in")
	s.do("run", "--pack", mine).want(t, 0, "it says mine")
	s.nothingLeft(t)
}
