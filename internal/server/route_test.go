package server_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	_ "ambit.dev/ambit/api/ambit/v1"
	"ambit.dev/ambit/internal/server"
	"ambit.dev/ambit/internal/token"
)

// procedures are those that the contract has.
func procedures() (all []string) {
	protoregistry.GlobalFiles.RangeFilesByPackage("ambit.v1", func(f protoreflect.FileDescriptor) bool {
		for i := range f.Services().Len() {
			s := f.Services().Get(i)
			for j := range s.Methods().Len() {
				all = append(all, "/"+string(s.FullName())+"/"+string(s.Methods().Get(j).Name()))
			}
		}
		return true
	})
	return all
}

// Every procedure of the contract has one row in the table, with a role, and the
// table has nothing else. The document says the same.
func TestEveryRoute(t *testing.T) {
	t.Parallel()
	doc, err := os.ReadFile("../../docs/api.md")
	if err != nil {
		t.Fatal(err)
	}
	contract := procedures()
	if len(contract) < 20 {
		t.Fatalf("the contract has only %v", contract)
	}
	var table []string
	for _, r := range server.Routes() {
		table = append(table, r.Procedure)
		if r.Least <= server.Nobody || r.Least > server.Admin {
			t.Errorf("%s is for the role %v", r.Procedure, r.Least)
		}
		if r.Shows < server.Owned || r.Shows > server.Machines {
			t.Errorf("%s does not say whose it shows", r.Procedure)
		}
		if row := "| `" + r.Procedure[1:] + "` | " + r.Least.String() + " |"; !strings.Contains(string(doc), row) {
			t.Errorf("docs/api.md has no %q", row)
		}
	}
	slices.Sort(table)
	slices.Sort(contract)
	if !slices.Equal(table, contract) {
		t.Errorf("the table has\n%v\nthe contract\n%v", table, contract)
	}
}

// What the contract has as a stream the table takes for one, and nothing else; roles
// are spelled as they are read.
func TestStreams(t *testing.T) {
	t.Parallel()
	for _, r := range server.Routes() {
		full := strings.ReplaceAll(r.Procedure[1:], "/", ".")
		d, err := protoregistry.GlobalFiles.FindDescriptorByName(protoreflect.FullName(full))
		if err != nil {
			t.Fatal(err)
		}
		m, ok := d.(protoreflect.MethodDescriptor)
		shows := slices.ContainsFunc([]string{"List", "Get", "Watch", "Stream", "Check", "Verify", "Diagnose"}, func(verb string) bool { return strings.HasPrefix(string(m.Name()), verb) })
		if r.Changes() == shows || !r.Changes() && r.Least == server.Approver {
			t.Errorf("%s is taken for a change: %v", r.Procedure, r.Changes())
		}
		if !ok || m.IsStreamingServer() != r.Streams() || m.IsStreamingClient() {
			t.Errorf("%s is taken for a stream: %v", r.Procedure, r.Streams())
		}
	}
	for r := server.Viewer; r <= server.Admin; r++ {
		if server.RoleOf(r.String()) != r {
			t.Errorf("%v is read as %v", r, server.RoleOf(r.String()))
		}
	}
	if server.RoleOf("root") != server.Nobody || server.RoleOf("nobody") != server.Nobody || server.RoleOf("") != server.Nobody {
		t.Error("what is no role has one")
	}
	if !slices.Equal(token.Roles(), []string{"viewer", "approver", "operator", "admin"}) {
		t.Error("the roles of tokens are others")
	}
}

func newServer(t testing.TB) *server.Server {
	t.Helper()
	return serverOn(t, t.TempDir())
}

func serverOn(t testing.TB, state string) *server.Server {
	t.Helper()
	s, err := server.New(server.Config{State: state, Ambit: "/nonexistent/ambit", Keeper: "/nonexistent/keeper", Home: "/", Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// send sends a request as a caller, and says what the answer was.
func send(t testing.TB, h http.Handler, who server.Caller, path, contentType, body string, header ...string) (int, string) {
	r := httptest.NewRequestWithContext(server.WithCaller(t.Context(), who), http.MethodPost, path, strings.NewReader(body))
	r.Header.Set("Content-Type", contentType)
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	text, err := io.ReadAll(w.Result().Body)
	if err != nil {
		t.Fatal(err)
	}
	return w.Code, string(text)
}

const jsonType = "application/json"

var me = server.Caller{Principal: "uid:1", Role: server.Admin}

// Who has a smaller role than a route's, or none, is refused before the request is
// read; who has it is not refused for that.
func TestRoles(t *testing.T) {
	t.Parallel()
	h := newServer(t).Handler()
	for _, r := range server.Routes() {
		less := server.Caller{Principal: "uid:1", Role: r.Least - 1}
		if _, body := send(t, h, less, r.Procedure, jsonType, "{no json"); !strings.Contains(body, "permission_denied") && !strings.Contains(body, "unauthenticated") {
			t.Errorf("%s serves the role %v: %s", r.Procedure, less.Role, body)
		}
		if _, body := send(t, h, server.Caller{Role: server.Admin}, r.Procedure, jsonType, "{no json"); !strings.Contains(body, "unauthenticated") {
			t.Errorf("%s serves nobody: %s", r.Procedure, body)
		}
		enough := server.Caller{Principal: "uid:1", Role: r.Least}
		if _, body := send(t, h, enough, r.Procedure, jsonType, "{no json"); strings.Contains(body, "permission_denied") || strings.Contains(body, "unauthenticated") {
			t.Errorf("%s refuses the role %v: %s", r.Procedure, r.Least, body)
		}
	}
}

// What is not in the table is not served, and nothing is served to web pages.
func TestNotServed(t *testing.T) {
	t.Parallel()
	h := newServer(t).Handler()
	for _, path := range []string{"/", "/ambit.v1.HostService/", "/ambit.v1.HostService/GetVersion/", "/ambit.v1.HostService/Other", "//ambit.v1.HostService/GetVersion",
		"/ambit.v1.HostService/../HostService/GetVersion", "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", "/debug/pprof/"} {
		if code, body := send(t, h, me, path, jsonType, "{}"); code != http.StatusNotFound {
			t.Errorf("%s answers %d %s", path, code, body)
		}
	}
	const version = "/ambit.v1.HostService/GetVersion"
	if code, body := send(t, h, me, version, jsonType, "{}"); code != http.StatusOK {
		t.Errorf("a program is answered %d %s", code, body)
	}
	for _, origin := range []string{"http://localhost", "null", "http://ambit"} {
		if _, body := send(t, h, me, version, jsonType, "{}", "Origin", origin); !strings.Contains(body, "permission_denied") {
			t.Errorf("a page of %s is answered %s", origin, body)
		}
	}
}

// A request that is too long is refused by every route, and is not kept.
func TestOversized(t *testing.T) {
	t.Parallel()
	h := newServer(t).Handler()
	long := `{"idempotencyKey":"` + strings.Repeat("a", 3<<20) + `"}`
	for _, r := range server.Routes() {
		contentType := jsonType
		body := long
		if strings.Contains(r.Procedure, "/Watch") || strings.Contains(r.Procedure, "/Stream") {
			contentType = "application/connect+json"
			body = "\x00\x00\x30\x00\x00" + long[:3<<20-5]
		}
		if _, text := send(t, h, me, r.Procedure, contentType, body); !strings.Contains(text, "resource_exhausted") && !strings.Contains(text, "invalid_argument") {
			t.Errorf("%s answers %d bytes with %.200s", r.Procedure, len(body), text)
		}
	}
}

// FuzzRequest sends anything to every route: an answer comes back, with a code of
// the contract, and nothing panics.
func FuzzRequest(f *testing.F) {
	for i := range server.Routes() {
		f.Add(uint8(i), false, []byte(`{"id":"s-aaaaaaaaaa","pageSize":-1,"pageToken":"AAAA","filter":{"since":"0001-01-01T00:00:00Z"}}`))
		f.Add(uint8(i), true, []byte("\x0a\x00\x12\x01\xff"))
	}
	s := newServer(f)
	h := s.Handler()
	f.Fuzz(func(t *testing.T, route uint8, binary bool, body []byte) {
		all := server.Routes()
		r := all[int(route)%len(all)]
		if strings.Contains(r.Procedure, "/Watch") || strings.Contains(r.Procedure, "/Stream") {
			return // they go on until their caller leaves
		}
		contentType := jsonType
		if binary {
			contentType = "application/proto"
		}
		code, text := send(t, h, me, r.Procedure, contentType, string(body))
		if strings.Contains(text, "internal error") || code == http.StatusInternalServerError && strings.Contains(text, `"internal"`) {
			t.Errorf("%s answers %q with %d %s", r.Procedure, body, code, text)
		}
	})
}
