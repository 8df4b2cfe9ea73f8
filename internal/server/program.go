package server

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	pb "ambit.dev/ambit/api/ambit/v1"
	"ambit.dev/ambit/internal/keep"
)

// A programRequest starts a program: a session, or another one in a session.
type programRequest interface {
	proto.Message
	GetIdempotencyKey() string
	GetArgv() []string
	GetEnv() map[string]string
	GetDir() string
	GetStdin() []byte
	GetTerminal() *pb.Terminal
}

// maxStdin bounds what is kept of a request for a program to read.
const maxStdin = 1 << 20

// plain refuses what no command line can have. Texts that are in some such requests
// only are in more.
func plain(r programRequest, more ...[]string) error {
	switch {
	case len(r.GetIdempotencyKey()) > 128:
		return invalid("idempotency_key: at most 128 characters")
	case r.GetDir() != "" && !filepath.IsAbs(r.GetDir()):
		return invalid("dir: expected an absolute path")
	case len(r.GetStdin()) > maxStdin:
		return invalid("stdin: at most 1 MiB")
	case r.GetTerminal() != nil && len(r.GetStdin()) > 0:
		return invalid("terminal: a program that has one reads from it, and not stdin")
	}
	for name := range r.GetEnv() {
		if name == "" || strings.ContainsRune(name, '=') {
			return invalid("env: expected names of variables")
		}
	}
	all := slices.Concat(append(more, r.GetArgv(), pairs(r.GetEnv()), []string{r.GetDir(), r.GetTerminal().GetTerm()})...)
	if slices.ContainsFunc(all, func(s string) bool { return strings.ContainsRune(s, 0) }) {
		return invalid("a text has a NUL in it")
	}
	return nil
}

// terminalOf is the size of the terminal that a request wants, and the argument that
// tells the program of it; nil: none.
func terminalOf(r programRequest) (size *keep.Size, args []string, err error) {
	t := r.GetTerminal()
	if t == nil {
		return nil, nil, nil
	}
	given, err := sizeOf(t.GetRows(), t.GetColumns())
	return &given, []string{"--env=TERM=" + cmp.Or(t.GetTerm(), defaultTerm)}, err
}

// digestOf is that of a request, to compare another one with.
func digestOf(r programRequest) (string, error) {
	text, err := proto.MarshalOptions{Deterministic: true}.Marshal(r)
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:]), err
}

func pairs(m map[string]string) (all []string) {
	for _, name := range slices.Sorted(maps.Keys(m)) {
		all = append(all, name+"="+m[name])
	}
	return all
}
