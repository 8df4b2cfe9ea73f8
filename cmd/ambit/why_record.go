package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"ambit.dev/ambit/internal/audit"
	"ambit.dev/ambit/internal/core/capability"
	"ambit.dev/ambit/internal/core/decision"
	"ambit.dev/ambit/internal/core/grant"
)

// isID reports whether a text is what audit.NewID makes of a decision, a record or
// a grant.
func isID(text string) bool {
	letter, rest, ok := strings.Cut(text, "-")
	return ok && len(letter) == 1 && strings.Contains("deg", letter) && len(rest) >= 4 && strings.Trim(rest, "abcdefghijklmnopqrstuvwxyz234567") == ""
}

// account is what is told of a record, the text for people as rows.
type account struct {
	Record  audit.Record `json:"record"`
	Command []string     `json:"command,omitempty"` // of the session
	Grant   *grant.Grant `json:"grant,omitempty"`   // as it is now
	Fix     string       `json:"fix,omitempty"`
	rows    [][]string   // in order
	cap     string       // what it is about, as text
	title   string       // first line
	by      audit.LaunchBody
}

// whyRecord tells of a record by its id. told is false if what is no id.
func (a *app) whyRecord(ctx context.Context, what string) (told bool, err error) {
	if !isID(what) {
		return false, nil
	}
	dir, err := a.auditDir()
	if err != nil {
		return false, err
	}
	if _, err := os.Stat(dir); errors.Is(err, os.ErrNotExist) {
		return false, fmt.Errorf("there is no record %q: nothing was recorded yet in %s", what, dir)
	}
	r, err := audit.Find(dir, what)
	if errors.Is(err, audit.ErrNotFound) {
		return false, fmt.Errorf("there is no record %q in the log; `ambit audit ls` lists what there is", what)
	}
	if err != nil {
		return false, err
	}
	acc, err := a.account(ctx, dir, r)
	if err != nil {
		return false, err
	}
	if a.json {
		return true, a.printJSON(acc)
	}
	printf(a.out, "%s: %s\n", r.ID, capability.Printable(acc.title))
	a.printRows(append(acc.rows, []string{"to change it", acc.Fix}))
	return true, nil
}

func (a *app) account(ctx context.Context, dir string, r audit.Record) (*account, error) {
	acc := &account{Record: r}
	if r.Session != "" {
		if err := acc.launched(dir); err != nil {
			return nil, err
		}
	}
	body, err := r.Decode()
	if err != nil {
		return nil, err
	}
	switch b := body.(type) {
	case *audit.DecisionBody:
		acc.decision(b)
		if b.Outcome == decision.Ask.String() {
			if err := acc.cameTo(dir); err != nil {
				return nil, err
			}
		}
		return acc, a.ofThatRun(ctx, acc)
	case *audit.DenialBody:
		acc.denial(b)
	case *audit.EffectBody:
		acc.effect(b)
	case *audit.GrantBody:
		return acc, a.grantAccount(ctx, acc, b)
	default:
		return nil, fmt.Errorf("record %s is of kind %s; `ambit audit show %s` shows it", r.ID, r.Kind, r.ID)
	}
	return acc, nil
}

// launched finds what was run in the session of the record.
func (acc *account) launched(dir string) error {
	found, err := audit.Last(dir, 1, func(r audit.Record) bool {
		return r.Session == acc.Record.Session && r.Kind == audit.SessionStart
	})
	if err != nil || len(found) == 0 {
		return err // a launch that was denied has no start
	}
	body, err := found[0].Decode()
	if err != nil {
		return err
	}
	if b, ok := body.(*audit.LaunchBody); ok {
		acc.by = *b
		for _, w := range b.Argv {
			acc.Command = append(acc.Command, string(w))
		}
	}
	return nil
}

// whoWhen are the rows that all accounts begin with.
func (acc *account) whoWhen(program audit.Text) {
	r := acc.Record
	whom := r.Principal
	if r.Pack != "" {
		whom += ", pack " + r.Pack
	} else {
		whom += ", without a pack"
	}
	if r.Session != "" {
		whom += ", session " + r.Session
	}
	acc.rows = append(acc.rows,
		[]string{"when", r.Time.Local().Format("2006-01-02 15:04:05")},
		[]string{"who", whom},
		[]string{"program", string(program)},
		[]string{"command", commandLine(acc.Command)})
}

func commandLine(argv []string) string {
	var words []string
	for _, w := range argv {
		words = append(words, shellWord(w))
	}
	return strings.Join(words, " ")
}

func (acc *account) decision(b *audit.DecisionBody) {
	acc.cap = string(b.Capability)
	acc.title = map[string]string{"allow": "allowed", "ask": "asked"}[b.Outcome]
	if acc.title == "" {
		acc.title = "denied"
	}
	acc.title += " to " + describe(acc.cap)
	acc.whoWhen(b.Program)
	acc.rows = append(acc.rows, []string{"capability", acc.cap}, []string{"asked for", string(b.Why)})
	for _, why := range b.Reasons {
		acc.rows = append(acc.rows, []string{"rule", why.Rule + ": " + string(why.Text)})
		if why.Grant != "" {
			acc.rows = append(acc.rows, []string{"grant", why.Grant + "  " + string(why.By)})
		}
		acc.remedy(why.Rule, why.Grant)
	}
}

// cameTo finds what became of a question: the request was put again, and says as
// which it was asked.
func (acc *account) cameTo(dir string) error {
	asked := "; asked as " + acc.Record.ID + ":"
	found, err := audit.Last(dir, 1, func(r audit.Record) bool {
		return r.Kind == audit.Decision && r.Session == acc.Record.Session && r.Seq > acc.Record.Seq && bytes.Contains(r.Body, []byte(asked))
	})
	if err != nil {
		return err
	}
	if len(found) == 0 {
		acc.rows = append(acc.rows, []string{"came to", "no answer that the log has: it is open, or nobody waited for one"})
		return nil
	}
	body, err := found[0].Decode()
	if err != nil {
		return err
	}
	if b, ok := body.(*audit.DecisionBody); ok {
		_, answer, _ := strings.Cut(string(b.Why), asked)
		acc.rows = append(acc.rows, []string{"came to", b.Outcome + " (" + strings.TrimSpace(answer) + ") [" + found[0].ID + "]"})
		if b.Outcome == decision.Allow.String() {
			acc.Fix = ""
		}
	}
	return nil
}

// ofThatRun corrects the remedy where the grant that decided is not stored: it
// was made for that run alone, and ended with it.
func (a *app) ofThatRun(ctx context.Context, acc *account) error {
	id, ok := strings.CutPrefix(acc.Fix, "ambit grants revoke ")
	if !ok {
		return nil
	}
	stored, err := a.storedGrants(ctx)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(stored, func(g grant.Grant) bool { return g.ID == id })
	switch {
	case i < 0:
		acc.Fix = ""
		acc.rows = append(acc.rows, []string{"note", "the grant was made for that run alone and ended with it"})
	case !a.standing(stored[i]):
		acc.Fix = ""
		acc.rows = append(acc.rows, []string{"note", "since then that grant has ended: " + a.lasts(stored[i])})
	}
	return nil
}

// denial tells of what a layer of the sandbox stopped by itself.
func (acc *account) denial(b *audit.DenialBody) {
	acc.cap = string(b.Capability)
	acc.title = "denied to " + describe(acc.cap)
	if acc.cap == "" {
		acc.title = "denied to reach " + string(b.Object)
	}
	rule := string(decision.NotGranted) + ": it was not part of what this session was granted"
	if b.Text != "" && string(b.Text) != string(decision.NotGranted) {
		rule = string(b.Text)
	}
	acc.whoWhen(b.Program)
	acc.rows = append(acc.rows,
		[]string{"capability", acc.cap},
		[]string{"tried", fmt.Sprintf("%s, by process %d", b.Action, b.PID)},
		[]string{"stopped by", "the " + b.Layer + " tier"},
		[]string{"rule", rule})
	if string(b.Text) == string(decision.NotGranted) {
		acc.remedy(string(decision.NotGranted), "")
	}
}

// effect tells of what was taken away from a running session.
func (acc *account) effect(b *audit.EffectBody) {
	acc.cap = string(b.Capability)
	acc.title = "taken away while it ran: to " + describe(acc.cap)
	acc.whoWhen("")
	acc.rows = append(acc.rows, []string{"capability", acc.cap}, []string{"rule", b.Reason}, []string{"policy", string(b.Policy)})
	for _, p := range b.Paths {
		acc.rows = append(acc.rows, []string{"leads nowhere", string(p)})
	}
	for _, h := range b.Open {
		acc.rows = append(acc.rows, []string{"still open", heldWords(h)})
	}
	if b.Error != "" {
		acc.rows = append(acc.rows, []string{"note", string(b.Error)})
	}
}

// describe says what a capability permits; what does not parse is shown.
func describe(text string) string {
	c, err := capability.Parse(text)
	if err != nil {
		return "use " + text
	}
	return c.Describe()
}

// remedy finds the one command that would change it. For a command that was run
// without a pack that is the same command with one more --allow.
func (acc *account) remedy(rule, id string) {
	c, err := capability.Parse(acc.cap)
	if err != nil || acc.Fix != "" {
		return
	}
	switch {
	case decision.Rule(rule) != decision.NotGranted:
		acc.Fix = remedy(c, rule, id, "")
	case acc.Record.Pack != "":
		acc.Fix = remedy(c, rule, id, "the folder of "+acc.Record.Pack)
		if acc.by.Dir != "" {
			acc.Fix = remedy(c, rule, id, string(acc.by.Dir))
		}
	case len(acc.Command) > 0:
		acc.Fix = "ambit run --allow " + shellWord(c.Display()) + " -- " + commandLine(acc.Command)
	default:
		acc.Fix = remedy(c, rule, id, "")
	}
}

// grantAccount tells of a grant by its id.
func (a *app) grantAccount(ctx context.Context, acc *account, b *audit.GrantBody) error {
	stored, err := a.storedGrants(ctx)
	if err != nil {
		return err
	}
	acc.cap = string(b.Capability)
	acc.title = "recorded, but not stored: it holds for nothing"
	acc.whoWhen("")
	acc.rows = append(acc.rows, []string{"capability", acc.cap}, []string{"origin", b.Origin}, []string{"reason", string(b.Reason)})
	i := slices.IndexFunc(stored, func(g grant.Grant) bool { return g.ID == b.Grant })
	if i < 0 {
		if b.Span == grant.Session.String() && acc.Record.Session != "" {
			word := map[bool]string{true: "allowed", false: "denied"}[b.Outcome == grant.Allow.String()]
			acc.title = word + " for session " + acc.Record.Session + " alone, to " + describe(acc.cap)
		}
		return nil
	}
	g := stored[i]
	acc.Grant, acc.title = &g, a.sentence(g, grantName(g))
	acc.rows = append(acc.rows, []string{"lasts", a.lasts(g)})
	if a.standing(g) {
		acc.Fix = remedy(g.Capability, string(decision.Allowed), g.ID, "")
	}
	return nil
}
