package egress_test

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"ambit.dev/ambit/internal/enforce/link/linktest"
)

// flood sends or receives for a while and returns bytes per second.
func flood(ctx context.Context, args []string) (string, error) {
	to, direction := args[0], args[1]
	wait, err := time.ParseDuration(args[2])
	if err != nil {
		return "", err
	}
	c, err := (&net.Dialer{}).DialContext(ctx, "tcp", to)
	if err != nil {
		return "", err
	}
	defer c.Close()
	if _, err := io.WriteString(c, direction); err != nil {
		return "", err
	}
	buf := make([]byte, 256<<10)
	begun := time.Now()
	n := 0
	for time.Since(begun) < wait {
		var k int
		if direction == "u" {
			k, err = c.Write(buf)
		} else {
			k, err = c.Read(buf)
		}
		if err != nil {
			return "", err
		}
		n += k
	}
	return strconv.FormatFloat(float64(n)/time.Since(begun).Seconds(), 'f', 0, 64), nil
}

// pings connects n times and exchanges a byte, or exchanges n bytes on one
// connection, and returns the median in nanoseconds.
func pings(ctx context.Context, args []string) (string, error) {
	to, kind := args[0], args[1]
	n, err := strconv.Atoi(args[2])
	if err != nil {
		return "", err
	}
	var took []time.Duration
	var c net.Conn
	one := []byte{'p'}
	for range n {
		begun := time.Now()
		if c == nil || kind == "connect" {
			if c, err = (&net.Dialer{}).DialContext(ctx, "tcp", to); err != nil {
				return "", err
			}
		}
		if _, err := c.Write(one); err != nil {
			return "", err
		}
		if _, err := io.ReadFull(c, one); err != nil {
			return "", err
		}
		took = append(took, time.Since(begun))
		if kind == "connect" {
			_ = c.Close()
		}
	}
	b, err := json.Marshal(took)
	return string(b), err
}

// far is the other end of the benchmarks: 'u' it takes, 'd' it gives, 'p' it
// answers.
func far(b testing.TB) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				buf := make([]byte, 256<<10)
				if _, err := io.ReadFull(c, buf[:1]); err != nil {
					return
				}
				switch buf[0] {
				case 'u':
					_, _ = io.CopyBuffer(struct{ io.Writer }{io.Discard}, struct{ io.Reader }{c}, buf)
				case 'd':
					for err == nil {
						_, err = c.Write(buf)
					}
				default:
					for err == nil {
						if _, err = c.Write(buf[:1]); err == nil {
							_, err = io.ReadFull(c, buf[:1])
						}
					}
				}
			}()
		}
	}()
	return l.Addr().String()
}

// others are programs that give a namespace a network too: how to start one for
// a process, and how the host's loopback is reached through it.
var others = []struct {
	name    string
	start   func(pid int) []string
	gateway string // "" for that of the default route
}{
	{"slirp4netns", func(pid int) []string {
		return []string{"slirp4netns", "--configure", "--mtu=65520", strconv.Itoa(pid), "tap0"}
	}, "10.0.2.2"},
	{"pasta", func(pid int) []string {
		return []string{"pasta", "--runas", "0", "-f", "-q", "--config-net", "-m", "65520", "-T", "none", "-U", "none", "-t", "none", "-u", "none", strconv.Itoa(pid)}
	}, ""},
}

// enter runs a copy of the test binary in the namespaces of a process.
func enter(pid int, op string, args ...string) (string, error) {
	text, err := json.Marshal(append([]string{op}, args...))
	if err != nil {
		return "", err
	}
	cmd := exec.Command("nsenter", "--preserve-credentials", "-U", "-n", "-t", strconv.Itoa(pid), os.Args[0])
	cmd.Env = append(os.Environ(), linktest.OneOp+"="+string(text))
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	return strings.TrimSpace(string(out)), err
}

// measureOther measures one of the others.
func measureOther(t *testing.B, i int, port string) {
	o := others[i]
	if _, err := exec.LookPath(o.name); err != nil {
		t.Skipf("requires %s", o.name)
	}
	holder := exec.Command("unshare", "-Urn", "sleep", "60")
	if err := holder.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = holder.Process.Kill(); _ = holder.Wait() }()
	time.Sleep(300 * time.Millisecond)
	argv := o.start(holder.Process.Pid)
	network := exec.Command(argv[0], argv[1:]...)
	if err := network.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = network.Process.Kill(); _ = network.Wait() }()
	time.Sleep(500 * time.Millisecond)
	to := o.gateway
	if to == "" {
		out, err := exec.Command("ip", "route", "get", "1.1.1.1").Output()
		f := strings.Fields(string(out))
		if at := slices.Index(f, "via"); err == nil && at >= 0 {
			to = f[at+1]
		}
	}
	measure(t, to+":"+port, func(op string, args ...string) (string, error) {
		return enter(holder.Process.Pid, op, args...)
	})
}

// measure prints what a network costs.
func measure(t *testing.B, to string, do func(op string, args ...string) (string, error)) {
	t.Helper()
	run := func(args ...string) string {
		out, err := do(args[0], args[1:]...)
		if err != nil {
			t.Fatal(args, err)
		}
		return out
	}
	rate := func(dir string) float64 {
		v, _ := strconv.ParseFloat(run("flood", to, dir, "500ms"), 64)
		return v * 8 / 1e9
	}
	median := func(kind string, n int) time.Duration {
		var took []time.Duration
		_ = json.Unmarshal([]byte(run("pings", to, kind, strconv.Itoa(n))), &took)
		slices.Sort(took)
		return took[len(took)/2].Round(100 * time.Nanosecond)
	}
	t.ReportMetric(0, "ns/op") // it says nothing here
	t.ReportMetric(rate("u"), "up-Gbit/s")
	t.ReportMetric(rate("d"), "down-Gbit/s")
	t.ReportMetric(float64(median("connect", 300).Microseconds()), "connect-µs")
	t.ReportMetric(float64(median("trip", 1000).Microseconds()), "trip-µs")
}

// BenchmarkNetworks measures the plane beside plain loopback and other networks
// for a namespace: throughput in both directions, a connection that is asked for
// by name with its first byte, and a byte to and fro. Run it with -benchtime 1x.
func BenchmarkNetworks(b *testing.B) {
	at := far(b)
	_, port, _ := net.SplitHostPort(at)
	ops := map[string]linktest.Op{"flood": flood, "pings": pings}
	b.Run("plain", func(b *testing.B) {
		measure(b, at, func(op string, args ...string) (string, error) { return ops[op](b.Context(), args) })
	})
	for name, o := range linktest.Kinds() {
		b.Run(name, func(b *testing.B) {
			w := start(b, o, []string{"net.connect:a.test:" + port, "net.connect:127.0.0.1:" + port}, nil)
			w.hosts.set("a.test", "127.0.0.1")
			measure(b, "a.test:"+port, w.Do)
		})
	}
	for i, o := range others {
		b.Run(o.name, func(b *testing.B) { measureOther(b, i, port) })
	}
}
