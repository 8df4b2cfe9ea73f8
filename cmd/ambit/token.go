package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"ambit.dev/ambit/internal/audit"
	"ambit.dev/ambit/internal/token"
)

func (a *app) tokenCommand() *cobra.Command {
	cmd := group(&cobra.Command{
		Use:   "token",
		Short: "Let programs and people use the port of ambit serve",
		Long: `Make and take back tokens by which programs, and people with a browser, are known on
the port of ambit serve --listen. Each acts as you, within its role, until it ends.`,
		Example: `  ambit token add ci --role operator --until 7d
  ambit token ls
  ambit token rm ci`,
	})
	cmd.AddCommand(a.tokenAdd(), a.tokenList(), a.tokenRemove())
	return cmd
}

func (a *app) tokenAdd() *cobra.Command {
	var role, until string
	cmd := &cobra.Command{
		Use:   "add NAME --role ROLE [--until TIME]",
		Short: "Make a token",
		Long: `Make a token. It is printed once, and kept as a hash: what is lost is made anew. The
name stands in the log with whatever is changed by it.

  viewer    sees what is there and what was done
  approver  and answers questions, and takes back what was granted
  operator  and starts and ends sessions, and sees what they write
  admin     and grants

With --org it is for that organisation: what others have is not there for it.`,
		Example: `  ambit token add phone --role approver
  ambit token add ci --role operator --until 2026-12-01
  ambit --org acme token add acme-ci --role operator`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 1 {
				return errors.New("name the token; see `ambit token add --help`")
			}
			return token.Name(args[0])
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.addToken(cmd.Context(), args[0], role, until)
		},
	}
	cmd.Flags().StringVar(&role, "role", "", "what it may: `ROLE`, one of "+strings.Join(token.Roles(), ", "))
	cmd.Flags().StringVar(&until, "until", "30d", "for so long, or until then: `TIME`, as in 2h, 7d or 2026-12-01")
	_ = cmd.RegisterFlagCompletionFunc("role", cobra.FixedCompletions(token.Roles(), cobra.ShellCompDirectiveNoFileComp)) // it is there
	return cmd
}

// A madeToken is a new token, for programs.
type madeToken struct {
	tokenRow
	Token string `json:"token"`
}

func (a *app) addToken(ctx context.Context, name, role, until string) error {
	if !slices.Contains(token.Roles(), role) {
		return fmt.Errorf("--role %q: expected one of %s", role, strings.Join(token.Roles(), ", "))
	}
	ends, err := a.until("--until", until)
	if err != nil {
		return err
	}
	f, err := a.tokens()
	if err != nil {
		return err
	}
	text := token.New()
	t := token.Token{Name: name, Role: role, Org: a.org, Hash: token.Hash(text), Created: a.now().Truncate(time.Second).UTC(), Expires: ends}
	all, err := f.List()
	if err == nil && slices.ContainsFunc(all, func(o token.Token) bool { return o.Name == name }) {
		err = fmt.Errorf("%w: %s", token.ErrExists, name)
	}
	if err == nil {
		err = a.recordToken(ctx, audit.TokenBody{Name: name, Role: role, Org: a.org, Until: ends})
	}
	if err == nil {
		err = f.Add(t)
	}
	if err != nil {
		return err
	}
	if a.json {
		return a.printJSON(madeToken{rowOf(t), text})
	}
	printf(a.out, "%s\n", text)
	printf(a.err, "This is the only time that it is shown. It ends %s; `ambit token rm %s` ends it before.\n", ends.Local().Format(minute), name)
	return nil
}

// recordToken records what becomes of a token.
//
// Security: the record is durable before a token is good for anything.
func (a *app) recordToken(ctx context.Context, b audit.TokenBody) error {
	r, err := audit.New(b)
	if err != nil {
		return err
	}
	r.ID, r.Principal = audit.NewID("t"), operator()
	return a.recordOne(ctx, r)
}

func (a *app) tokens() (token.File, error) {
	dir, err := a.makeState()
	return token.In(dir), err
}

// A tokenRow is a token, for programs.
type tokenRow struct {
	Name    string    `json:"name"`
	Role    string    `json:"role"`
	Org     string    `json:"org,omitempty"`
	Created time.Time `json:"created"`
	Expires time.Time `json:"expires"`
	Used    time.Time `json:"used,omitzero"`
}

func rowOf(t token.Token) tokenRow {
	return tokenRow{t.Name, t.Role, t.Org, t.Created, t.Expires, t.Used}
}

func (a *app) tokenList() *cobra.Command {
	return &cobra.Command{
		Use:     "ls",
		Short:   "List the tokens, without what they are",
		Example: "  ambit token ls\n  ambit token ls --json",
		Args:    nothing,
		RunE:    func(*cobra.Command, []string) error { return a.listTokens() },
	}
}

func (a *app) listTokens() error {
	f, err := a.tokens()
	if err != nil {
		return err
	}
	all, err := f.List()
	if err != nil {
		return err
	}
	if a.json {
		rows := []tokenRow{}
		for _, t := range all {
			rows = append(rows, rowOf(t))
		}
		return a.printJSON(rows)
	}
	if len(all) == 0 {
		printf(a.out, "There are no tokens. `ambit token add` makes one.\n")
		return nil
	}
	var rows [][]string
	for _, t := range all {
		ends, used := t.Expires.Local().Format(minute), "never"
		if !t.Stands(a.now()) {
			ends = "ended " + ends
		}
		if !t.Used.IsZero() {
			used = t.Used.Local().Format(minute)
		}
		rows = append(rows, []string{t.Name, t.Role, cmp.Or(t.Org, "-"), t.Created.Local().Format(minute), ends, used})
	}
	return table(a.out, []string{"NAME", "ROLE", "FOR", "MADE", "ENDS", "LAST USED"}, rows)
}

func (a *app) tokenRemove() *cobra.Command {
	return &cobra.Command{
		Use:   "rm NAME…",
		Short: "Take tokens back",
		Long: `Take tokens back. The next request with one is refused, logins that were made with
it end, and streams that it has end within a second.`,
		Example: "  ambit token rm ci\n  ambit token rm ci phone",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return errors.New("name the tokens; `ambit token ls` lists them")
			}
			return nil
		},
		ValidArgsFunction: a.completeTokens,
		RunE:              func(cmd *cobra.Command, names []string) error { return a.removeTokens(cmd.Context(), names) },
	}
}

// removeTokens takes them back, and then records that: a log that cannot be written
// does not keep a token alive.
func (a *app) removeTokens(ctx context.Context, names []string) error {
	f, err := a.tokens()
	if err != nil {
		return err
	}
	names = slices.Compact(slices.Sorted(slices.Values(names)))
	for _, name := range names { // what is no name is not repeated: it may be a token
		if err := token.Name(name); err != nil {
			return err
		}
	}
	if err := f.Remove(names...); err != nil {
		return err
	}
	for _, name := range names {
		if err := a.recordToken(ctx, audit.TokenBody{Name: name, Removed: true}); err != nil {
			return fmt.Errorf("%s is taken back, which could not be recorded: %w", name, err)
		}
	}
	if a.json {
		return a.printJSON(names)
	}
	for _, name := range names {
		printf(a.out, "%s is good for nothing any more.\n", name)
	}
	return nil
}

// completeTokens offers the names that there are.
func (a *app) completeTokens(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
	f, err := a.tokens()
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	all, err := f.List()
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	var names []cobra.Completion
	for _, t := range all {
		names = append(names, t.Name)
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}
