package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"ambit.dev/ambit/internal/audit"
	"ambit.dev/ambit/internal/core/capability"
)

// auditVerdict is the JSON of verify.
type auditVerdict struct {
	OK bool `json:"ok"`
	audit.VerifyResult
	Fault *audit.Fault `json:"fault,omitempty"`
}

func (a *app) auditVerify() *cobra.Command {
	var key, head string
	cmd := &cobra.Command{
		Use:   "verify",
		Short: "Check the whole log, and name the first record that is wrong",
		Long: `Check each record, the chain between them, the tree, the signed heads and the
head file. It needs only the folder of the log.

Without --key and --head it cannot see that somebody who could read the key
wrote another history, nor that the whole folder was put back to an older copy.`,
		Example: `  ambit audit verify
  ambit audit verify --key somewhere/else/key.pub --head somewhere/else/head`,
		Args: nothing,
		RunE: func(*cobra.Command, []string) error { return a.verifyLog(key, head) },
	}
	cmd.Flags().StringVar(&key, "key", "", "a `file` with the public key that the log must have, kept elsewhere")
	cmd.Flags().StringVar(&head, "head", "", "a `file` with an earlier head that the log must have grown from (see audit head)")
	return cmd
}

func (a *app) verifyLog(keyFile, headFile string) error {
	dir, err := a.auditDir()
	if err != nil {
		return err
	}
	opt := audit.VerifyOptions{Progress: a.auditProgress()}
	if opt.Key, err = auditFile(keyFile); err != nil {
		return err
	}
	if opt.Head, err = auditFile(headFile); err != nil {
		return err
	}
	res, err := audit.Verify(dir, opt)
	if fault, ok := errors.AsType[*audit.Fault](err); ok {
		if a.json {
			if err := a.printJSON(auditVerdict{VerifyResult: res, Fault: fault}); err != nil {
				return err
			}
		}
		return fmt.Errorf("the audit log %q is not what was written: %s", dir, capability.Printable(fault.Error()))
	}
	if err != nil {
		return err
	}
	if a.json {
		return a.printJSON(auditVerdict{OK: true, VerifyResult: res})
	}
	printf(a.out, "%d records in %d segments: intact, signed by %s\n", res.Records, res.Segments, capability.Printable(res.Head.Origin))
	if res.Uncommitted > 0 {
		printf(a.out, "%d bytes after the last head are of a write that did not end; nobody relied on them, and the next record replaces them\n", res.Uncommitted)
	}
	if res.Lost > 0 {
		printf(a.out, "%d records behind them are lost or were cut off: they were written, but not known to be on the disk, before the machine last stopped\n", res.Lost)
	}
	if opt.Key == "" && opt.Head == "" {
		printf(a.out, "not checked: whether the holder of the key wrote another history (--key, --head)\n")
	}
	return nil
}

// progress reports on what takes longer than two seconds.
func (a *app) auditProgress() func(uint64, int64) {
	next := time.Now().Add(2 * time.Second)
	return func(records uint64, _ int64) {
		if a.json || time.Now().Before(next) {
			return
		}
		next = time.Now().Add(2 * time.Second)
		printf(a.err, "ambit: checked %d records\n", records)
	}
}

// auditFile reads a small file that the user names, "-" for standard input; ""
// is "".
func auditFile(name string) (string, error) {
	if name == "" {
		return "", nil
	}
	f := os.Stdin
	if name != "-" {
		var err error
		if f, err = os.Open(name); err != nil {
			return "", err
		}
		defer f.Close()
	}
	const most = 16 << 20
	b, err := io.ReadAll(io.LimitReader(f, most+1))
	if err == nil && (len(b) == 0 || len(b) > most) {
		err = fmt.Errorf("%q is empty or too long", name)
	}
	return string(b), err
}

func (a *app) auditProve() *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:   "prove ID|NUMBER",
		Short: "Make a file that proves one record to somebody without the log",
		Long: `Make a file that proves that a record is in the log: the record, its path in the
Merkle tree, a signed head and the public key. check-proof checks it.`,
		Example: `  ambit audit prove d-7f3ak2mq5x -o proof.json
  ambit audit prove 12 > proof.json`,
		Args: exactly(1, "the id or number of one record"),
		RunE: func(_ *cobra.Command, args []string) error {
			dir, err := a.auditDir()
			if err != nil {
				return err
			}
			p, err := audit.Prove(dir, args[0])
			if err != nil {
				return err
			}
			return a.auditSave(output, func(w io.Writer) error {
				enc := json.NewEncoder(w)
				enc.SetEscapeHTML(false)
				enc.SetIndent("", "  ")
				return enc.Encode(p)
			})
		},
	}
	cmd.Flags().StringVarP(&output, "output", "o", "", "write to this new `file`")
	return cmd
}

func (a *app) auditCheckProof() *cobra.Command {
	var keyFile string
	cmd := &cobra.Command{
		Use:   "check-proof FILE",
		Short: "Check a proof, without the log",
		Long: `Check a file that prove made, and show the record that it proves. Without --key
it says only that somebody signed it: anybody can make a key.`,
		Example: `  ambit audit check-proof proof.json --key key.pub
  ambit audit check-proof --json proof.json`,
		Args: exactly(1, "one file"),
		RunE: func(_ *cobra.Command, args []string) error {
			data, err := auditFile(args[0])
			if err != nil {
				return err
			}
			key, err := auditFile(keyFile)
			if err != nil {
				return err
			}
			return a.checkProof(data, key)
		},
	}
	cmd.Flags().StringVar(&keyFile, "key", "", "a `file` with the public key that must have signed it")
	return cmd
}

func (a *app) checkProof(data, key string) error {
	p, err := audit.ParseProof([]byte(data))
	if err != nil {
		return err
	}
	r, h, err := p.Check(key)
	if err != nil {
		return fmt.Errorf("the proof does not hold: %w", err)
	}
	if a.json {
		return a.printJSON(struct {
			OK     bool         `json:"ok"`
			Pinned bool         `json:"pinned"`
			Record audit.Record `json:"record"`
			Head   audit.Head   `json:"head"`
		}{true, key != "", r, h})
	}
	printf(a.out, "record %d of %d is in the log of %s\n", r.Seq, h.Size, capability.Printable(h.Origin))
	if key == "" {
		printf(a.out, "not checked: whose key it is (--key)\n")
	}
	return a.auditDetails(r)
}

func (a *app) auditHead() *cobra.Command {
	return &cobra.Command{
		Use:   "head",
		Short: "Print the last signed head, to keep elsewhere",
		Long: `Print the last signed head: how many records there are, and the root of their
tree. Kept where who could change the log cannot reach it, it holds the log to
everything it covers: ambit audit verify --head FILE.`,
		Example: `  ambit audit head > somewhere/else/head
  ambit audit head --json`,
		Args: nothing,
		RunE: func(*cobra.Command, []string) error {
			dir, err := a.auditDir()
			if err != nil {
				return err
			}
			h, key, err := audit.LastHead(dir)
			if err != nil {
				return err
			}
			if a.json {
				return a.printJSON(struct {
					audit.Head
					Key string `json:"key"`
				}{h, key})
			}
			printf(a.out, "%s", h.Note)
			return nil
		},
	}
}
