package audit

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// headSize is the size of the head file: one sector, so that overwriting it in
// place leaves the old head or the new one and never changes its length.
const headSize = 512

// Head is a signed statement: the log of this origin had Size records, and
// their Merkle tree had this Root. Kept elsewhere, it holds the log to it.
type Head struct {
	Origin string    `json:"origin"`
	Size   uint64    `json:"size"`
	Root   tlog.Hash `json:"root"`
	Note   string    `json:"note"` // the signed text

	// Of a head whose records were not known to be on the disk when it was signed: how many
	// were, and in which boot of the machine. The zero values: all were.
	Synced uint64 `json:"synced,omitempty"`
	Boot   string `json:"boot,omitempty"`
}

// floor is how many records the log has on whose head file h stands. In the boot in which
// they were written it has all of them, on the disk or not; in a later one those that
// were on the disk.
func (h Head) floor(boot func() string) uint64 {
	if h.Boot == "" || h.Boot == boot() {
		return h.Size
	}
	return h.Synced
}

// ParseHead reads a signed head and checks its signature by key, the text of a key.pub.
func ParseHead(text, key string) (Head, error) {
	v, err := newVerifier(key)
	if err != nil {
		return Head{}, err
	}
	return openHead(text, v)
}

// openHead parses text and checks its signature.
func openHead(text string, v note.Verifier) (Head, error) {
	h, err := splitHead(text)
	if err != nil {
		return Head{}, err
	}
	if _, err := note.Open([]byte(text), note.VerifierList(v)); err != nil {
		return Head{}, fmt.Errorf("signed head: %w", err)
	}
	if h.Origin != v.Name() {
		return Head{}, fmt.Errorf("signed head: origin %q, key of %q", h.Origin, v.Name())
	}
	return h, nil
}

// splitHead reads the fields of a head without checking its signature. It
// accepts one spelling only: decoders of numbers and base64 are lenient, and a
// byte that may change unnoticed is a byte that is not covered.
func splitHead(text string) (Head, error) {
	bad := errors.New("not a signed head")
	lines := strings.Split(text, "\n")
	h := Head{Note: text}
	var ok bool
	if len(lines) == 7 {
		if h.Synced, h.Boot, ok = parseUnsynced(lines[3]); !ok {
			return Head{}, bad
		}
		lines = slices.Delete(lines, 3, 4)
	}
	if len(lines) != 6 || lines[3] != "" || lines[5] != "" || lines[0] == "" {
		return Head{}, bad
	}
	if h.Size, ok = parseSize(lines[1]); !ok || h.Boot != "" && h.Synced >= h.Size {
		return Head{}, bad
	}
	root, err := base64.StdEncoding.Strict().DecodeString(lines[2])
	if err != nil || len(root) != tlog.HashSize {
		return Head{}, bad
	}
	sig, ok := strings.CutPrefix(lines[4], "— "+lines[0]+" ")
	if raw, err := base64.StdEncoding.Strict().DecodeString(sig); !ok || err != nil || len(raw) != 4+64 {
		return Head{}, bad
	}
	h.Origin, h.Root = lines[0], tlog.Hash(root)
	return h, nil
}

func parseSize(text string) (uint64, bool) {
	size, err := strconv.ParseUint(text, 10, 63)
	return size, err == nil && strconv.FormatUint(size, 10) == text
}

// unsynced begins the line of a head that has Synced and Boot, which the format leaves
// to the log (tlog-checkpoint: an extension line).
const unsynced = "unsynced "

func parseUnsynced(line string) (synced uint64, boot string, ok bool) {
	rest, ok := strings.CutPrefix(line, unsynced)
	size, boot, _ := strings.Cut(rest, " ")
	synced, isSize := parseSize(size)
	return synced, boot, ok && isSize && isBoot(boot)
}

// signHead signs h: the tree of its size has its root.
func signHead(s note.Signer, h Head) (Head, error) {
	h.Origin = s.Name()
	text := h.Origin + "\n" + strconv.FormatUint(h.Size, 10) + "\n" + h.Root.String() + "\n"
	if h.Boot != "" {
		text += unsynced + strconv.FormatUint(h.Synced, 10) + " " + h.Boot + "\n"
	}
	signed, err := note.Sign(&note.Note{Text: text}, s)
	if err != nil {
		return Head{}, fmt.Errorf("sign head: %w", err)
	}
	h.Note = string(signed)
	return h, nil
}

var headPrefix = []byte(`{"head":"`)

// appendLine appends the head as a line of a segment, without a newline.
func (h Head) appendLine(b []byte) []byte {
	return append(appendString(append(b, `{"head":`...), h.Note), '}')
}

// parseHeadLine reads a head line, without checking the signature.
func parseHeadLine(line []byte) (Head, error) {
	text, rest, ok := "", []byte(nil), false
	if quoted, found := bytes.CutPrefix(line, []byte(`{"head":`)); found {
		text, rest, ok = splitString(quoted)
	}
	if !ok || string(rest) != "}" {
		return Head{}, errors.New("not a signed head")
	}
	h, err := splitHead(text)
	if err == nil && !bytes.Equal(h.appendLine(nil), line) {
		err = errors.New("not a signed head as this program writes it")
	}
	return h, err
}

// padded is the content of the head file.
func (h Head) padded() ([]byte, error) {
	if len(h.Note) > headSize {
		return nil, bug(fmt.Errorf("head of %d bytes", len(h.Note)))
	}
	return append([]byte(h.Note), bytes.Repeat([]byte("\n"), headSize-len(h.Note))...), nil
}

// parseHeadFile reads the content of the head file, without checking the signature.
func parseHeadFile(b []byte) (Head, error) {
	text := strings.TrimRight(string(b), "\n") + "\n"
	h, err := splitHead(text)
	if err == nil && len(b) != headSize {
		err = errors.New("not a head file: wrong length")
	}
	return h, err
}
