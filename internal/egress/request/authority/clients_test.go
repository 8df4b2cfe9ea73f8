package authority

import (
	"crypto/tls"
	"crypto/x509"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// misuse issues a certificate as somebody would who has the issuer's key.
func (a *Authority) misuse(t *testing.T, host string) *tls.Certificate {
	t.Helper()
	a.mu.Lock()
	a.names.Any = true // of what is looked at before, not of what is signed
	a.mu.Unlock()
	c, err := a.Leaf(host, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func limitedTo(t *testing.T, names Names) *Authority {
	t.Helper()
	a, err := New(time.Now())
	if err == nil {
		err = a.Limit(names, time.Now())
	}
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// TestMisuse: what the issuer's key signs for another name, an address or a further
// issuer is believed by nobody, and the root's key is gone.
func TestMisuse(t *testing.T) {
	a := limitedTo(t, Names{Names: []string{"first.test", "a.test"}}) // the first one's is the root's own
	if a.spare != nil {
		t.Error("the root's key is still there")
	}
	roots, between := x509.NewCertPool(), x509.NewCertPool()
	roots.AddCert(a.root)
	between.AddCert(a.issuer)
	for host, ok := range map[string]bool{"a.test": true, "b.test": false, "10.0.0.1": false, "::1": false} {
		c, err := x509.ParseCertificate(a.misuse(t, host).Certificate[0])
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Verify(x509.VerifyOptions{Roots: roots, Intermediates: between}); (err == nil) != ok {
			t.Errorf("%s: %v", host, err)
		}
	}
	below := template(time.Now())
	below.IsCA, below.BasicConstraintsValid, below.KeyUsage = true, true, x509.KeyUsageCertSign
	sub, key, err := certify(below, a.issuer, a.key)
	if err != nil {
		t.Fatal(err)
	}
	leaf := template(time.Now())
	leaf.DNSNames = []string{"a.test"}
	c, _, err := certify(leaf, sub, key)
	if err != nil {
		t.Fatal(err)
	}
	between.AddCert(sub)
	if _, err := c.Verify(x509.VerifyOptions{Roots: roots, Intermediates: between}); err == nil {
		t.Error("an issuer beneath the issuer is believed")
	}
}

// visitor is a program of Java that fetches URLs, each behind the one certificate
// that it trusts for it, and says which it got.
const visitor = `import java.io.*; import java.net.*; import java.security.*; import java.security.cert.*; import javax.net.ssl.*;
class Visitor { public static void main(String[] a) throws Exception { for (int i = 0; i < a.length; i += 2) {
	KeyStore k = KeyStore.getInstance("PKCS12"); k.load(null, null);
	k.setCertificateEntry("ca", CertificateFactory.getInstance("X.509").generateCertificate(new FileInputStream(a[i])));
	TrustManagerFactory t = TrustManagerFactory.getInstance("PKIX"); t.init(k);
	SSLContext c = SSLContext.getInstance("TLS"); c.init(null, t.getTrustManagers(), null);
	HttpsURLConnection u = (HttpsURLConnection) new URL(a[i+1]).openConnection(); u.setSSLSocketFactory(c.getSocketFactory());
	try { u.getInputStream().readAllBytes(); System.out.print("got "); } catch (SSLHandshakeException e) { System.out.print("refused "); } } } }`

// A site is a server for localhost, whose certificate an authority has issued.
type site struct{ root, url string }

func newSite(t *testing.T, by *Authority) site {
	t.Helper()
	cert := by.misuse(t, "localhost")
	l, err := tls.Listen("tcp4", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{*cert}})
	if err != nil {
		t.Fatal(err)
	}
	s := &http.Server{ReadHeaderTimeout: time.Minute, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, 0),
		Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})}
	go s.Serve(l) //nolint:errcheck // it ends with the test
	t.Cleanup(func() { _ = s.Close() })
	_, port, _ := net.SplitHostPort(l.Addr().String())
	root := filepath.Join(t.TempDir(), "root.pem")
	if err := os.WriteFile(root, by.PEM(), 0o600); err != nil {
		t.Fatal(err)
	}
	return site{root, "https://localhost:" + port}
}

// clients are real clients, by what they make TLS with, and how each fetches a URL.
var clients = []struct {
	name string
	argv func(s site) []string
}{
	{"openssl", func(s site) []string { return []string{"curl", "-sSf", "--cacert", s.root, s.url} }},
	{"gnutls", func(s site) []string {
		return []string{"wget", "-q", "-t", "1", "-O", "-", "--ca-certificate=" + s.root, s.url}
	}},
	{"node", func(s site) []string {
		return []string{"node", "-e", `require("https").get(process.argv[2], {ca: require("fs").readFileSync(process.argv[1])}, r => r.resume()).on("error", () => process.exit(1))`, s.root, s.url}
	}},
}

// TestClients: real clients believe a certificate for a name within the bounds of
// its issuer and one that is the root's own, refuse one beyond them, and would believe
// it if there were none.
func TestClients(t *testing.T) {
	first := newSite(t, limitedTo(t, Names{Names: []string{"localhost"}}))
	within, beyond := newSite(t, limitedTo(t, Names{Names: []string{"first.test", "localhost"}})), newSite(t, limitedTo(t, Names{Names: []string{"other.test"}}))
	free := newSite(t, limitedTo(t, Names{Any: true}))
	for _, c := range clients {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			for at, ok := range map[site]bool{first: true, within: true, beyond: false, free: true} {
				argv := c.argv(at)
				if _, err := exec.LookPath(argv[0]); err != nil {
					t.Skip("requires: " + argv[0])
				}
				if out, err := exec.CommandContext(t.Context(), argv[0], argv[1:]...).CombinedOutput(); (err == nil) != ok {
					t.Errorf("%q: %v: %s", argv, err, out)
				}
			}
		})
	}
	t.Run("java", func(t *testing.T) {
		t.Parallel()
		if _, err := exec.LookPath("java"); err != nil {
			t.Skip("requires: java")
		}
		source := filepath.Join(t.TempDir(), "Visitor.java")
		if err := os.WriteFile(source, []byte(visitor), 0o600); err != nil {
			t.Fatal(err)
		}
		out, err := exec.CommandContext(t.Context(), "java", "-XX:TieredStopAtLevel=1", source, first.root, first.url, within.root, within.url, beyond.root, beyond.url, free.root, free.url).Output()
		if err != nil || string(out) != "got got refused got " {
			t.Errorf("%q, %v", out, err)
		}
	})
}
