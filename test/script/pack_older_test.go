package script_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// version writes another version of a pack, which says a word, and signs it.
func (s *shop) version(t *testing.T, dir, version, word, key string) {
	t.Helper()
	file := filepath.Join(dir, "ambit.json")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), `"version": "`)
	_, rest, _ = strings.Cut(rest, `"`)
	before, _, _ := strings.Cut(string(text), `"version": "`)
	for name, content := range map[string]string{file: before + `"version": "` + version + `"` + rest, filepath.Join(dir, "run"): "echo it says " + word + "\n"} {
		if err := os.WriteFile(name, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	s.do("pack", "sign", "--key", key, dir).want(t, 0)
}

// TestPackOlder: whoever has the way to the host brings back a version that the signer
// has signed, and whose faults are known: by the tag of a registry, by a layout, by the
// digest of what was installed before, after the pack was removed, and as what cannot
// be told to be newer. Who says so takes it.
func TestPackOlder(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	const id = "org.example.words"
	dir, key, layout := s.pack(t, "words", id, "faulty"), filepath.Join(s.dir, "key"), filepath.Join(s.dir, "old.oci.tar")
	s.do("pack", "key", "example.org", key).want(t, 0)
	publish := func(version, word, tag string) (exact string) {
		t.Helper()
		s.version(t, dir, version, word, key)
		pushed := s.do("pack", "push", dir, s.ref("words:"+tag))
		pushed.want(t, 0)
		return strings.TrimSuffix(pushed.out[strings.LastIndex(pushed.out, "oci://"):], ".\n")
	}
	says := func(word string) {
		t.Helper()
		s.do("run", "--pack", id).want(t, 0, "it says "+word)
	}
	old := publish("1.9", "faulty", "now")
	s.do("pack", "export", "--oci", dir, layout).want(t, 0)
	s.do("pack", "install", "--yes", s.ref("words:now")).want(t, 0)
	says("faulty")
	publish("1.10", "mended", "now")
	s.do("pack", "update", "--yes", id).want(t, 0)
	says("mended")

	refused := func(why string, args ...string) {
		t.Helper()
		s.do(append([]string{"pack"}, args...)...).want(t, 125, why, "--allow-older")
	}
	const older = "1.9 is older than 1.10, which was installed last"
	publish("1.9", "faulty", "now")
	refused(older, "update", "--yes", id)
	refused(older, "install", "--yes", s.ref("words:now"))
	refused(older, "install", "--yes", old)
	refused(older, "install", "--lazy", layout)
	refused(older, "prepare", layout)
	refused(older, "prepare", "--json", "--update", id)
	publish("1.10-rc.1", "faulty", "now")
	refused("1.10-rc.1 is older than 1.10", "update", "--yes", id)
	publish("stable", "faulty", "now")
	refused("nothing says whether stable is older than 1.10", "update", "--yes", id)
	says("mended")

	// Removed, it is remembered, of what that key signed.
	s.do("pack", "rm", id).want(t, 0)
	refused(older, "install", "--yes", old)
	other := filepath.Join(s.dir, "other")
	s.do("pack", "key", "example.net", other).want(t, 0)
	s.version(t, dir, "1.0", "anothers", other)
	s.do("pack", "install", "--yes", dir).want(t, 0)
	says("anothers")
	s.do("pack", "rm", id).want(t, 0)

	// A new key does not go back either, while the pack is there.
	publish("1.10", "mended", "now")
	s.do("pack", "install", "--yes", s.ref("words:now")).want(t, 0)
	s.version(t, dir, "1.9", "anothers", other)
	signer := s.do("pack", "sign", "--json", "--key", other, dir)
	_, signer.out, _ = strings.Cut(signer.out, `"signer": "`)
	public, _, _ := strings.Cut(signer.out, `"`)
	refused(older, "install", "--yes", "--signer", public, dir)

	// The same version with other content is taken, and told of.
	publish("1.10", "otherwise", "now")
	r := s.do("pack", "update", "--yes", id)
	if r.want(t, 0); !strings.Contains(r.err, "org.example.words 1.10 has other content than what was installed as that version.") {
		t.Errorf("it is not said: %s", r.err)
	}
	says("otherwise")

	// Who says so takes the older one, and goes on from there.
	s.do("pack", "install", "--yes", "--allow-older", old).want(t, 0)
	says("faulty")
	publish("1.9.1", "newer", "now")
	s.do("pack", "install", "--yes", s.ref("words:now")).want(t, 0)
	says("newer")
	s.do("audit", "verify").want(t, 0)
}
