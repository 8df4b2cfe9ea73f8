package pack

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"

	"ambit.dev/ambit/internal/core/capability"
)

// HandoverFile in a pack says by which keys the right to sign it was handed on. It is
// content like any other: who signs the pack signs it too.
const HandoverFile = "ambit.keys"

// maxHandovers bounds how often a pack may have been handed on.
const maxHandovers = 16

// handoverTitle begins each statement, which is a signed note of the older key.
const handoverTitle = "ambit pack key 1\n"

// A Handover is a statement of a key that another one signs a pack from now on.
type Handover struct {
	From, To string
	Until    time.Time // it is taken until then; zero: without an end
}

// text is what is signed. The pack is in it, so that a statement is about no other.
func (h Handover) text(id string) string {
	until := ""
	if !h.Until.IsZero() {
		until = "until " + h.Until.UTC().Format(time.RFC3339) + "\n"
	}
	return handoverTitle + "id " + id + "\nfrom " + h.From + "\nto " + h.To + "\n" + until
}

// HandOn has the key in a file that NewKey made say that another one signs the pack in
// a folder from now on. The pack is to be signed by that then: its signature, which is
// older than the statement, is taken away.
func HandOn(dir, file, to string, until time.Time) error {
	signer, from, err := readKey(file)
	if err != nil {
		return fmt.Errorf("key %q: %w", file, err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close() //nolint:errcheck // it was read, or every write of it was checked
	m, err := readManifest(root)
	if err != nil {
		return err
	}
	before, err := readHandoverFile(root)
	if err != nil {
		return err
	}
	h := Handover{From: from, To: to, Until: until.UTC().Truncate(time.Second)}
	text, err := note.Sign(&note.Note{Text: h.text(m.ID)}, signer)
	if err != nil {
		return err
	}
	all := slices.Concat(before, text)
	if _, err := parseHandovers(all, m.ID); err != nil {
		return fmt.Errorf("%s: %w", HandoverFile, err)
	}
	if err := root.Remove(SignatureFile); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return root.WriteFile(HandoverFile, all, 0o644)
}

func readHandoverFile(root *os.Root) ([]byte, error) {
	text, err := readBounded(root, HandoverFile, maxSignature)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return text, err
}

// parseHandovers reads the statements about a pack.
//
// Security: each is made anew from what was read of it and compared with what was signed, by the key
// that hands on. One that is another pack's, or that nobody signed, spoils all.
func parseHandovers(file []byte, id string) (all []Handover, err error) {
	for len(file) > 0 {
		if !bytes.HasPrefix(file, []byte(handoverTitle)) {
			return nil, errors.New("it has something that is no statement of a key")
		}
		end := len(file)
		if next := bytes.Index(file[1:], []byte("\n"+handoverTitle)); next >= 0 {
			end = next + len("\n") + 1
		}
		h, err := parseHandover(file[:end], id)
		if err != nil {
			return nil, err
		}
		if all = append(all, h); len(all) > maxHandovers {
			return nil, fmt.Errorf("it has more than %d statements", maxHandovers)
		}
		file = file[end:]
	}
	return all, nil
}

func parseHandover(file []byte, id string) (h Handover, err error) {
	text, _, _ := strings.Cut(string(file), "\n\n")
	for line := range strings.Lines(text) {
		switch key, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " "); key {
		case "from":
			h.From = value
		case "to":
			h.To = value
		case "until":
			if h.Until, err = time.Parse(time.RFC3339, value); err != nil {
				return h, errors.New("a statement says until a time that is none")
			}
		}
	}
	from, err := note.NewVerifier(h.From)
	if err != nil || h.From != capability.Printable(h.From) {
		return h, errors.New("a statement is of no key that is understood")
	}
	if _, err := note.NewVerifier(h.To); err != nil || h.To == h.From || h.To != capability.Printable(h.To) {
		return h, fmt.Errorf("%s hands on to no other key that is understood", from.Name())
	}
	n, err := note.Open(file, note.VerifierList(from))
	if err != nil {
		return h, fmt.Errorf("the statement of %s is not signed by it", from.Name())
	}
	if n.Text != h.text(id) {
		return h, fmt.Errorf("the statement of %s is about another pack, or says something else", from.Name())
	}
	return h, nil
}

// Handed reports whether a key has handed the right to sign the pack on to who signed
// it, by itself or by others in between, with statements that are taken now.
func (p Pack) Handed(from string, now time.Time) bool {
	return p.Signer != "" && slices.Contains(p.before(p.Signer, now), from)
}

// before are the keys that have handed on to a key, the last first.
func (p Pack) before(key string, now time.Time) (keys []string) {
	next := []string{key}
	for len(next) > 0 {
		key, next = next[0], next[1:]
		for _, h := range p.Handovers {
			if h.To == key && (h.Until.IsZero() || now.Before(h.Until)) && !slices.Contains(keys, h.From) {
				keys, next = append(keys, h.From), append(next, h.From)
			}
		}
	}
	return keys
}
