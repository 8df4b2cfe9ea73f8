package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"ambit.dev/ambit/internal/audit"
	"ambit.dev/ambit/internal/core/capability"
	"ambit.dev/ambit/internal/inside"
)

func (a *app) auditList() *cobra.Command {
	var f auditFilter
	n := 50
	cmd := &cobra.Command{
		Use:   "ls",
		Short: "List the last records, one a line, oldest first",
		Example: `  ambit audit ls
  ambit audit ls -n 0 --session s-4k2m
  ambit audit ls --kind decision --since 2h
  ambit audit ls --json`,
		Args: nothing,
		RunE: func(*cobra.Command, []string) error {
			dir, err := a.auditDir()
			if err != nil {
				return err
			}
			q, err := f.compile(a.now())
			if err != nil {
				return err
			}
			if n == 0 {
				n = math.MaxInt - 1
			} else if n < 0 {
				return fmt.Errorf("-n: expected how many, found %d", n)
			}
			records, _, err := audit.Page(dir, n, q)
			if err != nil {
				return err
			}
			slices.Reverse(records)
			if a.json {
				return a.printJSON(append([]audit.Record{}, records...))
			}
			return a.auditTable(records)
		},
	}
	f.flags(cmd)
	cmd.Flags().IntVarP(&n, "number", "n", n, "how many at most; 0: all")
	return cmd
}

func (a *app) auditTable(records []audit.Record) error {
	rows := make([][]string, len(records))
	for i, r := range records {
		when := r.Time.In(a.now().Location()).Format("2006-01-02 15:04:05.000")
		rows[i] = []string{fmt.Sprint(r.Seq), when, string(r.Kind), auditOr(r.ID, "-"), auditOr(r.Session, "-"), auditSummary(r)}
	}
	return table(a.out, nil, rows)
}

func auditOr(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

// auditSummary is a record in a few words.
func auditSummary(r audit.Record) string {
	body, err := r.Decode()
	if err != nil {
		return "unreadable: " + err.Error()
	}
	switch b := body.(type) {
	case *audit.OpenBody:
		return "log " + b.Origin + " begins"
	case *audit.RepairBody:
		return fmt.Sprintf("%d bytes of an unfinished write were cut off %s", b.Bytes, b.Segment)
	case *audit.LaunchBody:
		return auditJoin(b.Tier, "runs", auditWords(b.Argv), auditIn(b.Dir))
	case *audit.EnterBody:
		return auditJoin("runs there", auditWords(b.Argv), auditIn(b.Dir))
	case *audit.LeaveBody:
		return auditJoin(fmt.Sprintf("%s ended with %d", b.Exec, b.Exit), string(b.Error))
	case *audit.CopyBody:
		word := map[bool]string{false: "copied out:", true: "copied in:"}[b.In]
		switch b.Deed {
		case inside.DeedMake:
			word = "folder made:"
		case inside.DeedRemove:
			word = "removed:"
		case inside.DeedRemoveAll:
			word = "removed with what is in it:"
		}
		return auditJoin(word, string(b.Path))
	case *audit.SnapshotBody:
		if b.Restored {
			return auditJoin("goes on from a snapshot of", b.Of)
		}
		return "its state is kept"
	case *audit.PauseBody:
		if b.Resumed {
			return auditJoin("goes on", string(b.Error))
		}
		return "is paused"
	case *audit.EndBody:
		text := auditJoin(b.Status, b.Signal, string(b.Error))
		if b.Signal == "" {
			text = auditJoin(b.Status, fmt.Sprint(b.Exit), string(b.Error))
		}
		return auditJoin(text, auditCounts(b.Counts), auditTraffic(b))
	case *audit.DecisionBody:
		rule := ""
		if len(b.Reasons) > 0 {
			rule = "(" + b.Reasons[0].Rule + ")"
		}
		return auditJoin(b.Outcome, string(b.Capability), rule, string(b.Program))
	case *audit.DenialBody:
		return auditJoin(b.Layer, "stopped", b.Action, auditOr(string(b.Capability), string(b.Object)), string(b.Program), string(b.Text))
	case *audit.GrantBody:
		if b.Revoked {
			return auditJoin(b.Grant, string(b.Capability), string(b.Reason))
		}
		return auditJoin(b.Grant, b.Outcome, string(b.Capability), b.Span, string(b.Reason))
	case *audit.FlowBody:
		return auditJoin(string(b.Program), flowWords(b))
	case *audit.SecretBody:
		if b.Removed {
			return auditJoin(b.Name, "is out of the vault")
		}
		return auditJoin(b.Name, "for", b.Target+",", string(b.Place))
	case *audit.TokenBody:
		if b.Removed {
			return auditJoin("the token", b.Name, "is taken back")
		}
		return auditJoin("the token", b.Name, "is made,", strings.TrimSuffix(b.Role+", for "+b.Org, ", for "))
	case *audit.CallBody:
		return auditJoin("by", string(b.By)+",", b.Role+":", strings.TrimPrefix(b.Procedure, "/ambit.v1."), auditWords(b.Objects))
	case *audit.ChangesBody:
		return auditJoin(fmt.Sprint(len(b.Paths)+b.More), "changes of", string(b.Source))
	case *audit.StoredBody:
		return storedWords(b)
	case *audit.PackBody:
		return packWords(b)
	case *audit.RequestBody:
		return requestWords(b)
	case *audit.EffectBody:
		return effectWords(b)
	case *audit.ReportBody:
		return auditJoin(b.Tier, auditLayers(b.Layers))
	}
	return ""
}

func packWords(b *audit.PackBody) string {
	switch {
	case b.Removed:
		return auditJoin("removed", auditIn(b.Folder))
	case b.Digest == "":
		return auditJoin("is the pack", auditIn(b.Folder))
	}
	return auditJoin("installed", string(b.Version), "from", string(b.Source))
}

func auditLayers(layers []audit.LayerBody) string {
	holds, broken := 0, []string{"does not hold:"}
	for _, l := range layers {
		if l.Holds {
			holds++
		} else if l.Promised {
			broken = append(broken, l.Name)
		}
	}
	text := fmt.Sprintf("%d of %d layers hold", holds, len(layers))
	if len(broken) > 1 {
		text += "; " + strings.Join(broken, " ")
	}
	return text
}

func auditIn(dir audit.Text) string {
	if dir == "" {
		return ""
	}
	return "in " + string(dir)
}

func auditWords(argv []audit.Text) string {
	words := make([]string, len(argv))
	for i, s := range argv {
		if words[i] = string(s); strings.ContainsAny(words[i], " \t\n'\"\\") || s == "" {
			words[i] = fmt.Sprintf("%q", string(s))
		}
	}
	return strings.Join(words, " ")
}

// auditJoin joins the words that are there.
func auditJoin(words ...string) string {
	var there []string
	for _, w := range words {
		if w != "" {
			there = append(there, w)
		}
	}
	return strings.Join(there, " ")
}

func (a *app) auditShow() *cobra.Command {
	var of string
	one := exactly(1, "the id or number of one record")
	cmd := &cobra.Command{
		Use:   "show ID|NUMBER",
		Short: "Show all of one record, or of those of a trace",
		Example: `  ambit audit show d-7f3ak2mq5x
  ambit audit show 12 --json
  ambit audit show --trace 4bf92f3577b34da6a3ce929d0e0e4736`,
		Args: func(cmd *cobra.Command, args []string) error {
			if of != "" && len(args) == 0 {
				return nil
			}
			return one(cmd, args)
		},
		RunE: func(_ *cobra.Command, args []string) error {
			dir, err := a.auditDir()
			if err != nil {
				return err
			}
			if of != "" {
				return a.showTrace(dir, of)
			}
			r, err := audit.Lookup(dir, args[0])
			if err != nil {
				return err
			}
			if a.json {
				return a.printJSON(r)
			}
			return a.auditDetails(r)
		},
	}
	cmd.Flags().StringVar(&of, "trace", "", "all records of this `trace`, oldest first: its id, or a traceparent")
	return cmd
}

// showTrace prints the records of a trace.
func (a *app) showTrace(dir, of string) error {
	id, err := traceID(of)
	if err != nil {
		return err
	}
	records, _, err := audit.Page(dir, math.MaxInt-1, audit.Query{Hints: []string{audit.HintTrace(id)}, Keep: func(r audit.Record) bool { return r.Trace.Trace() == id }})
	if err != nil {
		return err
	}
	slices.Reverse(records)
	if a.json {
		return a.printJSON(append([]audit.Record{}, records...))
	}
	for i, r := range records {
		if i > 0 {
			printf(a.out, "\n")
		}
		if err := a.auditDetails(r); err != nil {
			return err
		}
	}
	if len(records) == 0 {
		printf(a.err, "ambit: the log has no record of the trace %s\n", id)
	}
	return nil
}

// details prints a record, a field a line, and its body as it stands.
func (a *app) auditDetails(r audit.Record) error {
	var body bytes.Buffer
	if err := json.Indent(&body, r.Body, "", "  "); err != nil {
		return err
	}
	for _, f := range []struct{ name, value string }{
		{"number", fmt.Sprint(r.Seq)}, {"id", r.ID}, {"kind", string(r.Kind)}, {"time", r.Time.Format("2006-01-02T15:04:05.999999999Z07:00")},
		{"session", r.Session}, {"principal", r.Principal}, {"pack", r.Pack}, {"trace", r.Trace.Trace()}, {"summary", auditSummary(r)}, {"prev", r.Prev},
	} {
		if f.value != "" {
			printf(a.out, "%-10s %s\n", f.name, capability.Printable(f.value))
		}
	}
	for line := range strings.Lines(body.String()) {
		printf(a.out, "%s\n", capability.Printable(strings.TrimSuffix(line, "\n")))
	}
	return nil
}

func (a *app) auditExport() *cobra.Command {
	var f auditFilter
	var output string
	cmd := &cobra.Command{
		Use:   "export",
		Short: "Write records as JSON lines",
		Long: `Write records as JSON, one a line, oldest first. An export is for other programs
to read. It proves nothing: for that, copy the folder of the log, or use prove.`,
		Example: `  ambit audit export -o records.jsonl
  ambit audit export --kind denial --since 7d | jq .body`,
		Args: nothing,
		RunE: func(*cobra.Command, []string) error {
			dir, err := a.auditDir()
			if err != nil {
				return err
			}
			q, err := f.compile(a.now())
			if err != nil {
				return err
			}
			return a.auditSave(output, func(w io.Writer) error { return exportRecords(w, dir, q.Keep) })
		},
	}
	f.flags(cmd)
	cmd.Flags().StringVarP(&output, "output", "o", "", "write to this new `file`")
	return cmd
}

func exportRecords(w io.Writer, dir string, keep func(audit.Record) bool) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	for r, err := range audit.Read(dir) {
		if err != nil {
			return err
		}
		if keep(r) {
			if err := enc.Encode(r); err != nil {
				return err
			}
		}
	}
	return nil
}

// auditTraffic is what a session's network carried, as words.
func auditTraffic(b *audit.EndBody) string {
	if b.Flows == 0 && b.Refused == 0 {
		return ""
	}
	text := fmt.Sprintf("network: %d connections, %d bytes in, %d out", b.Flows, b.In, b.Out)
	if b.Refused > 0 {
		text += fmt.Sprintf(", %d refused", b.Refused)
	}
	return text
}

// auditCounts are the counts of a session as words.
func auditCounts(counts []audit.CountBody) string {
	var all []string
	for _, c := range counts {
		text := []string{c.Capability}
		for _, n := range []struct {
			number int
			word   string
		}{{c.Allowed, "allowed"}, {c.Asked, "asked"}, {c.Denied, "denied"}} {
			if n.number > 0 {
				text = append(text, fmt.Sprintf("%d %s", n.number, n.word))
			}
		}
		all = append(all, strings.Join(text, " "))
	}
	if len(all) == 0 {
		return ""
	}
	return "(" + strings.Join(all, ", ") + ")"
}
