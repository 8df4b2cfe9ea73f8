package script_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// chat is a service that says yes to whatever it is asked, with a secret.
func chat(t *testing.T, secret string) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		var asked struct {
			Nonce    string
			Question struct {
				ID     string
				Offers []struct{ Capability string }
			}
		}
		if err == nil {
			err = json.Unmarshal(body, &asked)
		}
		if err != nil || len(asked.Question.Offers) == 0 {
			t.Errorf("asked %s: %v", body, err)
			return
		}
		answer := fmt.Sprintf(`{"version":1,"question":%q,"nonce":%q,"outcome":"allow","scope":%q,"for":"session","broad":true,"by":"ana"}`,
			asked.Question.ID, asked.Nonce, asked.Question.Offers[0].Capability)
		at := strconv.FormatInt(time.Now().Unix(), 10)
		mac := hmac.New(sha256.New, []byte(secret))
		fmt.Fprintf(mac, "ambit-ask-v1\nanswer\n%s\n%s\n%s", at, asked.Nonce, answer)
		w.Header().Set("X-Ambit-Timestamp", at)
		w.Header().Set("X-Ambit-Nonce", asked.Nonce)
		w.Header().Set("X-Ambit-Signature", "v1="+hex.EncodeToString(mac.Sum(nil)))
		_, _ = io.WriteString(w, answer)
	}))
	t.Cleanup(s.Close)
	return s
}

// TestAskURL: somebody in a chat answers.
func TestAskURL(t *testing.T) {
	t.Parallel()
	b := newAskingBench(t)
	b.write("proj/a.txt", "content of a\n")
	const secret = "a secret for both sides"
	file := b.write(".secret", secret+"\n")
	if err := os.Chmod(file, 0o600); err != nil {
		t.Fatal(err)
	}
	b.env = append(b.env, "AMBIT_ASK_SECRET_FILE="+file)
	good := chat(t, secret)

	b.run("run", "--ask-url", good.URL, "--", "cat", "proj/a.txt").want(t, 0, "content of a")
	b.run("audit", "ls", "--kind", "grant.add", "--json").want(t, 0, "webhook "+strings.TrimPrefix(good.URL, "http://")+": ana")
	// The secret itself is nobody's to give.
	r := b.run("run", "--ask-url", good.URL, "--", "cat", ".secret")
	if strings.Contains(r.out+r.err, secret) || r.status == 0 {
		t.Errorf("got %+v", r)
	}

	bad := chat(t, "a secret of somebody else")
	b.run("run", "--ask-url", bad.URL, "--ask-timeout", "6s", "--", "cat", "proj/a.txt").
		want(t, 1, "cannot be asked", "signature is not right", "nobody answered within 6s")
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	b.run("run", "--ask-url", gone.URL, "--ask-timeout", "6s", "--", "cat", "proj/a.txt").want(t, 1, "cannot be asked", "connection refused")
}

func TestAskURLFlags(t *testing.T) {
	b := newBench(t)
	file := b.write("secret", "a secret for both sides")
	ask := func(url string, env ...string) ran {
		cmd := b.command("run", "--ask", "queue", "--ask-url", url, "--", "true")
		cmd.Env = append(cmd.Env, env...)
		return b.finish(cmd)
	}
	ask("https://ask.example.org").want(t, 125, "set AMBIT_ASK_SECRET_FILE to a file")
	ask("https://ask.example.org", "AMBIT_ASK_SECRET_FILE="+file).want(t, 125, "may be read by others; want mode 0600")
	ask("https://ask.example.org", "AMBIT_ASK_SECRET_FILE="+filepath.Dir(file)).want(t, 125, "is no file")
	ask("https://ask.example.org", "AMBIT_ASK_SECRET_FILE="+file, "AMBIT_ASK_SECRET=x").want(t, 125, "both")
	ask("https://ask.example.org", "AMBIT_ASK_SECRET=short").want(t, 125, "the secret has 5 bytes")
	ask("http://ask.example.org", "AMBIT_ASK_SECRET=a secret for both sides").want(t, 125, "is not encrypted")
	b.run("run", "--ask", "none", "--ask-url", "https://ask.example.org", "--", "true").want(t, 125, "leave one out")
}
