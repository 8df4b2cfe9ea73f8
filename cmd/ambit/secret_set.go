package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"
	"golang.org/x/term"

	"ambit.dev/ambit/internal/core/binding"
	"ambit.dev/ambit/internal/vault/wire"
)

// setFlags are the flags of ambit secret set.
type setFlags struct {
	to, header, basic, query, field, as, form, prefix, env string
	body                                                   bool
}

func (a *app) secretSet() *cobra.Command {
	f := &setFlags{}
	cmd := &cobra.Command{
		Use:   "set NAME --for HOST[:PORT] [flags]",
		Short: "Put a secret into the vault, or change it",
		Long: `Put a secret into the vault, and say where it may go. The value comes from the
standard input, or is asked for at the terminal, where it is not shown; never from
the command line, which every process can read. One line break at its end is left
out.

A secret goes to one destination: https, one host, one port. http://HOST is for the
host's own loopback only. It stands in one place of a request: a header
(Authorization: Bearer … unless another is named), the password of basic
authentication, a parameter of the query, or the body. Where a server shows to
others what it is sent, bind to a place that it does not show: a header, a field.

Or it signs, and is in no request (--as): a request that the program has signed with
the placeholder is signed anew. aws-sigv4:ID is Signature Version 4 of AWS, by the
access key of that id; hmac-sha256:HEADER is that of the body, in hexadecimal or
base64. What cannot be signed anew is refused.

Without --for the value of a secret that is there is changed, and nothing else.`,
		Example: `  ambit secret set github-token --for api.github.com < token.txt
  pass show stripe | ambit secret set stripe --for api.stripe.com --prefix sk_test_
  ambit secret set github-git --for github.com --basic x-access-token
  ambit secret set maps --for maps.example.com --header X-Api-Key
  ambit secret set oauth --for login.example.com --field client_secret
  ambit secret set weather --for api.weather.example --query key
  ambit secret set backups --for s3.eu-central-1.amazonaws.com --as aws-sigv4:$AWS_ACCESS_KEY_ID
  ambit secret set hook --for hooks.example.com --as hmac-sha256:X-Hub-Signature-256 --form 'sha256={}'
  ambit secret set local-db --for http://host.ambit.internal:8080 --form 'Token {}'`,
		RunE: func(cmd *cobra.Command, args []string) error { return a.setSecret(cmd, f, args) },
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 1 {
				return errors.New("ambit secret set takes a name and nothing else: the value comes from the standard input or the terminal")
			}
			return secretNames(cmd, args)
		},
		ValidArgsFunction: a.completeSecrets,
	}
	cmd.SetFlagErrorFunc(func(*cobra.Command, error) error { // what is no flag may be a value
		return errors.New("there is no such flag, or it needs a value; see `ambit secret set --help`")
	})
	fl := cmd.Flags()
	fl.StringVar(&f.to, "for", "", "the only destination that it goes to: `HOST[:PORT]`")
	fl.StringVar(&f.header, "header", "", "it stands in this header: `NAME`")
	fl.StringVar(&f.basic, "basic", "", "it is the password of this user, by basic authentication: `USER`")
	fl.StringVar(&f.query, "query", "", "it is this parameter of the URL: `NAME`")
	fl.BoolVar(&f.body, "body", false, "it stands anywhere in the body: JSON, a form or plain text of at most 1 MiB")
	fl.StringVar(&f.field, "field", "", "it is this field of a body that is a form or a JSON object: `NAME`")
	fl.StringVar(&f.as, "as", "", "it signs: `KIND:ID`, aws-sigv4 with an access key's id or hmac-sha256 with a header")
	fl.StringVar(&f.form, "form", "", "how the header or the parameter is written, {} being the secret: `TEXT`")
	fl.StringVar(&f.prefix, "prefix", "", "what its placeholder begins with, for programs that look at it: `TEXT`")
	fl.StringVar(&f.env, "env-name", "", "the variable inside that has the placeholder: `NAME` (default: the secret's, as in GITHUB_TOKEN)")
	return cmd
}

func (a *app) setSecret(cmd *cobra.Command, f *setFlags, args []string) error {
	before, after := &safe{app: a}, &safe{app: a, write: true}
	defer before.close()
	defer after.close()
	name := args[0]
	old, _, err := before.value(name)
	if err != nil && !errors.Is(err, wire.ErrNotFound) {
		return err
	}
	b, err := f.binding(cmd, name, old)
	if err != nil {
		return err
	}
	text, err := a.readValue(cmd.Context(), name)
	if err != nil {
		return err
	}
	value, err := binding.NewValue(text)
	if err == nil {
		err = b.Fits(value)
	}
	if err != nil {
		return err
	}
	if err := a.recordSecret(cmd.Context(), wire.Entry{Name: name, Binding: b}, false); err != nil {
		return err
	}
	v, err := after.open()
	if err == nil {
		err = v.Set(name, b, value)
	}
	if err != nil {
		return err
	}
	e, err := v.Entry(name)
	if err != nil {
		return err
	}
	if a.json {
		return a.printJSON(e)
	}
	if b.Place.Signs() {
		printf(a.out, "%s is in the vault. It is used toward %s, %s, and goes nowhere.\n", name, b.Target(), b.Words())
	} else {
		printf(a.out, "%s is in the vault. It goes to %s, %s, and nowhere else.\n", name, b.Target(), b.Words())
	}
	printf(a.out, "Inside, %s has its placeholder; allow its use with --allow secret.use:%s@%s\n", b.Env, name, strings.TrimPrefix(strings.TrimPrefix(b.Target().String(), "https://"), "http://"))
	return nil
}

// binding is what the flags say, or what the secret has.
func (f *setFlags) binding(cmd *cobra.Command, name string, old wire.Entry) (binding.Binding, error) {
	fl := cmd.Flags()
	said := count(fl.Changed("header"), fl.Changed("basic"), fl.Changed("query"), fl.Changed("field"), fl.Changed("as"), f.body)
	if f.to == "" {
		switch {
		case old.Name == "":
			return binding.Binding{}, fmt.Errorf("a new secret needs --for HOST: the only destination that %s goes to", name)
		case said > 0 || fl.Changed("form") || fl.Changed("prefix") || fl.Changed("env-name"):
			return binding.Binding{}, errors.New("to bind a secret anew, say the whole of it: --for HOST and where it stands")
		}
		return old.Binding, nil
	}
	if fl.Changed("field") && f.field == "" {
		return binding.Binding{}, errors.New("--field needs the name of a field; --body is anywhere in the body")
	}
	if said > 1 {
		return binding.Binding{}, errors.New("a secret stands in one place: one of --header, --basic, --query, --field, --as and --body")
	}
	t, err := binding.ParseTarget(f.to)
	if err != nil {
		return binding.Binding{}, fmt.Errorf("--for: %w", err)
	}
	b := binding.Binding{Scheme: t.Scheme, Host: t.Host, Port: t.Port, Place: binding.Header, Key: f.header, Form: f.form, Prefix: f.prefix, Env: f.env}
	switch {
	case fl.Changed("basic"):
		b.Place, b.Key = binding.Basic, f.basic
	case fl.Changed("query"):
		b.Place, b.Key = binding.Query, f.query
	case f.body, fl.Changed("field"):
		b.Place, b.Key = binding.Body, f.field
	case fl.Changed("as"):
		kind, key, _ := strings.Cut(f.as, ":")
		if b.Place, b.Key = binding.Place(kind), key; !b.Place.Signs() {
			return binding.Binding{}, fmt.Errorf("--as is %s:ID or %s:HEADER", binding.AWS, binding.HMAC)
		}
	}
	b = b.Default(name)
	return b, b.Check()
}

// readValue reads the value, which is shown nowhere.
func (a *app) readValue(ctx context.Context, name string) (string, error) {
	if term.IsTerminal(int(a.in.Fd())) {
		return a.promptValue(ctx, name)
	}
	text, err := io.ReadAll(io.LimitReader(a.in, binding.MaxValue+3))
	if err != nil {
		return "", fmt.Errorf("read the value: %w", err)
	}
	line := strings.TrimSuffix(string(text), "\n")
	return strings.TrimSuffix(line, "\r"), nil
}

// promptValue asks at the terminal, which shows nothing of what is typed, and
// shows again what is typed there however this ends.
//
// Security: the terminal shows nothing before it asks, and forgets what was typed
// before that.
func (a *app) promptValue(ctx context.Context, name string) (string, error) {
	fd := int(a.in.Fd())
	before, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	if err != nil {
		return "", fmt.Errorf("look at the terminal: %w", err)
	}
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, unix.SIGTERM, unix.SIGHUP)
	defer stop()
	hidden := *before
	hidden.Lflag &^= unix.ECHO
	if err := unix.IoctlSetTermios(fd, unix.TCSETSF, &hidden); err != nil {
		return "", fmt.Errorf("have the terminal show nothing: %w", err)
	}
	defer func() {
		_ = unix.IoctlSetTermios(fd, unix.TCSETS, before) // a terminal that is gone shows nothing
		printf(a.err, "\n")
	}()
	printf(a.err, "Value of %s (it is not shown): ", name)
	type typed struct {
		text []byte
		err  error
	}
	done := make(chan typed, 1)
	go func() {
		text, err := term.ReadPassword(fd)
		done <- typed{text, err}
	}()
	select {
	case <-ctx.Done():
		return "", errors.New("nothing was changed")
	case t := <-done:
		if t.err != nil {
			return "", fmt.Errorf("read the value: %w", t.err)
		}
		return string(t.text), nil
	}
}
