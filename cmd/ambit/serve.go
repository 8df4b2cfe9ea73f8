package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/companion/start"
)

// hostProgram serves the API.
const hostProgram = "ambit-host"

// serveFlags are the flags of ambit serve.
type serveFlags struct {
	listen, cert, key, config string
	hosts                     []string
	standBy                   int
	keep                      time.Duration
	log                       string
}

// Of the sessions that stand by: each has some 15 MB.
const (
	standByUsual = 2
	standByMost  = 64
)

// Of how long what has ended is kept.
const (
	keepUsual = 7 * 24 * time.Hour
	keepLeast = time.Minute // so that who started it can read how it ended
)

func (a *app) serveCommand() *cobra.Command {
	f := &serveFlags{}
	cmd := &cobra.Command{
		Use:   "serve [flags]",
		Short: "Serve the API of this host, for your own programs",
		Long: `Serve the API on a unix socket in the state directory, host.sock: questions,
sessions, grants, the log, packs and this host. It is for your own programs: other
users are not served, and no sandbox is. Nothing listens on the network.

With --listen it is served on a port too, by TLS and never to anybody who is not
known: by a token (ambit token add), or by the link that is printed at a terminal.
A port without an address is loopback's. Without --tls-cert the certificate is one
that this host makes for itself; its fingerprint is printed. A certificate that is
named is read again at the signal HUP. With --config people log in by an OpenID
provider too, as that file says.

Everything else works as it does without it, on the same store. Sessions that were
started through the API go on when it ends.`,
		Example: `  ambit serve
  ambit serve --listen 8443
  ambit serve --listen 192.0.2.7:8443 --host ambit.example.org --tls-cert crt.pem --tls-key key.pem
  ambit serve --listen 8443 --config serve.json
  curl --unix-socket ~/.local/state/ambit/host.sock -H 'Content-Type: application/json' \
    -d '{}' http://ambit/ambit.v1.QuestionService/ListQuestions`,
		Args: nothing,
		RunE: func(*cobra.Command, []string) error { return a.serve(f) },
	}
	fl := cmd.Flags()
	fl.StringVar(&f.listen, "listen", "", "serve on this port too: `ADDR`, as in 8443 (of loopback) or 192.0.2.7:8443")
	fl.StringVar(&f.cert, "tls-cert", "", "the certificate of the port, and those it is signed by: `FILE` (PEM)")
	fl.StringVar(&f.key, "tls-key", "", "its key: `FILE` (PEM)")
	fl.StringVar(&f.config, "config", "", "how people log in on the port: `FILE` (JSON with comments)")
	fl.IntVar(&f.standBy, "stand-by", standByUsual, "keep `N` launchers ready, by which sessions begin sooner; each has some 15 MB")
	fl.DurationVar(&f.keep, "keep-sessions", keepUsual, "keep the output of sessions, and how they ended, for `DURATION` after their end")
	fl.StringVar(&f.log, "log-format", "text", "how lines on standard error are written: `text`, or json")
	fl.StringArrayVar(&f.hosts, "host", nil, "another name that the port may be called by: `NAME`, or NAME:PORT (may be repeated)")
	return cmd
}

// args are those of the program that serves.
func (f *serveFlags) args() (args []string, err error) {
	if f.standBy < 0 || f.standBy > standByMost {
		return nil, fmt.Errorf("--stand-by %d: want 0 to %d", f.standBy, standByMost)
	}
	if f.keep < keepLeast {
		return nil, fmt.Errorf("--keep-sessions %v: want at least %v", f.keep, keepLeast)
	}
	if f.log != "text" && f.log != "json" {
		return nil, fmt.Errorf("--log-format %q: want text or json", f.log)
	}
	args = []string{"--stand-by=" + strconv.Itoa(f.standBy), "--log-format=" + f.log, "--keep-sessions=" + f.keep.String()}
	if f.listen == "" {
		if f.cert != "" || f.key != "" || f.config != "" || len(f.hosts) > 0 {
			return nil, errors.New("--tls-cert, --tls-key, --config and --host are for a port; add --listen")
		}
		return args, nil
	}
	if (f.cert == "") != (f.key == "") {
		return nil, errors.New("--tls-cert and --tls-key go together")
	}
	args = append(args, "--listen="+f.listen)
	for flag, path := range map[string]string{"--tls-cert=": f.cert, "--tls-key=": f.key, "--config=": f.config} {
		if path == "" {
			continue
		}
		if path, err = filepath.Abs(path); err != nil {
			return nil, err
		}
		args = append(args, flag+path)
	}
	for _, h := range f.hosts {
		args = append(args, "--host="+h)
	}
	return args, nil
}

// serve becomes the program that serves: signals and the exit status are its own.
func (a *app) serve(f *serveFlags) error {
	args, err := f.args()
	if err != nil {
		return err
	}
	dir, err := a.makeState()
	if err != nil {
		return err
	}
	path, err := start.Path(hostProgram)
	if err != nil {
		return err
	}
	err = unix.Exec(path, append(append([]string{hostProgram}, args...), dir), os.Environ())
	return fmt.Errorf("start %s, which has to lie beside ambit: %w", hostProgram, err)
}

// isSessionID reports whether text is spelled as ids of sessions are.
func isSessionID(text string) bool {
	rest, ok := strings.CutPrefix(text, "s-")
	return ok && len(rest) == 10 && strings.Trim(rest, "abcdefghijklmnopqrstuvwxyz234567") == ""
}
