package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"ambit.dev/ambit/test/guest/job"
)

// runJobs runs the list that comes over standard input, one job after another.
func runJobs() error {
	var l job.List
	if err := json.NewDecoder(os.Stdin).Decode(&l); err != nil {
		return err
	}
	out, err := openPort()
	if err != nil {
		return err
	}
	for i, j := range l.Jobs {
		began := time.Now()
		e := job.Event{Job: i, Ended: true}
		if err := runJob(out, i, j); err != nil {
			e.Error = err.Error()
		}
		e.Took = time.Since(began)
		out.send(e)
	}
	return nil
}

// A port is the guest's end of the channel.
type port struct {
	mu sync.Mutex
	f  *os.File // guarded by mu
}

func openPort() (*port, error) {
	const all = "/sys/class/virtio-ports"
	names, err := os.ReadDir(all)
	if err != nil {
		return nil, err
	}
	for _, n := range names {
		text, err := os.ReadFile(filepath.Join(all, n.Name(), "name"))
		if err != nil || strings.TrimSpace(string(text)) != job.Port {
			continue
		}
		f, err := os.OpenFile(filepath.Join("/dev", n.Name()), os.O_WRONLY, 0)
		if err != nil {
			return nil, err
		}
		return &port{f: f}, nil
	}
	return nil, fmt.Errorf("no port is named %s", job.Port)
}

func (p *port) send(e job.Event) {
	text, err := json.Marshal(e)
	if err != nil {
		panic(err) // of plain values
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, err := p.f.Write(append(text, '\n')); err != nil {
		fmt.Fprintln(os.Stderr, "inside: send:", err)
	}
}

func runJob(out *port, number int, j job.Job) error {
	if j.Setting != "" {
		before, err := os.ReadFile(j.Setting)
		if err == nil {
			err = os.WriteFile(j.Setting, []byte("0\n"), 0)
		}
		if err != nil {
			return err
		}
		defer os.WriteFile(j.Setting, before, 0) //nolint:errcheck // the next jobs would tell
	}
	ctx, cancel := context.WithTimeout(context.Background(), j.Limit)
	defer cancel()
	cmd := exec.CommandContext(ctx, j.Argv[0], j.Argv[1:]...)
	cmd.Dir, cmd.Env = j.Dir, j.Env
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if j.UID != 0 {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: uint32(j.UID), Gid: uint32(j.UID)}
	}
	if j.Group != "" {
		dir, err := makeGroup(j, fmt.Sprintf("job-%d.scope", number))
		if err != nil {
			return err
		}
		defer dir.Close()
		cmd.SysProcAttr.UseCgroupFD, cmd.SysProcAttr.CgroupFD = true, int(dir.Fd())
	}
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	cmd.Stdout, cmd.Stderr = w, w
	// What a job started may live on and hold the pipe: it is not waited for.
	go func() {
		buf := make([]byte, 32<<10)
		for {
			n, err := r.Read(buf)
			if n > 0 {
				out.send(job.Event{Job: number, Out: buf[:n]})
			}
			if err != nil {
				if !errors.Is(err, io.EOF) {
					fmt.Fprintln(os.Stderr, "inside: read:", err)
				}
				return
			}
		}
	}()
	err = cmd.Run()
	if ctx.Err() != nil {
		err = fmt.Errorf("it took longer than %s", j.Limit)
	}
	_ = w.Close()
	time.Sleep(100 * time.Millisecond) // for what is in the pipe
	return err
}

// makeGroup makes a control group of a job's own. A delegated one is what systemd
// gives to a user: the folder and the files to divide it, with the controllers
// handed down by root above it (cgroups(7), "Delegation").
func makeGroup(j job.Job, own string) (*os.File, error) {
	const top = "/sys/fs/cgroup"
	dir := top
	for name := range strings.SplitSeq(j.Group+"/"+own, "/") {
		if j.Delegate {
			if err := os.WriteFile(filepath.Join(dir, "cgroup.subtree_control"), []byte("+memory +pids +cpu"), 0); err != nil {
				return nil, err
			}
		}
		dir = filepath.Join(dir, name)
		if err := os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, os.ErrExist) {
			return nil, err
		}
	}
	if j.Delegate {
		for _, name := range []string{".", "cgroup.procs", "cgroup.threads", "cgroup.subtree_control"} {
			if err := os.Chown(filepath.Join(dir, name), j.UID, j.UID); err != nil {
				return nil, err
			}
		}
	}
	return os.OpenFile(dir, unix.O_DIRECTORY|unix.O_RDONLY, 0)
}

func modprobe(name string) error {
	out, err := exec.Command("/sbin/modprobe", name).CombinedOutput() //nolint:noctx // it ends at once
	if err != nil {
		return fmt.Errorf("modprobe %s: %w: %s", name, err, strconv.Quote(string(out)))
	}
	return nil
}
