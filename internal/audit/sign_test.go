package audit_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/note"

	"ambit.dev/ambit/internal/audit"
)

// The test vectors of RFC 8032, 7.1: seed, public key, message, signature.
var vectors = [][4]string{
	{"9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
		"d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
		"e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"},
	{"4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
		"3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
		"92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"},
	{"c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
		"fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
		"6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a"},
	{"833fe62409237b9d62ec77587520911e9a759cec1d19755b7da901b96dca3d42",
		"ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf",
		"ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
		"dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b58909351fc9ac90b3ecfdfbc7c66431e0303dca179c138ac17ad9bef1177331a704"},
}

func TestSignVectors(t *testing.T) {
	for i, v := range vectors {
		var b [4][]byte
		for j, text := range v {
			var err error
			if b[j], err = hex.DecodeString(text); err != nil {
				t.Fatal(err)
			}
		}
		public, signature, err := audit.Sign(b[0], b[2])
		if err != nil || !bytes.Equal(public, b[1]) || !bytes.Equal(signature, b[3]) {
			t.Errorf("vector %d: got %x, %x, %v; want %x, %x", i, public, signature, err, b[1], b[3])
		}
	}
}

// agrees holds our signature to that of crypto/ed25519.
func agrees(t *testing.T, seed, message []byte) {
	t.Helper()
	public, signature, err := audit.Sign(seed, message)
	if len(seed) != ed25519.SeedSize {
		if err == nil {
			t.Errorf("a seed of %d bytes is taken", len(seed))
		}
		return
	}
	key := ed25519.NewKeyFromSeed(seed)
	want := ed25519.Sign(key, message)
	if err != nil || !bytes.Equal(public, key[32:]) || !bytes.Equal(signature, want) {
		t.Errorf("seed %x, message %x: got %x, %x, %v; want %x, %x", seed, message, public, signature, err, key[32:], want)
	}
	if !ed25519.Verify(public, message, signature) {
		t.Errorf("seed %x, message %x: the signature does not verify", seed, message)
	}
}

func TestSignAsOthersDo(t *testing.T) {
	for n := range 300 {
		seed, message := make([]byte, ed25519.SeedSize), make([]byte, n)
		_, _ = rand.Read(seed) // never fails
		_, _ = rand.Read(message)
		agrees(t, seed, message)
	}
}

func FuzzSign(f *testing.F) {
	f.Add(bytes.Repeat([]byte{0}, 32), []byte{})
	f.Add(bytes.Repeat([]byte{0xff}, 32), []byte("ambit/x\n1\nroot\n"))
	f.Add([]byte("short"), []byte("x"))
	f.Fuzz(func(t *testing.T, seed, message []byte) { agrees(t, seed, message) })
}

// TestKeyFile: a key reads as note.NewSigner reads it, and no other public half
// is ever signed under.
func TestKeyFile(t *testing.T) {
	for range 40 { // base64 of about half of the keys has the sign that separates
		private, public, err := note.GenerateKey(rand.Reader, "ambit/some-log")
		if err != nil {
			t.Fatal(err)
		}
		theirs, err := note.NewSigner(private)
		if err != nil {
			t.Fatal(err)
		}
		ours, err := audit.KeySigner(private + "\n" + public + "\n")
		if err != nil {
			t.Fatal(err)
		}
		if ours.Name() != theirs.Name() || ours.KeyHash() != theirs.KeyHash() {
			t.Errorf("got name %s and hash %x, want %s and %x", ours.Name(), ours.KeyHash(), theirs.Name(), theirs.KeyHash())
		}
		message := &note.Note{Text: "some text\n"}
		got, err := note.Sign(message, ours)
		want, err2 := note.Sign(message, theirs)
		if err != nil || err2 != nil || !bytes.Equal(got, want) {
			t.Errorf("got %q %v, want %q %v", got, err, want, err2)
		}
		_, other, err := note.GenerateKey(rand.Reader, "ambit/some-log")
		if err != nil {
			t.Fatal(err)
		}
		for what, text := range map[string]string{
			"another public half": private + "\n" + other + "\n", "no public half": private + "\n", "no newline": private + "\n" + public,
			"another name":      strings.Replace(private, "some-log", "new-log", 1) + "\n" + public + "\n",
			"another algorithm": withSecret(private, 2, 32) + "\n" + public + "\n",
			"a short seed":      withSecret(private, 1, 31) + "\n" + public + "\n",
			"no seed":           withSecret(private, 1, 0) + "\n" + public + "\n",
		} {
			if _, err := audit.KeySigner(text); err == nil {
				t.Errorf("%s: it is taken for a key", what)
			}
		}
	}
}

// withSecret puts another algorithm, and a seed of n bytes, into a private key.
func withSecret(private string, algorithm byte, n int) string {
	f := strings.SplitN(private, "+", 5)
	secret, err := base64.StdEncoding.DecodeString(f[4])
	if err != nil {
		panic(err)
	}
	f[4] = base64.StdEncoding.EncodeToString(append([]byte{algorithm}, secret[1:1+n]...))
	return strings.Join(f, "+")
}
