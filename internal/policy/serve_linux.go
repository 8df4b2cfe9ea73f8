package policy

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/user"
	"slices"
	"strconv"

	"ambit.dev/ambit/internal/companion"
	"ambit.dev/ambit/internal/policy/wire"
)

// Myself is who runs this process, as the system's list of users has it.
func Myself() (wire.User, error) {
	u := wire.User{UID: os.Getuid()}
	u.Name = strconv.Itoa(u.UID)
	if known, err := user.LookupId(u.Name); err == nil { // one that is in no list has no name
		u.Name, u.Home = known.Username, known.HomeDir
	}
	groups, err := os.Getgroups()
	if err != nil {
		return u, fmt.Errorf("read the groups: %w", err)
	}
	u.Groups = append(groups, os.Getgid())
	slices.Sort(u.Groups)
	u.Groups = slices.Compact(u.Groups)
	return u, nil
}

// A server answers by a folder, as it is when it is asked.
type server struct {
	folder Folder
	asks   wire.User
	stamp  string // of what set was made of
	set    *Set
}

// Serve answers questions until there are no more.
func Serve(conn *companion.Conn, folder Folder, asks wire.User) error {
	s := &server{folder: folder, asks: asks}
	for {
		var q wire.Question
		if err := conn.Receive(&q); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		if err := conn.Send(s.answer(q)); err != nil {
			return err
		}
	}
}

// answer answers one question.
//
// Security: policies that cannot be used are a fault, which forbids everything.
func (s *server) answer(q wire.Question) (a wire.Answer) {
	if err := s.read(); err != nil {
		return wire.Answer{Fault: err.Error()}
	}
	a.Set = s.set.digest
	for _, r := range q.Requests {
		a.Verdicts = append(a.Verdicts, s.set.Judge(r, s.asks))
	}
	if q.List {
		a.User = &s.asks
		for _, r := range s.set.rules {
			a.Policies = append(a.Policies, r.Policy)
		}
	}
	return a
}

// read reads the folder where it has changed.
func (s *server) read() error {
	now, err := s.folder.stamp()
	if err != nil {
		return err
	}
	if s.set != nil && now == s.stamp {
		return nil
	}
	s.set = nil
	files, stamp, err := s.folder.read()
	if err != nil {
		return err
	}
	set, err := parse(files)
	if err != nil {
		return fmt.Errorf("%s/%w", s.folder.Path, err)
	}
	s.set, s.stamp = set, stamp
	return nil
}
