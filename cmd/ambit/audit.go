package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"ambit.dev/ambit/internal/audit"
)

// auditCommand lists, verifies and proves what the log holds.
func (a *app) auditCommand() *cobra.Command {
	cmd := group(&cobra.Command{
		Use:   "audit",
		Short: "Read, verify and prove the record of what was asked, answered and done",
		Long: `The audit log records each decision before it is acted upon, and each denial.
Its records form a chain and a Merkle tree with signed heads, so that any change
shows. Who can read its key can write another history; keep a head or the public
key elsewhere to tell:

  ambit audit head > somewhere/else/head
  ambit audit verify --head somewhere/else/head`,
		Example: `  ambit audit ls                        the last 50 records
  ambit audit ls --kind denial --since 1h
  ambit audit show d-7f3ak2mq5x
  ambit audit verify
  ambit audit prove d-7f3ak2mq5x -o proof.json
  ambit audit check-proof proof.json --key key.pub`,
	})
	cmd.AddCommand(a.auditList(), a.auditShow(), a.auditVerify(), a.auditProve(), a.auditCheckProof(), a.auditExport(), a.auditHead())
	return cmd
}

// auditFilter says which records are wanted.
type auditFilter struct{ session, kind, trace, since, until string }

func (f *auditFilter) flags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.session, "session", "", "only records of this `session`")
	cmd.Flags().StringVar(&f.kind, "kind", "", "only records of this `kind`: "+strings.Trim(fmt.Sprint(audit.Kinds()), "[]"))
	cmd.Flags().StringVar(&f.trace, "trace", "", "only records of this `trace`: its id, or a traceparent")
	cmd.Flags().StringVar(&f.since, "since", "", "only records since this `time`: 90m, 2h, 7d, 2026-01-31 or 2026-01-31T15:04:05Z")
	cmd.Flags().StringVar(&f.until, "until", "", "only records before this `time`")
}

// compile makes a query of the filter, whose Keep says all of it.
func (f *auditFilter) compile(now time.Time) (q audit.Query, err error) {
	if q.Since, err = auditTime(f.since, now); err != nil {
		return q, fmt.Errorf("--since: %w", err)
	}
	if q.Until, err = auditTime(f.until, now); err != nil {
		return q, fmt.Errorf("--until: %w", err)
	}
	known := f.kind == ""
	for _, k := range audit.Kinds() {
		known = known || string(k) == f.kind
	}
	if !known {
		return q, fmt.Errorf("--kind: there is no kind %q; the kinds are %s", f.kind, strings.Trim(fmt.Sprint(audit.Kinds()), "[]"))
	}
	if f.session != "" {
		q.Hints = append(q.Hints, audit.HintSession(f.session))
	}
	if f.kind != "" {
		q.Hints = append(q.Hints, audit.HintKind(audit.Kind(f.kind)))
	}
	id := ""
	if f.trace != "" {
		if id, err = traceID(f.trace); err != nil {
			return q, err
		}
		q.Hints = append(q.Hints, audit.HintTrace(id))
	}
	q.Keep = func(r audit.Record) bool {
		return (id == "" || r.Trace.Trace() == id) && (f.session == "" || r.Session == f.session) && (f.kind == "" || string(r.Kind) == f.kind) &&
			!r.Time.Before(q.Since) && (q.Until.IsZero() || r.Time.Before(q.Until))
	}
	return q, nil
}

// auditTime reads a time, or how long ago it was.
func auditTime(text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if days, ok := strings.CutSuffix(text, "d"); ok {
		if n, err := strconv.Atoi(days); err == nil && n >= 0 {
			return now.AddDate(0, 0, -n), nil
		}
	}
	if d, err := time.ParseDuration(text); err == nil && d >= 0 {
		return now.Add(-d), nil
	}
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05", "2006-01-02 15:04:05", "2006-01-02 15:04", "2006-01-02"} {
		if t, err := time.ParseInLocation(layout, text, now.Location()); err == nil {
			return t, nil
		}
	}
	return time.Time{}, fmt.Errorf("expected a time such as 2h, 7d or 2026-01-31T15:04:05Z, found %q", text)
}

// save writes to a new file, or to standard output if the name is "" or "-". A
// file that exists is not replaced, and one that was not written whole is removed.
func (a *app) auditSave(name string, write func(io.Writer) error) (err error) {
	if name == "" || name == "-" {
		return write(a.out)
	}
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, os.ErrExist) {
		return fmt.Errorf("%q exists and is not replaced", name)
	}
	if err != nil {
		return err
	}
	if err := errors.Join(write(f), f.Sync(), f.Close()); err != nil {
		return errors.Join(err, os.Remove(name))
	}
	return nil
}
