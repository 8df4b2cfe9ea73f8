package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"
	"golang.org/x/term"
)

func (a *app) logsCommand() *cobra.Command {
	var follow, raw, remove bool
	cmd := &cobra.Command{
		Use:   "logs SESSION",
		Short: "Print what a session wrote, where that is kept",
		Long: `Print what a session that was started with ambit run --keep-output wrote, to its
standard output and error, as it came. It is kept until it is removed, and up to 16
MiB. On a terminal, what could take that over is shown as text; --raw prints it as it
is.`,
		Example: `  ambit logs s-7f3ak2mq5x
  ambit logs --follow s-7f3ak2mq5x
  ambit logs --rm s-7f3ak2mq5x`,
		Args:              exactly(1, "a session; `ambit ps --all` lists them"),
		ValidArgsFunction: a.completeKept,
		RunE: func(cmd *cobra.Command, args []string) error {
			if remove {
				return a.removeKept(args[0])
			}
			return a.printKept(cmd.Context(), args[0], raw, follow)
		},
	}
	cmd.Flags().BoolVarP(&follow, "follow", "f", false, "go on until the session has ended")
	cmd.Flags().BoolVar(&raw, "raw", false, "print it as it is, on a terminal too")
	cmd.Flags().BoolVar(&remove, "rm", false, "remove what is kept")
	return cmd
}

func (a *app) attachCommand() *cobra.Command {
	var raw, input bool
	cmd := &cobra.Command{
		Use:   "attach SESSION",
		Short: "Print what a session writes from now on, until it ends",
		Long: `Print what a session that was started with ambit run --keep-output, or through the
API of a host, writes from now on, and end with its exit status. Ctrl-C ends only
this: the session goes on.

A session that was started through the API with a terminal is typed to from yours:
all keys go to it, Ctrl-C too, and it has your terminal's size. Ctrl-] leaves it. The
input of other sessions stays where they were started; ambit exec starts a program
that can be typed to.`,
		Example: `  ambit attach s-7f3ak2mq5x
  ambit attach --raw s-7f3ak2mq5x
  echo ls | ambit attach --input s-7f3ak2mq5x`,
		Args:              exactly(1, "a session; `ambit ps` lists them"),
		ValidArgsFunction: a.completeFirstSession,
		RunE:              func(cmd *cobra.Command, args []string) error { return a.attach(cmd.Context(), args[0], raw, input) },
	}
	cmd.Flags().BoolVar(&input, "input", false, "type what comes on standard input, which is no terminal")
	cmd.Flags().BoolVar(&raw, "raw", false, "print it as it is, on a terminal too")
	return cmd
}

// openKept opens what is kept of a session.
func (a *app) openKept(session string) (*os.File, error) {
	at, err := a.keptAt(session)
	if err != nil {
		return nil, err
	}
	f, err := os.OpenFile(at, os.O_RDONLY|unix.O_NOFOLLOW, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("nothing that the session %s wrote is kept; `ambit run --keep-output` keeps it", shellWord(session))
	}
	return f, err
}

func (a *app) keptAt(session string) (string, error) {
	dir, err := a.state()
	if err == nil && (session == "" || filepath.Base(session) != session || session[0] == '.') {
		err = fmt.Errorf("%s is no session", shellWord(session))
	}
	return filepath.Join(dir, outputDir, session), err
}

func (a *app) removeKept(session string) error {
	at, err := a.keptAt(session)
	if err != nil {
		return err
	}
	if err := os.Remove(at); err != nil {
		return fmt.Errorf("remove what the session %s wrote: %w", shellWord(session), err)
	}
	return nil
}

func (a *app) printKept(ctx context.Context, session string, raw, follow bool) error {
	f, err := a.openKept(session)
	if err != nil {
		return err
	}
	defer f.Close()
	p := a.newPrinter(raw)
	if follow {
		if ended, err := a.ended(ctx, session); err == nil { // or it has ended
			_, err := p.follow(f, ended)
			return err
		}
	}
	return errors.Join(p.all(f), p.flush())
}

func (a *app) attach(ctx context.Context, session string, raw, input bool) error {
	if handled, err := a.attachKept(ctx, session, raw, input); handled {
		return err
	}
	if input {
		return fmt.Errorf("the session %s was not started through the API with a terminal", shellWord(session))
	}
	f, err := a.openKept(session)
	if err != nil {
		return err
	}
	defer f.Close()
	ended, err := a.ended(ctx, session)
	if err != nil {
		return err
	}
	if _, err := f.Seek(0, io.SeekEnd); err != nil {
		return err
	}
	end, err := a.newPrinter(raw).follow(f, ended)
	if err == nil && end == nil {
		err = fmt.Errorf("the session %s has ended: what looked after it was killed", session)
	}
	return errors.Join(err, end.err(session))
}

// ended answers the end of a session that runs: nothing comes where it was killed.
func (a *app) ended(ctx context.Context, session string) (<-chan *ending, error) {
	w, err := a.reach(ctx, session, order{Verb: verbWait})
	if err != nil {
		return nil, err
	}
	c := make(chan *ending, 1)
	go func() {
		defer close(c)
		defer w.c.Close() //nolint:errcheck // all was said
		var r controlAnswer
		if files, err := w.receive(&r); err == nil {
			closeAll(files)
			c <- r.Ended
		}
	}()
	return c, nil
}

// A printer prints what a program wrote.
type printer struct {
	to   io.Writer
	safe bool
	part []byte // a line that has not ended
}

// newPrinter makes one that keeps the terminal, if it is one, unless raw is set.
func (a *app) newPrinter(raw bool) *printer {
	return &printer{to: a.out, safe: !raw && term.IsTerminal(int(a.out.Fd()))}
}

// longestPart is the longest piece of a line that is waited for.
const longestPart = 4096

func (p *printer) print(b []byte) error {
	if !p.safe {
		_, err := p.to.Write(b)
		return err
	}
	p.part = append(p.part, b...)
	for {
		i := bytes.IndexByte(p.part, '\n')
		if i < 0 && len(p.part) < longestPart {
			return nil
		}
		line, end := p.part, ""
		if i >= 0 {
			line, end = p.part[:i], "\n"
		}
		if _, err := io.WriteString(p.to, printableLine(strings.TrimSuffix(string(line), "\r"))+end); err != nil {
			return err
		}
		p.part = p.part[min(len(p.part), len(line)+len(end)):]
	}
}

func (p *printer) flush() error {
	line := p.part
	p.part = nil
	if len(line) == 0 {
		return nil
	}
	_, err := io.WriteString(p.to, printableLine(string(line)))
	return err
}

// all prints what there is.
func (p *printer) all(f *os.File) error {
	buf := make([]byte, 64<<10)
	for {
		n, err := f.Read(buf)
		if e := p.print(buf[:n]); e != nil {
			return e
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// lookEvery is how often it is looked for more.
const lookEvery = 50 * time.Millisecond

// follow prints until a session has ended, and then what is left.
func (p *printer) follow(f *os.File, ended <-chan *ending) (end *ending, err error) {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for over := false; ; {
		if err := p.all(f); err != nil {
			return nil, err
		}
		if over {
			return end, p.flush()
		}
		select {
		case end = <-ended:
			over = true
		case <-tick.C:
		}
	}
}

// completeKept completes sessions of which output is kept.
func (a *app) completeKept(_ *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
	dir, err := a.state()
	if err != nil || len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	entries, _ := os.ReadDir(filepath.Join(dir, outputDir)) // one that is not there offers nothing
	var ids []cobra.Completion
	for _, e := range entries {
		ids = append(ids, e.Name())
	}
	return ids, cobra.ShellCompDirectiveNoFileComp
}
