package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"ambit.dev/ambit/internal/audit"
	"ambit.dev/ambit/internal/core/capability"
	"ambit.dev/ambit/internal/storage"
)

func (a *app) storageCommand() *cobra.Command {
	cmd := group(&cobra.Command{
		Use:   "storage",
		Short: "Look at what packs have stored, and restore or remove it",
		Long: `A program that was granted storage.read:KEY and storage.write:KEY has a file for
KEY in /ambit/storage. What it writes there is committed as a whole when it closes
the file, outlives its session, and is in the log. Each pack has values of its own;
runs without a pack share theirs. These commands are for people: they show what is
stored, with its versions, and bring old ones back.`,
		Example: `  ambit run --allow storage.write:count --allow storage.read:count -- \
            sh -c 'echo 1 > /ambit/storage/count'
  ambit storage ls
  ambit storage restore count 1
  ambit storage cat --pack org.example.notes drafts/today`,
	})
	cmd.AddCommand(a.storageList(), a.storageShow(), a.storageCat(), a.storageRemove(), a.storageRestore(), a.storageAdopt())
	return cmd
}

// A storedFlags says whose values are meant.
type storedFlags struct{ pack string }

func (f *storedFlags) add(a *app, cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.pack, "pack", "", "of the pack with this `ID`; without it, of runs without a pack")
	_ = cmd.RegisterFlagCompletionFunc("pack", a.completePacks)
}

// space is what is stored for whom the flags name.
func (a *app) space(f storedFlags) (*storage.Space, error) {
	dir, err := a.storageDir()
	if err != nil {
		return nil, err
	}
	s, err := storage.Find(dir, storage.Owner{Principal: a.principal(), Pack: f.pack})
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("nothing is stored %s", ofPack(f.pack))
	}
	return s, err
}

func ofPack(id string) string {
	if id == "" {
		return "by runs without a pack"
	}
	return "by the pack " + shellWord(id)
}

// storedLine is one value of a list.
type storedLine struct {
	storage.Owner
	Key      string    `json:"key"`
	Version  int64     `json:"version"`
	Size     int64     `json:"size"`
	Digest   string    `json:"digest,omitempty"`
	Time     time.Time `json:"time"`
	Session  string    `json:"session,omitempty"`
	Removed  bool      `json:"removed,omitempty"`
	Versions int       `json:"versions"`
	Bytes    int64     `json:"bytes"` // of all versions
}

func (a *app) storageList() *cobra.Command {
	pack := ""
	cmd := &cobra.Command{
		Use:     "ls [flags]",
		Short:   "List what is stored, of all packs and of runs without one",
		Example: "  ambit storage ls\n  ambit storage ls --pack org.example.notes\n  ambit storage ls --json",
		Args:    nothing,
		RunE: func(cmd *cobra.Command, _ []string) error {
			lines, err := a.storedLines(func(o storage.Owner) bool { return !cmd.Flags().Changed("pack") || o.Pack == pack })
			if err != nil {
				return err
			}
			if a.json {
				return a.printJSON(append([]storedLine{}, lines...))
			}
			if len(lines) == 0 {
				printf(a.err, "Nothing is stored.\n")
				return nil
			}
			var rows [][]string
			for _, l := range lines {
				whose, what := l.Pack, strconv.FormatInt(l.Size, 10)
				switch {
				case !l.Left.IsZero():
					whose += " (removed " + l.Left.Local().Format(minute) + ")"
				case whose == "":
					whose = "-"
				}
				if l.Removed {
					what = "removed"
				}
				rows = append(rows, []string{whose, l.Key, strconv.FormatInt(l.Version, 10), what, strconv.Itoa(l.Versions), l.Time.Local().Format(minute), l.Session})
			}
			return table(a.out, []string{"PACK", "KEY", "VERSION", "BYTES", "KEPT", "CHANGED", "SESSION"}, rows)
		},
	}
	cmd.Flags().StringVar(&pack, "pack", "", "only of the pack with this `ID`; '' for runs without one")
	_ = cmd.RegisterFlagCompletionFunc("pack", a.completePacks)
	return cmd
}

// storedLines are the values of owners that this command sees.
func (a *app) storedLines(of func(storage.Owner) bool) (lines []storedLine, err error) {
	dir, err := a.storageDir()
	if err != nil {
		return nil, err
	}
	owners, err := storage.All(dir)
	if err != nil {
		return nil, err
	}
	for _, o := range owners {
		if !a.sees(o.Principal) || !of(o) {
			continue
		}
		s, err := storage.Find(dir, o)
		if errors.Is(err, fs.ErrNotExist) {
			continue // removed meanwhile
		}
		var all []storage.Value
		if err == nil {
			all, err = s.List()
		}
		if err != nil {
			return nil, err
		}
		for _, v := range all {
			last := v.Versions[len(v.Versions)-1]
			lines = append(lines, storedLine{Owner: o, Key: v.Key, Version: last.Number, Size: last.Size, Digest: last.Digest, Time: last.Time,
				Session: last.Session, Removed: last.Removed, Versions: len(v.Versions), Bytes: v.Bytes()})
		}
	}
	slices.SortStableFunc(lines, func(x, y storedLine) int { return slices.Compare([]string{x.Pack, x.Key}, []string{y.Pack, y.Key}) })
	return lines, nil
}

func (a *app) storageShow() *cobra.Command {
	f := &storedFlags{}
	cmd := &cobra.Command{
		Use:     "show [flags] KEY",
		Short:   "Show the versions of a stored value",
		Example: "  ambit storage show count\n  ambit storage show --pack org.example.notes --json drafts/today",
		Args:    exactly(1, "a key; `ambit storage ls` lists them"),
		RunE: func(_ *cobra.Command, args []string) error {
			v, _, err := a.storedValue(*f, args[0])
			if err != nil {
				return err
			}
			if a.json {
				return a.printJSON(v)
			}
			var rows [][]string
			for _, ver := range v.Versions {
				what := strconv.FormatInt(ver.Size, 10)
				if ver.Removed {
					what = "removed"
				}
				who := ver.Session
				if who == "" {
					who = "-"
				}
				rows = append(rows, []string{strconv.FormatInt(ver.Number, 10), what, ver.Time.Local().Format(minute), who, ver.Digest})
			}
			return table(a.out, []string{"VERSION", "BYTES", "COMMITTED", "SESSION", "DIGEST"}, rows)
		},
	}
	f.add(a, cmd)
	return cmd
}

func (a *app) storedValue(f storedFlags, key string) (storage.Value, *storage.Space, error) {
	s, err := a.space(f)
	if err != nil {
		return storage.Value{}, nil, err
	}
	v, err := s.Get(key)
	if errors.Is(err, fs.ErrNotExist) {
		err = fmt.Errorf("nothing is stored under %s %s", shellWord(key), ofPack(f.pack))
	}
	return v, s, err
}

func (a *app) storageCat() *cobra.Command {
	f, number, offset := &storedFlags{}, int64(0), int64(0)
	cmd := &cobra.Command{
		Use:   "cat [flags] KEY",
		Short: "Write a stored value to standard output",
		Long: `Write what is stored under a key to standard output, byte for byte. A program wrote
it: on a terminal it may say anything. With --json it is at most 1 MiB, in base64.`,
		Example: "  ambit storage cat count\n  ambit storage cat --version 3 count > before",
		Args:    exactly(1, "a key; `ambit storage ls` lists them"),
		RunE: func(_ *cobra.Command, args []string) error {
			v, s, err := a.storedValue(*f, args[0])
			if err != nil {
				return err
			}
			ver, ok := v.Current()
			if number != 0 {
				ver, ok = v.Find(number)
			}
			if !ok {
				return fmt.Errorf("there is no such version of %s; `ambit storage show` lists them", shellWord(args[0]))
			}
			file, err := s.OpenVersion(v.Key, ver)
			if err != nil {
				return err
			}
			defer file.Close()
			if a.json {
				return a.printPart(file, ver, offset)
			}
			if _, err := file.Seek(offset, io.SeekStart); err != nil {
				return err
			}
			_, err = io.Copy(a.out, file)
			return err
		},
	}
	f.add(a, cmd)
	cmd.Flags().Int64Var(&number, "version", 0, "that `VERSION`, as ambit storage show lists them")
	cmd.Flags().Int64Var(&offset, "offset", 0, "from this `BYTE` on")
	return cmd
}

// mostPart bounds what is printed of a value as JSON.
const mostPart = 1 << 20

// printPart prints a part of a version for programs.
func (a *app) printPart(file io.ReaderAt, v storage.Version, offset int64) error {
	if offset < 0 {
		return errors.New("--offset: want none that is less than 0")
	}
	data, err := io.ReadAll(io.NewSectionReader(file, offset, mostPart))
	if err != nil {
		return err
	}
	return a.printJSON(struct {
		Version int64  `json:"version"`
		Size    int64  `json:"size"`
		Data    []byte `json:"data"`
	}{v.Number, v.Size, data})
}

// byPerson is who commits from the command line.
func (a *app) byPerson(ctx context.Context, o storage.Owner) storage.By {
	return storage.By{Now: a.now(), Record: func(c storage.Commit) error {
		rec, err := commitRecord(c)
		if err != nil {
			return err
		}
		rec.Principal, rec.Pack = o.Principal, o.Pack
		return a.recordOne(ctx, rec)
	}}
}

// recordForget records that a key, or with "" all, is about to be forgotten.
func (a *app) recordForget(ctx context.Context, o storage.Owner, key string) error {
	rec, err := audit.New(audit.StoredBody{Key: audit.Text(key), Forgotten: true})
	if err != nil {
		return err
	}
	rec.ID, rec.Principal, rec.Pack = audit.NewID("w"), o.Principal, o.Pack
	return a.recordOne(ctx, rec)
}

// storedWords says what became of what is stored.
func storedWords(b *audit.StoredBody) string {
	key := capability.Printable(string(b.Key))
	switch {
	case b.Forgotten && key == "":
		return "all that was stored is forgotten"
	case b.Forgotten:
		return auditJoin(key, "is forgotten, with its versions")
	case b.Removed:
		return auditJoin(key, fmt.Sprintf("is removed (version %d)", b.Version))
	}
	text := fmt.Sprintf("version %d, %d bytes, %s", b.Version, b.Size, b.Digest)
	if b.Restored != 0 {
		text += fmt.Sprintf(", what version %d was", b.Restored)
	}
	if b.Base != b.Was {
		text += fmt.Sprintf("; written from version %d, and replaces %d", b.Base, b.Was)
	}
	return auditJoin(key+":", text)
}
