package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/approval"
	"ambit.dev/ambit/internal/approval/remote"
)

// Where the secret of --ask-url comes from.
const (
	secretVariable     = "AMBIT_ASK_SECRET"
	secretFileVariable = "AMBIT_ASK_SECRET_FILE"
)

// maxSecret bounds the file of a secret.
const maxSecret = 4096

// webhookProgram asks by URL. It lies beside ambit.
const webhookProgram = "ambit-webhook"

// webhookSetup is what it is told. The same stands in cmd/ambit-webhook.
type webhookSetup struct {
	URL    string `json:"url"`
	Secret string `json:"secret"`
}

// readURL makes the front for --ask-url, if it was given.
func (a *app) readURL(ctx context.Context, f *runFlags) error {
	if f.askURL == "" {
		return nil
	}
	if f.ask == askNone {
		return errors.New("--ask-url asks, and --ask none asks nobody; leave one out")
	}
	front, err := webhookFront(ctx, f.askURL)
	if err != nil {
		return fmt.Errorf("--ask-url: %w", err)
	}
	f.webhook = front
	return nil
}

func webhookFront(ctx context.Context, url string) (approval.Front, error) {
	secret, err := readSecret()
	if err != nil {
		return nil, err
	}
	setup, err := json.Marshal(webhookSetup{url, secret}) //nolint:gosec // for a pipe to the process that signs with it
	if err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err == nil {
		self, err = filepath.EvalSymlinks(self)
	}
	if err != nil {
		return nil, fmt.Errorf("find %s: %w", webhookProgram, err)
	}
	var env []string
	for _, name := range []string{"SSL_CERT_FILE", "SSL_CERT_DIR"} { // who is trusted, crypto/x509
		if value, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+value)
		}
	}
	return remote.New(ctx, remote.Config{Path: filepath.Join(filepath.Dir(self), webhookProgram), Env: env, Setup: string(setup)})
}

// readSecret reads the secret from the file or the variable.
func readSecret() (string, error) {
	file, text := os.Getenv(secretFileVariable), os.Getenv(secretVariable)
	switch {
	case file != "" && text != "":
		return "", fmt.Errorf("both %s and %s are set; which one?", secretFileVariable, secretVariable)
	case file == "" && text == "":
		return "", fmt.Errorf("set %s to a file that holds the secret", secretFileVariable)
	case file == "":
		return text, nil
	}
	text, err := readPrivate(file)
	if err != nil {
		return "", fmt.Errorf("read the secret: %w", err)
	}
	return text, nil
}

// readPrivate reads a small file that nobody else may read.
//
// Security: the file that is read is the one whose mode was looked at.
func readPrivate(path string) (string, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return "", err
	}
	defer f.Close()
	fi, err := f.Stat()
	if err != nil {
		return "", err
	}
	owner, ok := fi.Sys().(*syscall.Stat_t)
	switch {
	case !fi.Mode().IsRegular():
		return "", fmt.Errorf("%q is no file", path)
	case !ok || owner.Uid != 0 && int(owner.Uid) != os.Geteuid():
		return "", fmt.Errorf("%q belongs to somebody else", path)
	case fi.Mode().Perm()&0o077 != 0:
		return "", fmt.Errorf("%q may be read by others; want mode 0600, it has %04o", path, fi.Mode().Perm())
	case fi.Size() > maxSecret:
		return "", fmt.Errorf("%q is longer than %d bytes", path, maxSecret)
	}
	text, err := io.ReadAll(io.LimitReader(f, maxSecret))
	return string(text), err
}

// secretFile is the file of the secret, without links; "" if there is none.
func secretFile() string {
	path := os.Getenv(secretFileVariable)
	if path == "" {
		return ""
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		return ""
	}
	if real, err := filepath.EvalSymlinks(abs); err == nil {
		return real
	}
	return abs
}
