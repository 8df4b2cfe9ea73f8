package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"golang.org/x/net/netutil"
	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/console"
	"ambit.dev/ambit/internal/provider"
	"ambit.dev/ambit/internal/server"
	"ambit.dev/ambit/internal/server/port"
	"ambit.dev/ambit/internal/token"
)

func isTerminal() bool {
	_, err := unix.IoctlGetTermios(int(os.Stderr.Fd()), unix.TCGETS)
	return err == nil
}

// openPort makes the port, and what serves it; end ends what goes on beside it.
func openPort(ctx context.Context, o options, s *server.Server, log *slog.Logger) (h *http.Server, l net.Listener, end func(), err error) {
	cert, err := certificate(o)
	if err != nil {
		return nil, nil, nil, err
	}
	l, err = (&net.ListenConfig{}).Listen(ctx, "tcp", o.listen)
	if err != nil {
		return nil, nil, nil, fmt.Errorf("listen on %s: %w", o.listen, err)
	}
	address, err := chosen(o.listen, l)
	if err != nil {
		return nil, nil, nil, err
	}
	logins, err := loginProvider(o, log)
	if err != nil {
		return nil, nil, nil, errors.Join(err, l.Close())
	}
	known := token.Know(token.In(o.state))
	p, err := port.New(port.Config{API: s.Handler(), Ready: s.Ready, Principal: person(), Version: version, Tokens: known,
		Provider: logins, Console: console.Handler(), Address: address, Hosts: o.hosts, Strict: o.cert != "", Now: time.Now, Log: log})
	if err != nil {
		return nil, nil, nil, err
	}
	log.InfoContext(ctx, "listening", "address", address, "certificate", "SHA-256 "+cert.Fingerprint())
	if o.terminal {
		fmt.Fprintf(os.Stderr, "Open %s within five minutes to log in, once.\n", link(address, p.Code()))
	}
	return p.Server(ctx), tls.NewListener(netutil.LimitListener(l, port.MaxConnections), cert.TLS()), besides(ctx, beside(ctx, o, known, cert, log), logins, p), nil
}

// loginProvider is the one that the configuration names; nil where it names none.
func loginProvider(o options, log *slog.Logger) (*provider.Provider, error) {
	if o.config == "" {
		return nil, nil //nolint:nilnil // there need be none
	}
	cfg, err := provider.Load(o.config, token.Roles(), token.Org)
	if err != nil {
		return nil, err
	}
	return provider.New(cfg, time.Now, log)
}

// besides goes on beside the port what logins by a provider need, until ctx ends; end
// is that of the rest.
func besides(ctx context.Context, end func(), logins *provider.Provider, p *port.Port) func() {
	if logins == nil {
		return end
	}
	ctx, cancel := context.WithCancel(ctx)
	var all sync.WaitGroup
	all.Go(func() { logins.Run(ctx) })
	all.Go(func() { p.Renew(ctx) })
	return func() {
		cancel()
		all.Wait()
		end()
	}
}

// certificate is the one that was named, or the host's own.
func certificate(o options) (*port.Certificate, error) {
	if o.cert != "" {
		return port.LoadCertificate(o.cert, o.key)
	}
	host, _, err := net.SplitHostPort(o.listen)
	if err != nil {
		return nil, err
	}
	names := []string{host}
	for _, name := range o.hosts {
		if h, _, err := net.SplitHostPort(name); err == nil {
			name = h
		}
		names = append(names, name)
	}
	return port.OwnCertificate(filepath.Join(o.state, "host"), names, time.Now())
}

// chosen is the address with the port that there is.
func chosen(asked string, l net.Listener) (string, error) {
	host, _, err := net.SplitHostPort(asked)
	if err != nil {
		return "", err
	}
	_, number, err := net.SplitHostPort(l.Addr().String())
	return net.JoinHostPort(host, number), err
}

// link is where a browser logs in. What follows # is not sent to anybody.
func link(address, code string) string {
	host, number, err := net.SplitHostPort(address)
	if ip := net.ParseIP(host); err == nil && (ip != nil && (ip.IsLoopback() || ip.IsUnspecified()) || host == "localhost") {
		address = net.JoinHostPort(port.OwnName, number)
	}
	return "https://" + address + "/#code=" + code
}

// beside writes down when tokens were used, and reads the certificate again when it
// is told to, until ctx ends.
func beside(ctx context.Context, o options, known *token.Known, cert *port.Certificate, log *slog.Logger) (end func()) {
	ctx, cancel := context.WithCancel(ctx)
	hangup := make(chan os.Signal, 1)
	if o.reloads() {
		signal.Notify(hangup, syscall.SIGHUP)
	}
	flush := func() {
		if err := known.Flush(); err != nil {
			log.WarnContext(ctx, "when tokens were used is not written down", "why", err)
		}
	}
	var all sync.WaitGroup
	all.Go(func() {
		defer signal.Stop(hangup)
		tick := time.NewTicker(flushEvery)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				flush()
				return
			case <-tick.C:
				flush()
			case <-hangup:
				if err := cert.Load(); err != nil {
					log.ErrorContext(ctx, "the certificate was not read again", "why", err)
					continue
				}
				log.InfoContext(ctx, "the certificate was read again", "certificate", "SHA-256 "+cert.Fingerprint())
			}
		}
	})
	return func() {
		cancel()
		all.Wait()
	}
}

// flushEvery is how often it is written down when tokens were used.
const flushEvery = 10 * time.Second
