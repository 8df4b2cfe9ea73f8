package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"ambit.dev/ambit/internal/audit"
	"ambit.dev/ambit/internal/core/capability"
	"ambit.dev/ambit/internal/core/principal"
	"ambit.dev/ambit/internal/enforce"
	"ambit.dev/ambit/internal/enforce/process"
	"ambit.dev/ambit/internal/enforce/view"
	"ambit.dev/ambit/internal/store"
	"ambit.dev/ambit/internal/token"
)

// Exit statuses of our own. Any other is the program's.
const (
	exitFailed   = 125 // ambit could not confine or start it, or its input was bad
	exitDenied   = 126 // the launch was denied
	exitNotFound = 127 // there is no such command
)

// An exitError ends ambit with a status. Without an error nothing is printed.
type exitError struct {
	status int
	err    error
}

func (e *exitError) Error() string {
	if e.err == nil {
		return "exit status " + strconv.Itoa(e.status)
	}
	return e.err.Error()
}

func (e *exitError) Unwrap() error { return e.err }

// app is what every command shares: where to read and write, and where the
// state lies.
type app struct {
	in       *os.File
	out, err *os.File
	stateDir string
	org      string // that it acts for; "": none
	json     bool
	kept     *kept        // of the output of a run; nil: it is not
	early    process.Tier // begun while this launcher stood by
	belongs  *belonging   // to which trace it belongs, where it was told so; nil: its environment says it
	stood    stood        // what it read meanwhile
	claimed  func() error // says whether what it was told to launch is its own; nil: it did not stand by
	now      func() time.Time
	database store.Database
}

// stdio are the program's standard descriptors: ambit's own, or what is kept goes
// through.
func (a *app) stdio() enforce.Stdio {
	if a.kept != nil {
		return a.kept.stdio
	}
	return enforce.Stdio{In: a.in, Out: a.out, Err: a.err}
}

// run runs one command line and answers the exit status.
func run(args []string, in, out, errOut *os.File) int {
	a := &app{in: in, out: out, err: errOut, now: time.Now}
	if state, ok := standsBy(args); ok {
		return a.runStandBy(state)
	}
	return a.execute(args)
}

func (a *app) execute(args []string) int {
	root := a.root(args)
	root.SetArgs(args)
	root.SetIn(a.in)
	root.SetOut(a.out)
	root.SetErr(a.err)
	err := root.Execute()
	if err == nil {
		return 0
	}
	status := exitFailed
	if exit, ok := errors.AsType[*exitError](err); ok {
		status = exit.status
		err = exit.err
	}
	if err != nil {
		fmt.Fprintf(a.err, "ambit: %v\n", err)
	}
	return status
}

// root makes the command tree. A run needs none of the other commands, and
// making them is time that every run would pay.
func (a *app) root(args []string) *cobra.Command {
	root := group(&cobra.Command{
		Use:   "ambit",
		Short: "Run software that nobody has reason to trust, with exactly the capabilities it was granted",
		Example: `  ambit run -- python3 script.py                    nothing of yours is there
  ambit run --allow fs.read:. -- grep -r TODO .     it may read this folder
  ambit audit ls                                    what was decided and denied
  ambit doctor                                      what holds on this machine`,
		SilenceUsage:  true,
		SilenceErrors: true,
	})
	root.SetFlagErrorFunc(flagError)
	root.PersistentFlags().StringVar(&a.stateDir, "state-dir", "", "where grants and the log are kept (default $AMBIT_STATE_DIR, else $XDG_STATE_HOME/ambit)")
	root.PersistentFlags().BoolVar(&a.json, "json", false, "print JSON")
	root.PersistentFlags().StringVar(&a.org, "org", "", "act for the organisation `NAME`, with its grants and for its people alone")
	root.PersistentPreRunE = func(cmd *cobra.Command, _ []string) error { return a.checkOrg(cmd) }
	root.AddCommand(a.runCommand())
	if len(args) > 0 && args[0] == "run" {
		root.CompletionOptions.DisableDefaultCmd = true // a command too
		return root
	}
	root.AddCommand(a.otherCommands()...)
	a.completeRun(root)
	completeAudit(root)
	completeLearn(root)
	return root
}

// ofOrgs are the commands that can be for an organisation, without "ambit". What others
// change is the machine's.
var ofOrgs = []string{"run", "stop", "pause", "resume", "why", "approve", "session diff", "session apply", "session drop", "files ls", "files stat", "files read", "files write", "files rm", "files mkdir", "grants ls", "grants add", "grants revoke", "pack ls", "pack check", "pack show", "storage ls", "storage show", "storage cat", "storage rm", "storage restore", "storage adopt", "token add"}

// checkOrg refuses what would leave out whom it is for.
func (a *app) checkOrg(cmd *cobra.Command) error {
	if !cmd.Flags().Changed("org") {
		return nil
	}
	_, name, _ := strings.Cut(cmd.CommandPath(), " ")
	if !slices.Contains(ofOrgs, name) {
		return fmt.Errorf("--org: ambit %s is for the whole machine", name)
	}
	return token.Org(a.org)
}

// state is the directory of grants and log.
func (a *app) state() (string, error) {
	dir := a.stateDir
	if dir == "" {
		dir = os.Getenv("AMBIT_STATE_DIR")
	}
	if dir == "" {
		if xdg := os.Getenv("XDG_STATE_HOME"); filepath.IsAbs(xdg) {
			dir = filepath.Join(xdg, "ambit")
		}
	}
	if dir == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			return "", fmt.Errorf("find the state directory: %w; set AMBIT_STATE_DIR", err)
		}
		dir = filepath.Join(home, ".local", "state", "ambit")
	}
	return filepath.Abs(dir)
}

// makeState is state, and makes it where it is not there.
func (a *app) makeState() (string, error) {
	dir, err := a.state()
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", fmt.Errorf("make the state directory: %w", err)
	}
	return dir, nil
}

// openLog opens the audit log, making it where there is none.
func (a *app) openLog() (*audit.Log, error) {
	dir, err := a.makeState()
	if err != nil {
		return nil, err
	}
	dir = filepath.Join(dir, "audit")
	if l, ok := a.stood.log.Log(dir, a.trace().parent); ok {
		return l, nil
	}
	l, err := audit.Open(dir, audit.Options{Waits: a.waits, Trace: a.trace().parent})
	if err != nil {
		return nil, fmt.Errorf("the audit log cannot be written: %w", err)
	}
	return l, nil
}

// waits tells a person that another process has the log, and what to do.
func (a *app) waits(h audit.Holder) {
	who := "another process"
	if h.PID != 0 {
		who = fmt.Sprintf("process %d (%s)", h.PID, capability.Printable(h.Program))
	}
	switch {
	case h.Stopped:
		printf(a.err, "ambit: waiting for the audit log: %s holds it and is stopped; `kill -CONT %d` lets it go on, `kill -KILL %d` ends it\n", who, h.PID, h.PID)
	default:
		printf(a.err, "ambit: waiting for the audit log: %s holds it\n", who)
	}
}

// sessionList is the file that the list of sessions is kept in.
const sessionList = "sessions.db"

// openList opens the list of sessions, making it where there is none.
func (a *app) openList() (*store.List, error) {
	dir, err := a.state()
	if err != nil {
		return nil, err
	}
	return a.database.OpenList(filepath.Join(dir, sessionList))
}

// noteSession puts a session that has begun or ended on the list.
func (a *app) noteSession(n store.Session) (full bool, err error) {
	dir, err := a.state()
	if err != nil {
		return false, err
	}
	return store.Note(filepath.Join(dir, sessionList), n)
}

// grantsStore is the file that grants are kept in.
const grantsStore = "ambit.db"

// openStore opens the store of grants, making it where there is none.
func (a *app) openStore() (*store.Store, error) {
	dir, err := a.makeState()
	if err != nil {
		return nil, err
	}
	return a.database.Open(filepath.Join(dir, grantsStore))
}

// auditDir is where the log lies.
func (a *app) auditDir() (string, error) {
	dir, err := a.state()
	return filepath.Join(dir, "audit"), err
}

// operator names who runs this machine, in grants and records.
func operator() string { return principal.User(os.Getuid()) }

// principal names in grants and records whose what is done is: the person's, or that of
// the organisation that --org names.
func (a *app) principal() string { return principal.Of(operator(), a.org) }

// sees reports whether what somebody owns is there for this command.
func (a *app) sees(owner string) bool { return principal.Sees(a.principal(), owner) }

// who describes the person to the view. HOME may be unset or strange; then
// there is no home.
func who() view.Who {
	home, err := os.UserHomeDir()
	if err != nil || !filepath.IsAbs(home) {
		home = ""
	} else {
		home = filepath.Clean(home)
	}
	name := os.Getenv("USER")
	if !plainName(name) {
		name = "user"
	}
	return view.Who{Name: name, UID: os.Getuid(), GID: os.Getgid(), Home: home}
}

// plainName keeps what goes into a passwd file harmless.
func plainName(s string) bool {
	for _, r := range s {
		if (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' && r != '_' && r != '.' {
			return false
		}
	}
	return s != "" && len(s) <= 32
}

// base is what ~ and relative paths on the command line mean.
func base() (capability.Base, error) {
	dir, err := os.Getwd()
	if err != nil {
		return capability.Base{}, fmt.Errorf("find the working directory: %w", err)
	}
	return capability.Base{Home: who().Home, Dir: dir}, nil
}

// printf writes for people.
func printf(w io.Writer, format string, args ...any) {
	fmt.Fprintf(w, format, args...) // a closed terminal has nobody to tell
}
