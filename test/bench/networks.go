package main

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// networks are the ways that this host has.
func (m *measurer) networks(f *far) ([]network, error) {
	self, err := m.program()
	if err != nil {
		return nil, err
	}
	all := []network{
		{Name: "plain", host: "127.0.0.1", start: func(args ...string) (*running, error) {
			return launch(append([]string{self}, args...), m.environment(), m.out)
		}, carries: func(*running) []int { return nil }},
		m.ambitNetwork(self, f),
		{Name: "slirp4netns", host: "10.0.2.2", start: m.attached(self, func(pid int) []string {
			return []string{"slirp4netns", "--configure", "--mtu=65520", strconv.Itoa(pid), "tap0"}
		}), carries: besides},
		{Name: "pasta", host: gateway(), start: m.attached(self, func(pid int) []string {
			argv := []string{"pasta", "-f", "-q", "--config-net", "-m", "65520", "-T", "none", "-U", "none", "-t", "none", "-u", "none"}
			if os.Getuid() == 0 {
				argv = append(argv, "--runas", "0")
			}
			return append(argv, strconv.Itoa(pid))
		}), carries: besides},
	}
	if m.srt != "" {
		all = append(all, m.srtNetwork(self))
	}
	for i := range all {
		all[i].Version = version(m.place, all[i].Name)
	}
	return all, nil
}

// program puts this program where every sandbox can show it.
func (m *measurer) program() (string, error) {
	self, err := os.Executable()
	if err != nil {
		return "", err
	}
	text, err := os.ReadFile(self)
	if err != nil {
		return "", err
	}
	to := filepath.Join(m.one, "bench")
	return to, os.WriteFile(to, text, 0o755)
}

func (m *measurer) ambitNetwork(self string, f *far, flags ...string) network {
	raw, web := f.ports()
	head := slices.Concat([]string{m.ambit, "run", "--allow", "fs.read:" + m.one}, flags)
	for _, port := range []string{raw, web} {
		head = append(head, "--allow", "net.connect:"+grantedHost+":"+port)
	}
	head = append(head, "--", self)
	return network{
		Name: "ambit", host: grantedHost, named: true, server: "198.19.255.3:53",
		start: func(args ...string) (*running, error) {
			return launch(slices.Concat(head, args), m.environment(), m.out)
		},
		carries: func(r *running) []int {
			return slices.DeleteFunc(r.pids(), func(pid int) bool {
				name, _ := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
				return strings.TrimSpace(string(name)) != "ambit-egress"
			})
		},
	}
}

// attached starts the program in namespaces of its own, and beside it what gives
// those a network.
func (m *measurer) attached(self string, beside func(pid int) []string) func(args ...string) (*running, error) {
	return func(args ...string) (*running, error) {
		r, err := launch(slices.Concat([]string{"unshare", "-U", "-r", "-n", self}, args), m.environment(), m.out)
		if err != nil {
			return nil, err
		}
		pid := r.program.Process.Pid
		for range 5000 { // until it is there: the namespaces are its own then
			if exe, _ := os.Readlink(fmt.Sprintf("/proc/%d/exe", pid)); exe == self {
				break
			}
			time.Sleep(time.Millisecond)
		}
		argv := beside(pid)
		r.beside = exec.Command(argv[0], argv[1:]...)
		if err := r.beside.Start(); err != nil {
			r.beside = nil
			return nil, errors.Join(err, r.stop())
		}
		return r, nil
	}
}

// besides are the processes that make the network from outside.
func besides(r *running) []int { return family(r.beside.Process.Pid) }

// gateway is that of the host's default route, by which pasta leads to the host's
// loopback; "" if there is none.
func gateway() string {
	text, _ := os.ReadFile("/proc/net/route")
	for line := range strings.Lines(string(text)) {
		f := strings.Fields(line)
		if len(f) < 3 || f[1] != "00000000" {
			continue
		}
		b, err := hex.DecodeString(f[2])
		if err == nil && len(b) == 4 {
			return fmt.Sprintf("%d.%d.%d.%d", b[3], b[2], b[1], b[0]) // as it lies in memory
		}
	}
	return ""
}

// srtNetwork is no network, but proxies of HTTP and SOCKS: the program has to use
// one.
func (m *measurer) srtNetwork(self string) network {
	return network{
		Name: "srt", host: "127.0.0.1",
		start: func(args ...string) (*running, error) {
			type part = map[string]any // srt's configuration file
			text, err := json.Marshal(part{
				"network":    part{"allowedDomains": []string{"127.0.0.1", "localhost"}, "deniedDomains": []string{}},
				"filesystem": part{"denyRead": []string{}, "allowWrite": []string{m.out}, "denyWrite": []string{}},
			})
			if err != nil {
				return nil, err
			}
			settings := m.in("srt.json")
			if err := os.WriteFile(settings, text, 0o644); err != nil {
				return nil, err
			}
			return launch(slices.Concat([]string{m.srt, "--settings", settings, "--", self}, args), m.environment(), m.out)
		},
		carries: func(r *running) []int {
			return slices.DeleteFunc(r.pids(), func(pid int) bool {
				exe, _ := os.Readlink(fmt.Sprintf("/proc/%d/exe", pid))
				return exe == self
			})
		},
	}
}
