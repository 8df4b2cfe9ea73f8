package server_test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	api "ambit.dev/ambit/api/ambit/v1/ambitv1connect"
	"ambit.dev/ambit/internal/audit"
	"ambit.dev/ambit/internal/metric"
	"ambit.dev/ambit/internal/server"
)

// numbers asks a host for its numbers, as a role.
func numbers(t *testing.T, s *server.Server, method string, role server.Role) (int, string) {
	t.Helper()
	w := httptest.NewRecorder()
	r := httptest.NewRequest(method, server.MetricsPath, nil)
	s.Handler().ServeHTTP(w, r.WithContext(server.WithCaller(t.Context(), server.Caller{Principal: "uid:1", Role: role})))
	return w.Code, w.Body.String()
}

func newCounted(t *testing.T) (*server.Server, string) {
	t.Helper()
	state := t.TempDir()
	s, err := server.New(server.Config{State: state, Ambit: "/nonexistent/ambit", Keeper: "/nonexistent/keeper", Home: "/", Version: "v1", Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s, state
}

// Numbers are for those who may look, and are asked for and not sent to.
func TestMetricsWho(t *testing.T) {
	t.Parallel()
	s, _ := newCounted(t)
	for role, want := range map[server.Role]int{server.Nobody: http.StatusUnauthorized, server.Viewer: http.StatusOK, server.Admin: http.StatusOK} {
		if got, text := numbers(t, s, http.MethodGet, role); got != want {
			t.Errorf("%v: %d %s, want %d", role, got, text, want)
		}
	}
	if got, _ := numbers(t, s, http.MethodPost, server.Admin); got != http.StatusMethodNotAllowed {
		t.Errorf("sent to: %d", got)
	}
}

// Calls are counted by route and by what they ended with, also those that were refused.
func TestMetricsCalls(t *testing.T) {
	t.Parallel()
	s, _ := newCounted(t)
	call := func(role server.Role, procedure, body string) {
		t.Helper()
		r := httptest.NewRequest(http.MethodPost, procedure, strings.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		s.Handler().ServeHTTP(httptest.NewRecorder(), r.WithContext(server.WithCaller(t.Context(), server.Caller{Principal: "uid:1", Role: role})))
	}
	call(server.Viewer, api.HostServiceGetVersionProcedure, "{}")
	call(server.Viewer, api.HostServiceGetVersionProcedure, "{}")
	call(server.Viewer, api.GrantServiceAddGrantsProcedure, "{}")
	call(server.Nobody, api.HostServiceGetVersionProcedure, "{}")
	call(server.Viewer, api.AuditServiceGetRecordProcedure, `{"ref":"d-nothing"}`)
	call(server.Viewer, "/evil/Route", "{}")
	_, text := numbers(t, s, http.MethodGet, server.Viewer)
	for _, want := range []string{
		`ambit_api_requests_total{route="` + api.HostServiceGetVersionProcedure + `",code="ok"} 2`,
		`ambit_api_requests_total{route="` + api.HostServiceGetVersionProcedure + `",code="unauthenticated"} 1`,
		`ambit_api_requests_total{route="` + api.GrantServiceAddGrantsProcedure + `",code="permission_denied"} 1`,
		`ambit_api_requests_total{route="` + api.AuditServiceGetRecordProcedure + `",code="not_found"} 1`,
		`ambit_api_request_seconds_count{route="` + api.HostServiceGetVersionProcedure + `"} 2`,
		`ambit_api_streams 0`,
		`ambit_build_info{version="v1",go="`,
	} {
		if !strings.Contains(text, "\n"+want) {
			t.Errorf("no %s in\n%s", want, text)
		}
	}
	if strings.Contains(text, "evil") {
		t.Errorf("a route that is not there:\n%s", text)
	}
}

// What was recorded meanwhile is counted, in words of Ambit's own: whatever a program or a
// pack is called, asks for or is refused, no label has it.
func TestMetricsWords(t *testing.T) {
	t.Parallel()
	s, state := newCounted(t)
	l, err := audit.Open(filepath.Join(state, "audit"), audit.Options{})
	if err != nil {
		t.Fatal(err)
	}
	const evil = "evil\"} 1\nevil_total"
	for _, b := range []audit.Body{
		audit.DecisionBody{Program: evil, Capability: "fs.read:/" + evil, Outcome: "deny", Why: evil},
		audit.DecisionBody{Program: evil, Capability: "fs.read:/" + evil, Outcome: evil},
		audit.DenialBody{Layer: "process", Program: evil, Object: evil},
		audit.DenialBody{Layer: evil, Program: evil, Capability: evil, Action: evil},
	} {
		r, err := audit.New(b)
		if err != nil {
			t.Fatal(err)
		}
		r.Session, r.Pack, r.Principal = evil, evil, "uid:1"
		if _, err := l.Append(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	_, text := numbers(t, s, http.MethodGet, server.Viewer)
	for _, want := range []string{`ambit_decisions_total{outcome="deny"} 1`, `ambit_decisions_total{outcome="other"} 1`, `ambit_denials_total{tier="process"} 1`,
		`ambit_denials_total{tier="other"} 1`, `ambit_log_records_total{kind="decision"} 2`} {
		if !strings.Contains(text, "\n"+want+"\n") {
			t.Errorf("no %s in\n%s", want, text)
		}
	}
	if strings.Contains(text, "evil") {
		t.Errorf("a label has what a program chose:\n%s", text)
	}
	// Once more nothing new was recorded; a log that is gone is no reason to say nothing.
	if _, again := numbers(t, s, http.MethodGet, server.Viewer); !strings.Contains(again, "\n"+`ambit_log_records_total{kind="decision"} 2`+"\n") {
		t.Errorf("counted twice:\n%s", again)
	}
	if err := os.RemoveAll(filepath.Join(state, "audit")); err != nil {
		t.Fatal(err)
	}
	if got, text := numbers(t, s, http.MethodGet, server.Viewer); got != http.StatusOK || !regexp.MustCompile(`(?m)^ambit_goroutines \d+$`).MatchString(text) {
		t.Errorf("without a log: %d\n%s", got, text)
	}
}

// What launchers count by is what is written.
func TestMetricsBounds(t *testing.T) {
	t.Parallel()
	if len(audit.Bounds) != len(metric.Seconds) {
		t.Fatalf("%d bounds, %d are written", len(audit.Bounds), len(metric.Seconds))
	}
	for i, b := range audit.Bounds {
		if b.Seconds() != metric.Seconds[i] {
			t.Errorf("bound %d is %v, %g is written", i, b, metric.Seconds[i])
		}
	}
}
