package main

import (
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/companion/start"
)

// hostProgram serves the API.
const hostProgram = "ambit-host"

func (a *app) serveCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "serve",
		Short: "Serve the API of this host, for your own programs",
		Long: `Serve the API on a unix socket in the state directory, host.sock: questions,
sessions, grants, the log, packs and this host. It is for your own programs: other
users are not served, and no sandbox is. Nothing listens on the network.

Everything else works as it does without it, on the same store. Sessions that were
started through the API go on when it ends.`,
		Example: `  ambit serve
  AMBIT_STATE_DIR=/srv/ambit ambit serve
  curl --unix-socket ~/.local/state/ambit/host.sock -H 'Content-Type: application/json' \
    -d '{}' http://ambit/ambit.v1.QuestionService/ListQuestions`,
		Args: nothing,
		RunE: func(*cobra.Command, []string) error { return a.serve() },
	}
}

// serve becomes the program that serves: signals and the exit status are its own.
func (a *app) serve() error {
	dir, err := a.makeState()
	if err != nil {
		return err
	}
	path, err := start.Path(hostProgram)
	if err != nil {
		return err
	}
	err = unix.Exec(path, []string{hostProgram, dir}, os.Environ())
	return fmt.Errorf("start %s, which has to lie beside ambit: %w", hostProgram, err)
}

// isSessionID reports whether text is spelled as ids of sessions are.
func isSessionID(text string) bool {
	rest, ok := strings.CutPrefix(text, "s-")
	return ok && len(rest) == 10 && strings.Trim(rest, "abcdefghijklmnopqrstuvwxyz234567") == ""
}
