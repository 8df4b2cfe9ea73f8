package pack

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"golang.org/x/mod/sumdb/note"

	"ambit.dev/ambit/internal/core/capability"
)

// SignatureFile in a pack says who stands for it.
const SignatureFile = "ambit.sig"

const maxSignature = 16 << 10

// signedText is what a signature says. The key is in it, so that a file with one
// key's text and another's signature says nothing.
func signedText(p Pack, key string) string {
	return fmt.Sprintf("ambit pack 1\nid %s\nversion %s\ndigest %s\nkey %s\n", p.Manifest.ID, p.Manifest.Version, p.Digest, key)
}

// verify returns the key that signed p.
//
// Security: the text is made anew from what was read of the pack. Nothing of the
// file but its key is believed, and that only once its signature holds.
func verify(file []byte, p Pack) (key string, err error) {
	for line := range strings.Lines(string(file)) {
		if k, ok := strings.CutPrefix(line, "key "); ok {
			key = strings.TrimSuffix(k, "\n")
			break
		}
	}
	v, err := note.NewVerifier(key)
	if err != nil || key != capability.Printable(key) {
		return "", errors.New("it has no key that is understood")
	}
	n, err := note.Open(file, note.VerifierList(v))
	if err != nil {
		return "", fmt.Errorf("the signature of %s does not hold", v.Name())
	}
	if n.Text != signedText(p, key) {
		return "", fmt.Errorf("%s signed something else: the pack was changed since, or is another one", v.Name())
	}
	return key, nil
}

// Sign signs the pack in a folder with the key in a file that NewKey made.
func Sign(dir, file string) (Pack, error) {
	signer, public, err := readKey(file)
	if err != nil {
		return Pack{}, fmt.Errorf("key %q: %w", file, err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return Pack{}, err
	}
	defer root.Close() //nolint:errcheck // it was read, or every write of it was checked
	// An older signature says nothing of what is there now.
	if err := root.Remove(SignatureFile); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return Pack{}, err
	}
	p, err := read(root)
	if err != nil {
		return p, err
	}
	text, err := note.Sign(&note.Note{Text: signedText(p, public)}, signer)
	if err != nil {
		return p, err
	}
	if p.Signer, err = verify(text, p); err != nil {
		return p, err
	}
	return p, root.WriteFile(SignatureFile, text, 0o644)
}

// readKey reads a file that NewKey made. Errors repeat nothing of it.
//
// Security: a key that others may read speaks for them too, and is refused.
func readKey(file string) (s note.Signer, public string, err error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, "", err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, "", err
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, "", fmt.Errorf("it may be read by others (mode %#o); chmod 600 it if nobody has", info.Mode().Perm())
	}
	text, err := io.ReadAll(io.LimitReader(f, maxSignature))
	if err != nil {
		return nil, "", err
	}
	private, public, _ := strings.Cut(strings.TrimSuffix(string(text), "\n"), "\n")
	if s, err = note.NewSigner(private); err != nil {
		return nil, "", errors.New("it is not a key as `ambit pack key` makes it")
	}
	return s, public, nil
}

// NewKey makes a key pair for a signer's name, such as a domain. The private one
// goes into a file of its own, readable by nobody else.
func NewKey(name, file string) (public string, err error) {
	if name == "" || strings.ContainsAny(name, "+ \n") || capability.Printable(name) != name {
		return "", fmt.Errorf("the name %q of a signer: want one word without + or space", capability.Printable(name))
	}
	private, public, err := note.GenerateKey(rand.Reader, name)
	if err != nil {
		return "", err
	}
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return "", err
	}
	if _, err = f.WriteString(private + "\n" + public + "\n"); err == nil {
		err = f.Sync()
	}
	return public, errors.Join(err, f.Close())
}
