package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"strings"
	"time"
)

// options are what ambit serve was started with.
type options struct {
	state     string
	listen    string // HOST:PORT; "": no port
	cert, key string // files; "": the host's own
	hosts     []string
	notify    string              // the service manager's socket; "": there is none
	config    string              // file; "": none
	standBy   int                 // launchers
	keep      time.Duration       // of what has ended
	json      bool                // it logs as JSON
	traces    func(string) string // the environment, as far as it says where spans go
	terminal  bool                // whoever started it sees what it says
}

// reloads reports whether the hang-up signal means to read files again. At a terminal
// it is the terminal's end.
func (o options) reloads() bool { return o.cert != "" && !o.terminal }

func parse(args []string) (o options, err error) {
	f := flag.NewFlagSet("ambit-host", flag.ContinueOnError)
	f.SetOutput(io.Discard)
	f.StringVar(&o.listen, "listen", "", "")
	f.StringVar(&o.cert, "tls-cert", "", "")
	f.StringVar(&o.key, "tls-key", "", "")
	f.StringVar(&o.config, "config", "", "")
	format := f.String("log-format", "text", "")
	f.IntVar(&o.standBy, "stand-by", 0, "")
	f.DurationVar(&o.keep, "keep-sessions", 0, "")
	f.Func("host", "", func(name string) error {
		o.hosts = append(o.hosts, name)
		return nil
	})
	if err := f.Parse(args); err != nil || f.NArg() != 1 || !filepath.IsAbs(f.Arg(0)) || o.keep <= 0 {
		return o, errors.New("started by ambit serve, with the state folder")
	}
	if *format != "text" && *format != "json" {
		return o, fmt.Errorf("--log-format %q: want text or json", *format)
	}
	o.json = *format == "json"
	o.state, o.terminal, o.notify, o.traces = f.Arg(0), isTerminal(), notifySocket(), traceVariables()
	if o.listen != "" {
		o.listen, err = listenAddress(o.listen)
	}
	return o, err
}

// listenAddress completes an address.
//
// Security: without a host it is loopback's; what other machines reach has to be
// named.
func listenAddress(text string) (string, error) {
	if strings.Trim(text, "0123456789") == "" {
		text = ":" + text
	}
	host, port, err := net.SplitHostPort(text)
	if err != nil || port == "" {
		return "", fmt.Errorf("--listen %q: expected an address as in 8443, 127.0.0.1:8443 or [::1]:8443", text)
	}
	if host == "" {
		host = "127.0.0.1"
	}
	return net.JoinHostPort(host, port), nil
}
