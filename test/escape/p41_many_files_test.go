package escape_test

import (
	"strings"
	"testing"
	"time"
)

func TestP41ManyFiles(t *testing.T) {
	t.Parallel()
	for name, script := range map[string]string{
		"files":     "import os\nos.chdir('/tmp')\nfor i in range(200000): os.close(os.open(str(i), os.O_CREAT))",
		"deep":      "import os\nos.chdir('/tmp')\nfor i in range(2000): os.mkdir('d'*100); os.chdir('d'*100)",
		"names":     "import os\nos.chdir('/tmp')\nopen('f','w')\nfor i in range(200000): os.link('f', str(i))",
		"one large": "open('/tmp/f','wb').truncate(1<<40)\nwhile 1: open('/tmp/f','r+b').write(b'x'*(1<<22))\n",
	} {
		t.Run(name, func(t *testing.T) {
			f := newField(t)
			f.flags = []string{"--limit", "disk=16M", "--limit", "wall=6s", "--limit", "memory=512M"}
			begin := time.Now()
			cmd, out := f.box(t, "python3", "-c", script), &output{}
			cmd.Stdout, cmd.Stderr = out, out
			err := ended(cmd)
			if took := time.Since(begin); took > longest {
				t.Errorf("P41: it took %v", took)
			}
			text := out.String()
			t.Logf("%v %s", err, text[max(0, len(text)-200):])
			if strings.Contains(text, "ambit: remove") {
				t.Errorf("P41: cleaning up failed: %s", text)
			}
			f.nothingLeft(t)
		})
	}
}

// A tree in a grant is the person's: it stays, however deep, and ambit does not
// walk it, neither at the end nor at the next start.
func TestP41DeepGrant(t *testing.T) {
	t.Parallel()
	f := newField(t)
	out, err := f.box(t, "python3", "-c", "import os\nfor i in range(1000): os.mkdir('d'*100); os.chdir('d'*100)").CombinedOutput()
	if err != nil {
		t.Fatalf("P41: %v %s", err, out)
	}
	if out, err := f.box(t, "/bin/sh", "-c", "rm -rf d*").CombinedOutput(); err != nil {
		t.Errorf("P41: %v %s", err, out)
	}
}
