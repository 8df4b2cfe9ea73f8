package approval_test

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"ambit.dev/ambit/internal/approval"
)

// Nothing that a program or a pack chooses reaches a terminal as it is.
func TestEscaped(t *testing.T) {
	evil := "\x1b[2J\u202eevil\r\n\xff\u0085"
	q := question(t, "d-1", "/home/u/proj/"+evil)
	q.Program, q.Pack, q.Reason, q.Sensitive, q.Argv = evil, evil, evil, evil, []string{"rm -rf", "", evil, "a'b"}
	for _, text := range []string{q.Who(), q.What(), q.Why(), q.Warning(), q.Command()} {
		if strings.ContainsAny(text, "\x1b\r\n\u202e\u0085") || !utf8.ValidString(text) || !strings.Contains(text, `\x1b`) {
			t.Errorf("got %q", text)
		}
	}
	if got := q.Command(); !strings.HasPrefix(got, `'rm -rf' '' '`) || !strings.HasSuffix(got, `'a'\''b'`) {
		t.Errorf("got %s", got)
	}
	text, err := json.Marshal(q)
	if err != nil || !utf8.Valid(text) || strings.Contains(string(text), "\u202e") || !strings.Contains(string(text), `"capability":"fs.read:/home/u/proj`) {
		t.Errorf("got %s, %v", text, err)
	}
}

func TestShorten(t *testing.T) {
	long := "/home/u/" + strings.Repeat("x", 500) + "/secret.pem"
	got := approval.Shorten(long, 40)
	if n := utf8.RuneCountInString(got); n > 40 || !strings.HasSuffix(got, "/secret.pem") || !strings.HasPrefix(got, "/home/u/") {
		t.Errorf("got %q, %d characters", got, n)
	}
	for _, short := range []string{"", "/a", strings.Repeat("é", 40)} {
		if got := approval.Shorten(short, 40); got != short {
			t.Errorf("got %q of %q", got, short)
		}
	}
}
