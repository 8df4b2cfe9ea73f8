package escape_test

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// victim is a process of the host that is attacked. It says where in its
// memory its secret lies, and lives until it is ended: a busy machine takes its
// time with a try.
func victim() {
	_ = unix.Prctl(unix.PR_SET_PTRACER, ^uintptr(0), 0, 0, 0) // as if there were no Yama
	fmt.Println(address(&secret))
	time.Sleep(time.Hour)
}

var secret = [8]byte{'s', 'e', 'c', 'r', 'e', 't', '!', '!'}

// victim starts one; the tries find it in Values "pid" and "address".
func (f *field) victim(t *testing.T) {
	t.Helper()
	cmd := exec.Command(attacker(t), "show", "victim")
	f.fit(cmd)
	cmd.Env = append(cmd.Env, "SECRET="+f.token)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // a control may have done so
		_ = cmd.Wait()
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	f.Values["pid"], f.Values["address"] = strconv.Itoa(cmd.Process.Pid), line[:len(line)-1]
}

func (f *field) number(name string) int {
	n, err := strconv.Atoi(f.Values[name])
	if err != nil {
		panic(err)
	}
	return n
}

// dead says whether the victim ended.
func dead(f *field) string {
	if state := status("/proc/"+f.Values["pid"], "State"); state == "" || state[0] == 'Z' || state[0] == 'X' || state[0] == 't' || state[0] == 'T' {
		return "the victim is " + state
	}
	if _, err := os.Stat("/proc/" + f.Values["pid"]); err != nil {
		return "the victim is gone"
	}
	return ""
}
