package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"syscall"

	"github.com/spf13/cobra"

	"ambit.dev/ambit/internal/core/capability"
	"ambit.dev/ambit/internal/inside"
)

func (a *app) filesCommand() *cobra.Command {
	cmd := group(&cobra.Command{
		Use:   "files",
		Short: "List, read, write and remove files of a session that runs",
		Long: `List, read, write and remove files of a session that runs, one at a time.

A path is absolute, and walked inside, with the rights that the session's programs
have: what they may not read or write cannot be read or written by this either. Only
files and folders are opened: no pipe, no socket and no device. Reading, writing,
removing and making are recorded before they are done.`,
		Example: `  ambit files ls s-7f3ak2mq5x:/tmp
  ambit files read s-7f3ak2mq5x:/tmp/report.txt
  ambit files write s-7f3ak2mq5x:/tmp/data.csv < data.csv`,
	})
	cmd.AddCommand(a.filesList(), a.filesStat(), a.filesRead(), a.filesWrite(), a.filesRemove(), a.filesMake())
	return cmd
}

// A looker looks after files of a session.
type looker interface {
	List(name, after string, limit int) (inside.Page, error)
	Stat(name string) (inside.Entry, error)
	Read(name string, to io.Writer, offset, length int64) (inside.Copied, error)
	Write(name string, from io.Reader) (int64, error)
	Remove(name string, folder bool) error
	RemoveAll(name string) (names int, err error)
	Mkdir(name string) error
}

// ofSession makes a command about one path of a session. Why something is refused is told
// to tell, for programs.
func (a *app) ofSession(cmd *cobra.Command, tell io.Writer, do func(context.Context, looker, string) error) *cobra.Command {
	cmd.Use += " SESSION:PATH"
	cmd.Args = exactly(1, "SESSION:PATH")
	cmd.ValidArgsFunction = a.completeCopy
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		session, name, ok := sessionPath(args[0])
		if !ok {
			return fmt.Errorf("%s is not SESSION:PATH", shellWord(args[0]))
		}
		if a.org != "" { // whose sessions alone are there
			if _, err := a.toStop(cmd.Context(), []string{session}); err != nil {
				return err
			}
		}
		in, err := a.looks(cmd.Context(), session)
		if err == nil {
			err = do(cmd.Context(), in, name)
		}
		if errno, ok := errors.AsType[syscall.Errno](err); ok && a.json {
			return errors.Join(err, writeLine(tell, filesRefused{int(errno)}))
		}
		return err
	}
	return cmd
}

// filesRefused says for programs why something could not be done.
type filesRefused struct {
	Errno int `json:"errno"`
}

// filesGone says for programs how many names were removed.
type filesGone struct {
	Names int `json:"names"`
}

func (a *app) filesList() *cobra.Command {
	var after string
	var limit int
	cmd := a.ofSession(&cobra.Command{
		Use:   "ls",
		Short: "List what is in a folder of a session",
		Long: `List what is in a folder of a session, in the order of the names. Links are listed,
and not followed. Where a view asks, or a folder only grows, names alone are known.`,
		Example: "  ambit files ls s-7f3ak2mq5x:/tmp\n  ambit files ls --json s-7f3ak2mq5x:/tmp | jq -r '.entries[].name'",
	}, a.out, func(_ context.Context, in looker, name string) error {
		if limit < 1 {
			return fmt.Errorf("--limit %d: want at least 1", limit)
		}
		p, err := in.List(name, after, limit)
		if err != nil {
			return err
		}
		if a.json {
			return a.printJSON(p)
		}
		var cells [][]string
		for _, e := range p.Entries {
			shown := e.Name
			if e.Target != "" {
				shown += " -> " + e.Target
			}
			cells = append(cells, []string{e.Type, fmt.Sprint(e.Size), e.Modified.Local().Format(minute), capability.Printable(shown)})
		}
		if p.More {
			printf(a.err, "There is more: --after, --limit.\n")
		}
		return table(a.out, []string{"TYPE", "SIZE", "MODIFIED", "NAME"}, cells)
	})
	cmd.Flags().StringVar(&after, "after", "", "begin behind this `name`")
	cmd.Flags().IntVar(&limit, "limit", inside.MostNames, "list `N` names at most")
	return cmd
}

func (a *app) filesStat() *cobra.Command {
	return a.ofSession(&cobra.Command{
		Use:     "stat",
		Short:   "Say what a path of a session is",
		Long:    "Say what a path of a session is: its type, size, mode and when it was changed. A link\nat its end is not followed.",
		Example: "  ambit files stat s-7f3ak2mq5x:/tmp/report.txt\n  ambit files stat --json s-7f3ak2mq5x:/tmp/report.txt | jq .size",
	}, a.out, func(_ context.Context, in looker, name string) error {
		e, err := in.Stat(name)
		if err != nil {
			return err
		}
		if a.json {
			return a.printJSON(e)
		}
		printf(a.out, "%s, %d bytes, mode %04o, changed %s\n", e.Type, e.Size, e.Mode, e.Modified.Local().Format(minute))
		return nil
	})
}

func (a *app) filesRead() *cobra.Command {
	var offset, length int64
	cmd := a.ofSession(&cobra.Command{
		Use:   "read",
		Short: "Print a file of a session, or a part of it",
		Long: `Print a file of a session as it is, or a part of it: as much as it has when it is
opened. Where it is changed meanwhile, that is said. What it prints can be anything: do
not let a terminal show it.`,
		Example: "  ambit files read s-7f3ak2mq5x:/tmp/report.pdf > report.pdf\n  ambit files read --offset 1024 --length 512 s-7f3ak2mq5x:/tmp/log",
	}, a.err, func(_ context.Context, in looker, name string) error {
		if offset < 0 || length < 0 {
			return errors.New("--offset, --length: want bytes")
		}
		c, err := in.Read(name, a.out, offset, length)
		if err != nil {
			return err
		}
		if a.json { // standard output has the file
			return writeLine(a.err, c)
		}
		if c.Changed {
			printf(a.err, "ambit: %s was changed while it was read\n", shellWord(name))
		}
		return nil
	})
	cmd.Flags().Int64Var(&offset, "offset", 0, "begin at this `byte`")
	cmd.Flags().Int64Var(&length, "length", 0, "`bytes` at most; 0: to the end")
	return cmd
}

func (a *app) filesWrite() *cobra.Command {
	cmd := a.ofSession(&cobra.Command{
		Use:   "write",
		Short: "Make a file of a session of what comes on standard input",
		Long: `Make a file of a session of what comes on standard input, or put it in the place of
one that is there. It is written aside and renamed when it is whole; a link is
replaced and not followed. It is at most as large as files of the session may be.
Where files only grow, a new one is written in its place, and none is replaced.`,
		Example: "  ambit files write s-7f3ak2mq5x:/tmp/data.csv < data.csv\n  date | ambit files write s-7f3ak2mq5x:/tmp/now",
	}, a.out, func(_ context.Context, in looker, name string) error {
		n, err := in.Write(name, a.in)
		if err == nil && a.json {
			return a.printJSON(inside.Copied{Bytes: n, Size: n})
		}
		return err
	})
	return cmd
}

func (a *app) filesRemove() *cobra.Command {
	var folder, all bool
	cmd := a.ofSession(&cobra.Command{
		Use:   "rm",
		Short: "Remove a file or a folder of a session",
		Long: `Remove a file of a session, with --folder a folder in which nothing is, or with
--recursive a folder with what is in it. Where something in it may not be removed,
since it is denied, granted by itself, or somebody else's, that is said, and nothing
is removed. No link is followed.`,
		Example: "  ambit files rm s-7f3ak2mq5x:/tmp/data.csv\n  ambit files rm --folder s-7f3ak2mq5x:/tmp/empty\n  ambit files rm -r s-7f3ak2mq5x:/tmp/build",
	}, a.out, func(_ context.Context, in looker, name string) (err error) {
		gone := filesGone{1}
		if all {
			gone.Names, err = in.RemoveAll(name)
		} else {
			err = in.Remove(name, folder)
		}
		if err == nil && a.json {
			return a.printJSON(gone)
		}
		return err
	})
	cmd.Flags().BoolVar(&folder, "folder", false, "it is a folder, and empty")
	cmd.Flags().BoolVarP(&all, "recursive", "r", false, "it is a folder, and goes with what is in it")
	return cmd
}

func (a *app) filesMake() *cobra.Command {
	return a.ofSession(&cobra.Command{
		Use:     "mkdir",
		Short:   "Make a folder in a session",
		Long:    "Make a folder in a session, in one that is there.",
		Example: "  ambit files mkdir s-7f3ak2mq5x:/tmp/in\n  ambit files mkdir s-7f3ak2mq5x:/tmp/in/deeper",
	}, a.out, func(_ context.Context, in looker, name string) error {
		err := in.Mkdir(name)
		if err == nil && a.json {
			return a.printJSON(struct{}{})
		}
		return err
	})
}
