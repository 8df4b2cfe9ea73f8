package escape_test

import (
	"net"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestN18OtherPorts(t *testing.T) {
	needStage(t)
	a := attack{
		ID: "N18, N21", Title: "another port, or another protocol, of an allowed host",
		Reference: "CONNECT to port 22 or 25; rules that refuse and rules that drop; UDP and IPv6 that nobody thought of",
		Tiers:     process,
		Setup: func(_ *testing.T, f *field) {
			s := stage{Names: map[string][]string{"allowed.test": {"93.184.215.14"}}}
			for _, at := range []string{":22", ":25", ":443", ":8000", ":8005", ":8010", ":8011"} {
				s.Services = append(s.Services, service{Name: "tcp" + at, At: at}, service{Name: "udp" + at, Kind: "udp", At: at})
			}
			f.staged(s)
		},
		Flags: func(*field) []string {
			return []string{"--allow", "net.connect:allowed.test:443", "--allow", "net.connect:allowed.test:8000-8010", "--deny", "net.connect:allowed.test:8005",
				"--allow", "net.connect:allowed.test:8000-8010", "--allow", "net.connect:93.184.215.14:8000"}
		},
		Harm: func(f *field) string { return f.reached() },
	}
	no := refused(unix.ECONNREFUSED)
	for _, port := range []string{"22", "25", "8005", "8011"} {
		a.Tries = append(a.Tries, try{Name: port, Do: func(f *field) error { return f.dial("tcp4", "allowed.test:"+port) }, Want: no})
	}
	for _, at := range []string{"allowed.test:443", "allowed.test:8000", "93.184.215.14:8000", "93.184.215.14:8005"} {
		a.Tries = append(a.Tries, try{Name: "UDP " + at, Do: func(f *field) error { return f.datagram(at) }, Want: no})
	}
	for _, at := range []string{"[2001:db8::1]:8000", "[64:ff9b::5db8:d70e]:8005", "[2002:5db8:d70e::1]:8005"} {
		a.Tries = append(a.Tries,
			try{Name: "TCP " + at, NoControl: "the host may have no IPv6", Do: func(f *field) error { return f.dial("tcp6", at) }, Want: no},
			try{Name: "UDP " + at, NoControl: "the host may have no IPv6", Do: func(f *field) error { return f.datagram(at) }, Want: no})
	}
	a.run(t)
}

// The ports that were granted are reached, up to both ends of a range.
func TestN21PortsOfARange(t *testing.T) {
	needStage(t)
	a := attack{
		ID: "N21", Title: "the ends of a range of ports",
		Tiers: process,
		Setup: func(_ *testing.T, f *field) {
			f.staged(stage{Names: map[string][]string{"allowed.test": {"93.184.215.14"}}, Services: []service{{Name: "first", At: ":8000"},
				{Name: "last", At: ":8010"}, {Name: "udp", Kind: "udp", At: ":8000"}}})
		},
		Flags: func(*field) []string {
			return []string{"--allow", "net.connect:allowed.test:8000-8010", "--allow", "net.connect:allowed.test:8000/udp"}
		},
	}
	for _, port := range []string{"8000", "8010"} {
		a.Tries = append(a.Tries, try{Name: port, Do: func(f *field) error { return f.dial("tcp4", "allowed.test:"+port) }, Want: allowed("it is granted")})
	}
	a.Tries = append(a.Tries, try{Name: "UDP", Do: func(f *field) error { return f.datagram("allowed.test:8000") }, Want: allowed("it is granted by itself")})
	a.run(t)
}

// datagram sends one and waits for the answer.
func (f *field) datagram(at string) error {
	c, err := net.Dial("udp", at)
	if err != nil {
		return err
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(dialTime))
	if _, err := c.Write([]byte("x")); err != nil {
		return err
	}
	buf := make([]byte, 64)
	n, err := c.Read(buf)
	f.note.Write(buf[:n])
	return err
}
