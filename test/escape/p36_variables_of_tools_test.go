package escape_test

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

// P36: variables that make programs load or run something are not for ambit,
// nor do they reach the program.
func TestP36VariablesOfTools(t *testing.T) {
	t.Parallel()
	f := newField(t)
	f.put(t, f.work("run.sh"), "echo loaded > "+f.work("loaded")+"\n")
	f.env = []string{"BASH_ENV=" + f.work("run.sh"), "ENV=" + f.work("run.sh"), "LD_PRELOAD=" + f.work("x.so"), "LD_LIBRARY_PATH=" + f.Work,
		"PYTHONSTARTUP=" + f.work("run.sh"), "PYTHONPATH=" + f.Work, "NODE_OPTIONS=--require " + f.work("run.sh"), "GIT_EXEC_PATH=" + f.Work, "GIT_CONFIG_COUNT=1",
		"PERL5OPT=-Mx", "GCONV_PATH=" + f.Work, "LOCPATH=" + f.Work, "IFS=x", "PAGER=" + f.work("run.sh"), "EDITOR=" + f.work("run.sh")}
	control := exec.Command("bash", "-c", ":")
	f.fit(control)
	if out, err := control.CombinedOutput(); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	if err := os.Remove(f.work("loaded")); err != nil {
		t.Fatal("outside it does not succeed either:", err)
	}
	out, err := f.box(t, "bash", "-c", "env").CombinedOutput()
	if err != nil {
		t.Fatalf("%v %s", err, out)
	}
	for _, v := range f.env {
		name, _, _ := strings.Cut(v, "=")
		if strings.Contains("\n"+string(out), "\n"+name+"=") {
			t.Errorf("P36: the program got %s", name)
		}
	}
	if _, err := os.Stat(f.work("loaded")); err == nil {
		t.Errorf("P36: something ran %s", f.work("run.sh"))
	}
}
