package script_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// vaults are the processes of the vault that a process has started.
func vaults(t *testing.T, of int) (all []int) {
	t.Helper()
	for _, pid := range childrenOf(t, of) {
		if name, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid)); err == nil && string(name) == "ambit-vault\n" {
			all = append(all, pid)
		}
	}
	return all
}

// TestSecretVault: a run keeps one process of the vault, however often a secret is
// used. Another takes the place of one that was killed, and none outlives the run.
func TestSecretVault(t *testing.T) {
	s := newSecretBench(t)
	x := s.talk("run", "--ask", "none", "--allow", "net.connect:"+s.host(), "--allow", "secret.use:token@"+s.host(), "--")
	x.ask("/plain?1", "200 hello")
	before := vaults(t, x.pid)
	x.ask("/plain?2", "200 hello")
	if after := vaults(t, x.pid); len(before) != 1 || len(after) != 1 || before[0] != after[0] {
		t.Fatalf("after one use %v, after two %v", before, after)
	}
	if err := syscall.Kill(before[0], syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	gone := func(pid int) bool { return errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) }
	for begin := time.Now(); !gone(before[0]) && time.Since(begin) < patience; {
		time.Sleep(time.Millisecond)
	}
	x.ask("/plain?3", "200 hello")
	after := vaults(t, x.pid)
	if len(after) != 1 || after[0] == before[0] {
		t.Fatalf("after it was killed: %v, before %v", after, before)
	}
	x.wait()
	until(t, "that it ends with the run", func() bool { return gone(after[0]) })
}

// TestSecretNoVault: without the program of the vault nothing that needs a secret
// happens; what needs none does.
func TestSecretNoVault(t *testing.T) {
	s := newSecretBench(t)
	whole, bin := binary, filepath.Join(t.TempDir(), "bin")
	if err := os.Mkdir(bin, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"ambit", "ambit-egress", "ambit-store"} {
		text, err := os.ReadFile(filepath.Join(filepath.Dir(whole), name))
		if err == nil {
			err = os.WriteFile(filepath.Join(bin, name), text, 0o755)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	run := func(args ...string) ran {
		cmd := s.command(args...)
		cmd.Path = filepath.Join(bin, "ambit")
		cmd.Stdin = strings.NewReader(secretValue + "\n")
		return s.finish(cmd)
	}
	for _, args := range [][]string{s.allowed("echo", "ran"), {"secret", "ls"}, {"secret", "rm", "token"}, {"secret", "set", "token"}} {
		r := run(args...)
		r.want(t, 125)
		if !strings.Contains(r.err, "ambit-vault") || strings.Contains(r.out+r.err, "ran\n") || strings.Contains(r.out+r.err, secretValue) {
			t.Errorf("%q: %s%s", args, r.out, r.err)
		}
	}
	run("run", "--ask", "none", "--", "echo", "ran").want(t, 0, "ran")
	s.with("echo", "ran").want(t, 0, "ran")
}
