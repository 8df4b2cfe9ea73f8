package main

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"
)

// An order is something to measure, given to the program inside on its standard
// input, one a line.
type order struct {
	Op    string // "up", "down", "connect", "named", "request", "lookup", "ready"
	To    string // host and port; with "lookup" the name server
	Name  string // that "lookup" asks for
	Count int
	For   time.Duration
	Roots []byte `json:",omitempty"` // certificates that are trusted, as PEM
	Proxy string `json:",omitempty"` // of HTTP, that requests over TLS go by
	Two   bool   `json:",omitempty"` // by HTTP/2, of one connection
	Path  string `json:",omitempty"` // that is asked for, without its first slash
}

// A finding is its answer.
type finding struct {
	Took  samples `json:",omitempty"`
	Bytes int64
	For   time.Duration
	Error string
}

// inside is the program that is measured: it runs in each sandbox, the same, and
// plain. Given an address it connects there once and ends; otherwise it takes
// orders.
func inside(args []string) error {
	if len(args) > 0 {
		return first(args[0])
	}
	in, out := bufio.NewScanner(os.Stdin), json.NewEncoder(os.Stdout)
	for in.Scan() {
		var o order
		if err := json.Unmarshal(in.Bytes(), &o); err != nil {
			return err
		}
		f, err := o.do()
		if err != nil {
			f.Error = err.Error()
		}
		if err := out.Encode(f); err != nil {
			return err
		}
	}
	return in.Err()
}

// first connects as soon as there is a network, and exchanges a byte.
func first(to string) error {
	var err error
	for range 5000 {
		if _, err = ping(to); err == nil {
			return nil
		}
		time.Sleep(time.Millisecond)
	}
	return err
}

func (o order) do() (finding, error) {
	switch o.Op {
	case "up", "down":
		return flood(o.To, o.Op, o.For)
	case "request":
		return requests(o.To, o.Count)
	case "lookup":
		return lookups(o.To, o.Name, o.Count)
	case "connect": // to an address that was looked up before
		to, err := looked(o.To)
		if err != nil {
			return finding{}, err
		}
		return pings(to, o.Count)
	case "named":
		return pings(o.To, o.Count)
	case "secure", "secure new", "secure rush", "secure body":
		return o.secure()
	case "ready":
		return finding{}, first(o.To)
	default:
		return finding{}, fmt.Errorf("no order %q", o.Op)
	}
}

// proxy is where connections have to go through, nil where there is a network.
func proxy() (*url.URL, error) {
	text := os.Getenv("HTTP_PROXY")
	if text == "" {
		return nil, nil //nolint:nilnil // none is no error
	}
	return url.Parse(text)
}

// dial connects, by way of the proxy if there is one.
func dial(to string) (net.Conn, error) {
	by, err := proxy()
	if err != nil || by == nil {
		c, derr := net.DialTimeout("tcp", to, 10*time.Second)
		return c, errors.Join(err, derr)
	}
	c, err := net.DialTimeout("tcp", by.Host, 10*time.Second)
	if err != nil {
		return nil, err
	}
	request := &http.Request{Method: http.MethodConnect, URL: &url.URL{Host: to}, Host: to, Header: http.Header{}}
	if by.User != nil {
		word, _ := by.User.Password()
		request.SetBasicAuth(by.User.Username(), word)
		request.Header["Proxy-Authorization"] = request.Header["Authorization"]
		request.Header.Del("Authorization")
	}
	if err := request.Write(c); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	r := bufio.NewReader(c)
	answer, err := http.ReadResponse(r, request)
	if err == nil && answer.StatusCode != http.StatusOK {
		err = fmt.Errorf("the proxy says %s", answer.Status)
	}
	if err == nil && r.Buffered() > 0 {
		err = errors.New("the far end spoke first")
	}
	if err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

// looked is the address behind a name, or what a proxy looks up itself.
func looked(to string) (string, error) {
	if by, err := proxy(); by != nil || err != nil {
		return to, err
	}
	a, err := net.ResolveTCPAddr("tcp", to)
	if err != nil {
		return "", err
	}
	return a.String(), nil
}

// ping is a new connection with its first byte there and back.
func ping(to string) (time.Duration, error) {
	began := time.Now()
	c, err := dial(to)
	if err != nil {
		return 0, err
	}
	defer c.Close() //nolint:errcheck // nothing is lost by it
	one := []byte{'p'}
	if _, err = c.Write(one); err == nil {
		_, err = io.ReadFull(c, one)
	}
	return time.Since(began), err
}

func pings(to string, count int) (f finding, err error) {
	for range count {
		took, err := ping(to)
		if err != nil {
			return f, err
		}
		f.Took = append(f.Took, took)
	}
	return f, nil
}

func flood(to, direction string, wait time.Duration) (f finding, err error) {
	c, err := dial(to)
	if err != nil {
		return f, err
	}
	defer c.Close() //nolint:errcheck // nothing is lost by it
	if _, err := io.WriteString(c, direction[:1]); err != nil {
		return f, err
	}
	move := c.Read
	if direction == "up" {
		move = c.Write
	}
	buf := make([]byte, pieces)
	began := time.Now()
	for f.For < wait {
		n, err := move(buf)
		if err != nil {
			return f, err
		}
		f.Bytes += int64(n)
		f.For = time.Since(began)
	}
	return f, nil
}

// requests are GETs on one connection; the first one, which makes it, does not
// count.
func requests(to string, count int) (f finding, err error) {
	by, err := proxy()
	if err != nil {
		return f, err
	}
	transport := &http.Transport{Proxy: func(*http.Request) (*url.URL, error) { return by, nil }}
	defer transport.CloseIdleConnections()
	client := http.Client{Transport: transport}
	for i := range count + 1 {
		began := time.Now()
		r, err := client.Get("http://" + to + "/")
		if err != nil {
			return f, err
		}
		text, err := io.ReadAll(r.Body)
		took := time.Since(began)
		if err := errors.Join(err, r.Body.Close()); err != nil || string(text) != "ok" {
			return f, fmt.Errorf("%s with %q: %w", r.Status, text, err)
		}
		if i > 0 {
			f.Took = append(f.Took, took)
		}
	}
	return f, nil
}

// lookups ask a name server for the IPv4 addresses of a name.
func lookups(server, name string, count int) (f finding, err error) {
	c, err := net.Dial("udp", server)
	if err != nil {
		return f, err
	}
	defer c.Close() //nolint:errcheck // nothing is lost by it
	buf := make([]byte, 1500)
	for i := range count {
		began := time.Now()
		if err := c.SetDeadline(began.Add(time.Second)); err != nil {
			return f, err
		}
		if _, err := c.Write(question(uint16(i), name)); err != nil {
			return f, err
		}
		n, err := c.Read(buf)
		if err != nil {
			return f, err
		}
		if n < 12 || binary.BigEndian.Uint16(buf) != uint16(i) || buf[3]&0xf != 0 {
			return f, fmt.Errorf("no answer: %x", buf[:min(n, 12)])
		}
		f.Took = append(f.Took, time.Since(began))
	}
	return f, nil
}

// question is a query for one name (RFC 1035, section 4).
func question(id uint16, name string) []byte {
	b := binary.BigEndian.AppendUint16(nil, id)
	b = append(b, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0) // recursion desired, one question
	for label := range strings.SplitSeq(name, ".") {
		b = append(append(b, byte(len(label))), label...)
	}
	return append(b, 0, 0, 1, 0, 1) // an address, of the Internet
}
