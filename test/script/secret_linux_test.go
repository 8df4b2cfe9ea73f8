package script_test

import (
	"os/exec"
	"strings"
	"testing"
)

// TestSecretPrompt: what is typed at the prompt is kept and not shown; and when it
// is broken off, the terminal shows again what is typed.
func TestSecretPrompt(t *testing.T) {
	b := newBench(t)
	x := startOn(t, b.command("secret", "set", "token", "--for", "api.example.com"), 80, 24)
	x.expect("Value of token (it is not shown): ")
	x.typed("correct-horse-battery\r")
	x.expect("token is in the vault")
	x.ends(0)
	<-x.done
	if text := x.text.String(); strings.Contains(text, "horse") {
		t.Errorf("it shows %q", text)
	}
	cmd := exec.CommandContext(t.Context(), "bash", "-c", `trap : INT; ambit secret set other --for api.example.com; stty -a`)
	cmd.Dir, cmd.Env = b.dir, b.env
	x = startOn(t, cmd, 80, 24)
	x.expect("Value of other (it is not shown): ")
	x.typed("corr\x03")
	x.expect("ambit: nothing was changed")
	x.expect(" echo ")
	x.ends(0)
	r := b.run("secret", "ls", "--json")
	if r.want(t, 0); strings.Contains(r.out, "other") || !strings.Contains(r.out, `"name": "token"`) {
		t.Errorf("there is %s", r.out)
	}
}
