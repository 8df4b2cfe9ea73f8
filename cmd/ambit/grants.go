package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"ambit.dev/ambit/internal/core/grant"
	"ambit.dev/ambit/internal/core/manifest"
	"ambit.dev/ambit/internal/core/principal"
	"ambit.dev/ambit/internal/store"
)

// grantsCommand lists and changes what was granted.
func (a *app) grantsCommand() *cobra.Command {
	cmd := group(&cobra.Command{
		Use:   "grants",
		Short: "List, add and revoke what was granted",
		Long: `A grant says that a pack, or any command that is run without one, may use a
capability, or may not, until it is revoked or its time is over. It changes
nothing for programs that run already.`,
		Example: `  ambit grants ls
  ambit grants add --pack examples/packs/history-report --all
  ambit grants revoke g-7f3ak2mq5x`,
	})
	cmd.AddCommand(a.grantsList(), a.grantsAdd(), a.grantsRevoke())
	return cmd
}

func (a *app) grantsList() *cobra.Command {
	var all bool
	var pack string
	cmd := &cobra.Command{
		Use:   "ls",
		Short: "List what was granted and denied",
		Example: `  ambit grants ls
  ambit grants ls --pack examples/packs/history-report
  ambit grants ls --all --json            also what is over`,
		Args: nothing,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.listGrants(cmd.Context(), pack, all)
		},
	}
	cmd.Flags().BoolVar(&all, "all", false, "also those that were revoked, are over, or are another user's")
	cmd.Flags().StringVar(&pack, "pack", "", "only those of this `PACK`, by its id or folder")
	return cmd
}

func (a *app) listGrants(ctx context.Context, pack string, all bool) error {
	stored, err := a.storedGrants(ctx)
	if err != nil {
		return err
	}
	id := pack
	if pack != "" {
		if id, err = packID(pack); err != nil {
			return err
		}
	}
	if stored, err = a.withoutEnded(ctx, stored, all); err != nil {
		return err
	}
	shown := []grant.Grant{}
	for _, g := range stored {
		mine := a.sees(g.Principal) && a.standing(g)
		if (all || mine) && (pack == "" || g.Pack == id) {
			shown = append(shown, g)
		}
	}
	if a.json {
		return a.printJSON(shown)
	}
	if len(shown) == 0 {
		printf(a.err, "Nothing was granted%s.\n", map[bool]string{false: " that still stands; --all shows the rest"}[all])
		return nil
	}
	var rows [][]string
	for _, g := range shown {
		rows = append(rows, []string{g.ID, g.Outcome.String(), broadly(g.Capability), forOrg(g, forWhom(g.Pack)), a.lasts(g),
			g.Origin, g.Created.Local().Format(minute), g.Reason})
	}
	return table(a.out, []string{"ID", "OUTCOME", "CAPABILITY", "FOR", "LASTS", "ORIGIN", "CREATED", "REASON"}, rows)
}

// withoutEnded leaves out grants of sessions that have ended: one that was killed
// could not take them back. With all, they stay.
func (a *app) withoutEnded(ctx context.Context, stored []grant.Grant, all bool) ([]grant.Grant, error) {
	bound := func(g grant.Grant) bool { return g.Lifespan.Session != "" && g.Revoked.IsZero() }
	if all || !slices.ContainsFunc(stored, bound) {
		return stored, nil
	}
	l, err := a.questions()
	if l == nil || err != nil {
		return stored, err
	}
	defer l.Close() //nolint:errcheck // nothing was written
	sessions, err := l.Sessions(ctx)
	ended := map[string]bool{}
	for _, s := range sessions {
		ended[s.ID] = s.Status != store.Running
	}
	return slices.DeleteFunc(stored, func(g grant.Grant) bool { return bound(g) && ended[g.Lifespan.Session] }), err
}

// minute is how times are shown, in the person's zone.
const minute = "2006-01-02 15:04"

// standing reports whether g is neither revoked nor over.
func (a *app) standing(g grant.Grant) bool {
	return g.Revoked.IsZero() && (g.Lifespan.Until.IsZero() || a.now().Before(g.Lifespan.Until))
}

// lasts says in words until when g stands.
func (a *app) lasts(g grant.Grant) string {
	l := g.Lifespan
	var text string
	switch l.Span {
	case grant.Always:
		text = "always"
	case grant.Session:
		text = "session " + l.Session
	case grant.Until:
		text = "until " + l.Until.Local().Format(minute)
	default:
		text = "once"
	}
	switch {
	case !g.Revoked.IsZero():
		text = "revoked " + g.Revoked.Local().Format(minute)
	case !a.standing(g):
		text += " (over)"
	}
	return text
}

// forWhom names what a grant holds for.
func forWhom(pack string) string {
	if pack == "" {
		return "ad hoc runs"
	}
	return pack
}

// forOrg says beside whom a grant is for of which organisation.
func forOrg(g grant.Grant, whom string) string {
	if org := principal.Org(g.Principal); org != "" {
		whom += " of " + org
	}
	return whom
}

// storedGrants reads every grant. Where nothing was ever granted it does not
// make a store.
func (a *app) storedGrants(ctx context.Context) ([]grant.Grant, error) {
	dir, err := a.state()
	if err != nil {
		return nil, err
	}
	if _, err := os.Lstat(filepath.Join(dir, "ambit.db")); errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	s, err := a.openStore()
	if err != nil {
		return nil, err
	}
	defer s.Close() //nolint:errcheck // nothing was written
	return s.AllGrants(ctx)
}

// packID is the id of a pack that is named by its folder or by its id. It says
// nothing about whose that is.
func packID(name string) (string, error) {
	if _, err := os.Stat(name); err != nil && fs.ValidPath(name) {
		return name, nil
	}
	m, _, err := readPack(name)
	return m.ID, err
}

// grantee is for whom grants are made: a pack, or ad hoc runs.
type grantee struct {
	manifest manifest.Manifest // resolved
	dir      string            // "" for ad hoc runs
	digest   string
	unowned  bool // the id belongs to nobody yet
}

func (g grantee) name() string {
	if g.dir == "" {
		return "every command that is run without a pack"
	}
	return "the pack " + g.manifest.ID
}

// grantee reads the pack in a folder; "" is ad hoc runs.
func (a *app) grantee(dir string) (grantee, error) {
	if dir == "" {
		return grantee{manifest: manifest.AdHoc(nil)}, nil
	}
	b, err := base()
	if err != nil {
		return grantee{}, err
	}
	m, dir, owned, err := a.readPack(dir)
	if err != nil {
		return grantee{}, err
	}
	g := grantee{dir: dir, digest: m.Digest(), unowned: !owned}
	b.Dir = dir
	g.manifest, err = resolveManifest(m, b)
	return g, err
}

// until reads a time to come: a duration (2h, 7d), a date, or a date with time.
func (a *app) until(flag, text string) (time.Time, error) {
	now := a.now()
	var t time.Time
	if d, err := duration(text); err == nil {
		t = now.Add(d)
	} else {
		i := slices.IndexFunc(timeForms, func(form string) bool {
			t, err = time.ParseInLocation(form, text, time.Local)
			return err == nil
		})
		if i < 0 {
			return t, fmt.Errorf("%s %q: expected a duration such as 2h or 7d, or a time such as 2026-12-01 or \"2026-12-01 10:00\"", flag, text)
		}
	}
	if !t.After(now) {
		return t, fmt.Errorf("%s %q: expected a time to come, it is %s now", flag, text, now.Local().Format(minute))
	}
	return t.Truncate(time.Second).UTC(), nil
}

var timeForms = []string{time.RFC3339, "2006-01-02T15:04", minute, "2006-01-02 15:04:05", time.DateOnly}

// duration is time.ParseDuration with days.
func duration(text string) (time.Duration, error) {
	var days int
	var rest string
	if n, _ := fmt.Sscanf(text, "%dd%s", &days, &rest); n == 1 && days > 0 && days < 36500 && text == fmt.Sprintf("%dd", days) {
		return time.Duration(days) * 24 * time.Hour, nil
	}
	return time.ParseDuration(text)
}
