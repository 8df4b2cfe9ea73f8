package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// served is a running `ambit serve`, spoken to as a program would: JSON by its socket.
type served struct {
	*place
	state  string
	cmd    *exec.Cmd
	client *http.Client
}

// hostPatience is how long a busy machine may take for anything here.
const hostPatience = 60 * time.Second

func (p *place) serve(state string) (*served, error) {
	s := &served{place: p, state: state}
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", filepath.Join(state, "host.sock"))
	}
	s.client = &http.Client{Transport: &http.Transport{DialContext: dial, MaxIdleConnsPerHost: 64}, Timeout: hostPatience}
	return s, s.begin()
}

// environment is that of the launchers, with a state of its own.
func (s *served) environment() []string {
	return append(s.place.environment(), "AMBIT_STATE_DIR="+s.state)
}

// begin starts the host, until it answers.
func (s *served) begin() error {
	s.cmd = exec.Command(s.ambit, "serve")
	s.cmd.Dir, s.cmd.Env = s.dir, s.environment()
	if err := s.cmd.Start(); err != nil {
		return err
	}
	for end := time.Now().Add(hostPatience); time.Now().Before(end); time.Sleep(time.Millisecond) {
		if s.call("HostService/GetVersion", struct{}{}, nil) == nil {
			return nil
		}
	}
	return errors.New("ambit serve does not answer")
}

// end ends the host with a signal, and not its sessions.
func (s *served) end(with syscall.Signal) error {
	s.client.CloseIdleConnections()
	if err := s.cmd.Process.Signal(with); err != nil {
		return err
	}
	_ = s.cmd.Wait() // it was killed
	return nil
}

// call is one call of the API.
func (s *served) call(route string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	r, err := s.client.Post("http://ambit/ambit.v1."+route, "application/json", bytes.NewReader(body))
	if err != nil {
		return err
	}
	defer r.Body.Close()
	text, err := io.ReadAll(r.Body)
	if err != nil || r.StatusCode != http.StatusOK {
		return errors.Join(err, fmt.Errorf("%s: %s: %.300s", route, r.Status, text))
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(text, out)
}

// stream calls a route that goes on, and yields its messages until yield says no.
func (s *served) stream(route string, yield func(message []byte) bool) error {
	r, err := s.client.Post("http://ambit/ambit.v1."+route, "application/connect+json", bytes.NewReader([]byte{0, 0, 0, 0, 2, '{', '}'}))
	if err != nil {
		return err
	}
	defer r.Body.Close()
	for {
		var head [5]byte
		if _, err := io.ReadFull(r.Body, head[:]); err != nil {
			return err
		}
		message := make([]byte, binary.BigEndian.Uint32(head[1:]))
		if _, err := io.ReadFull(r.Body, message); err != nil {
			return err
		}
		if head[0] != 0 {
			return fmt.Errorf("%s ended: %s", route, message)
		}
		if !yield(message) {
			return nil
		}
	}
}

type sessionMessage struct {
	ID    string `json:"id"`
	State string `json:"state"`
}

type createRequest struct {
	Argv  []string `json:"argv"`
	Dir   string   `json:"dir,omitempty"`
	Ask   string   `json:"ask,omitempty"`
	Allow []string `json:"allow,omitempty"`
}

// create starts a session.
func (s *served) create(r createRequest) (id string, err error) {
	var out struct {
		Session sessionMessage `json:"session"`
	}
	err = s.call("SessionService/CreateSession", r, &out)
	return out.Session.ID, err
}

type pageRequest struct {
	PageSize int `json:"pageSize"`
}

// running are the sessions that run.
func (s *served) running() (ids []string, err error) {
	var out struct {
		Sessions []sessionMessage `json:"sessions"`
	}
	err = s.call("SessionService/ListSessions", pageRequest{1000}, &out)
	for _, one := range out.Sessions {
		if one.State == "SESSION_STATE_RUNNING" {
			ids = append(ids, one.ID)
		}
	}
	return ids, err
}

// stopAll ends every session.
func (s *served) stopAll() error {
	ids, err := s.running()
	if err != nil {
		return err
	}
	return atOnce(8, len(ids), func(i int) error {
		return s.call("SessionService/StopSession", struct {
			ID  string `json:"id"`
			Now bool   `json:"now"`
		}{ids[i], true}, nil)
	})
}

// atOnce does n things, some at a time.
func atOnce(workers, n int, do func(i int) error) error {
	next, failed := make(chan int), make(chan error, workers)
	for range workers {
		go func() {
			var err error
			for i := range next {
				if err == nil {
					err = do(i)
				}
			}
			failed <- err
		}()
	}
	for i := range n {
		next <- i
	}
	close(next)
	var all error
	for range workers {
		all = errors.Join(all, <-failed)
	}
	return all
}

// file makes a file that a program may be asked about.
func (s *served) file(name string) (string, error) {
	path := filepath.Join(s.one, name)
	return path, os.WriteFile(path, []byte("x\n"), 0o644)
}
