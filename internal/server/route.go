package server

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"

	"connectrpc.com/connect"

	api "ambit.dev/ambit/api/ambit/v1/ambitv1connect"
	"ambit.dev/ambit/internal/core/principal"
)

// A Role is what a caller may do. Each has what those before it have. The zero
// value may do nothing.
type Role int

// The roles.
const (
	Nobody   Role = iota
	Viewer        // sees what is there and what was done
	Approver      // answers questions, and takes back what was granted
	Operator      // starts and ends sessions, and sees what they write
	Admin         // grants
)

// String is the role as people and programs are told.
func (r Role) String() string {
	if r < Nobody || r > Admin {
		return "nobody"
	}
	return [...]string{"nobody", "viewer", "approver", "operator", "admin"}[r]
}

// RoleOf reads a role; what is none is Nobody.
func RoleOf(word string) Role {
	for r := Viewer; r <= Admin; r++ {
		if r.String() == word {
			return r
		}
	}
	return Nobody
}

// A Caller is who sent a request, found out by whoever listens.
type Caller struct {
	Principal string
	Role      Role
	By        string // what the principal acts by, in words, "token ci"; "": by being this user
	Page      bool   // a web page of this host sent it, as whoever listens has checked
}

type callerKey struct{}

// WithCaller returns a context for the requests of one caller.
func WithCaller(ctx context.Context, c Caller) context.Context {
	return context.WithValue(ctx, callerKey{}, c)
}

// callerOf is who sent the request; the zero value where nobody said.
func callerOf(ctx context.Context) Caller {
	c, _ := ctx.Value(callerKey{}).(Caller)
	return c
}

// Shows is whose a route shows and changes something. The zero value is nobody's.
type Shows int

// What routes show.
const (
	Owned    Shows = iota + 1 // what sees answers for, and nothing else
	Shared                    // what is the same to everybody
	Machines                  // what is the machine's: no organisation calls it
)

// A Route is one procedure and who may call it.
type Route struct {
	Procedure string
	Shows     Shows
	Least     Role
	most      int64 // bytes of a request; 0: small
	own       bool  // it records by itself who calls, before it changes anything
}

// Bounds of what is sent here: a process that asks must not fill this one.
const (
	small      = 64 << 10
	maxMessage = 2 << 20
)

// routes is every route there is. What is not here is not served.
var routes = []Route{
	{Procedure: api.QuestionServiceListQuestionsProcedure, Shows: Owned, Least: Viewer},
	{Procedure: api.QuestionServiceWatchQuestionsProcedure, Shows: Owned, Least: Viewer},
	{Procedure: api.QuestionServiceAnswerQuestionProcedure, Shows: Owned, Least: Approver},
	{Procedure: api.SessionServiceListSessionsProcedure, Shows: Owned, Least: Viewer},
	{Procedure: api.SessionServiceGetSessionProcedure, Shows: Owned, Least: Viewer},
	{Procedure: api.SessionServiceCreateSessionProcedure, Shows: Owned, Least: Operator, most: maxMessage, own: true},
	{Procedure: api.SessionServiceCheckSessionProcedure, Shows: Owned, Least: Operator, most: maxMessage},
	{Procedure: api.SessionServiceStopSessionProcedure, Shows: Owned, Least: Operator},
	{Procedure: api.PauseServicePauseSessionProcedure, Shows: Owned, Least: Operator},
	{Procedure: api.PauseServiceResumeSessionProcedure, Shows: Owned, Least: Operator},
	{Procedure: api.SessionServiceStreamOutputProcedure, Shows: Owned, Least: Operator},
	{Procedure: api.ExecServiceCreateExecProcedure, Shows: Owned, Least: Operator, most: maxMessage, own: true},
	{Procedure: api.ExecServiceListExecsProcedure, Shows: Owned, Least: Viewer},
	{Procedure: api.ExecServiceGetExecProcedure, Shows: Owned, Least: Viewer},
	{Procedure: api.ExecServiceStopExecProcedure, Shows: Owned, Least: Operator},
	{Procedure: api.TerminalServiceWriteInputProcedure, Shows: Owned, Least: Operator, own: true},
	{Procedure: api.TerminalServiceResizeTerminalProcedure, Shows: Owned, Least: Operator, own: true},
	{Procedure: api.FileServiceListFilesProcedure, Shows: Owned, Least: Operator},
	{Procedure: api.FileServiceGetFileProcedure, Shows: Owned, Least: Operator},
	{Procedure: api.FileServiceStreamFileProcedure, Shows: Owned, Least: Operator},
	{Procedure: api.FileServiceWriteFileProcedure, Shows: Owned, Least: Operator, most: maxMessage, own: true},
	{Procedure: api.FileServiceRemoveFileProcedure, Shows: Owned, Least: Operator},
	{Procedure: api.FileServiceMakeFolderProcedure, Shows: Owned, Least: Operator},
	{Procedure: api.GrantServiceListGrantsProcedure, Shows: Owned, Least: Viewer},
	{Procedure: api.GrantServiceAddGrantsProcedure, Shows: Owned, Least: Admin},
	{Procedure: api.GrantServiceRevokeGrantsProcedure, Shows: Owned, Least: Approver},
	{Procedure: api.AuditServiceListRecordsProcedure, Shows: Owned, Least: Viewer},
	{Procedure: api.AuditServiceGetRecordProcedure, Shows: Owned, Least: Viewer},
	{Procedure: api.AuditServiceStreamRecordsProcedure, Shows: Owned, Least: Viewer},
	{Procedure: api.AuditServiceVerifyLogProcedure, Shows: Shared, Least: Viewer},
	{Procedure: api.PackServiceListPacksProcedure, Shows: Shared, Least: Viewer},
	{Procedure: api.PackServiceGetPackProcedure, Shows: Shared, Least: Viewer},
	{Procedure: api.PackServiceUploadPackProcedure, Shows: Machines, Least: Admin, most: maxMessage, own: true},
	{Procedure: api.PackServicePreparePackProcedure, Shows: Machines, Least: Admin},
	{Procedure: api.PackServiceInstallPackProcedure, Shows: Machines, Least: Admin, most: maxMessage},
	{Procedure: api.PackServiceUpdatePackProcedure, Shows: Machines, Least: Admin},
	{Procedure: api.PackServiceRemovePackProcedure, Shows: Machines, Least: Admin},
	{Procedure: api.ChangeServiceListChangesProcedure, Shows: Owned, Least: Operator},
	{Procedure: api.ChangeServiceGetDifferenceProcedure, Shows: Owned, Least: Operator},
	{Procedure: api.ChangeServiceApplyChangesProcedure, Shows: Owned, Least: Operator},
	{Procedure: api.ChangeServiceDropChangesProcedure, Shows: Owned, Least: Operator},
	{Procedure: api.StorageServiceListValuesProcedure, Shows: Owned, Least: Viewer},
	{Procedure: api.StorageServiceGetValueProcedure, Shows: Owned, Least: Viewer},
	{Procedure: api.StorageServiceGetContentProcedure, Shows: Owned, Least: Operator},
	{Procedure: api.StorageServiceRemoveValueProcedure, Shows: Owned, Least: Operator},
	{Procedure: api.StorageServiceRestoreValueProcedure, Shows: Owned, Least: Operator},
	{Procedure: api.StorageServiceForgetValueProcedure, Shows: Owned, Least: Admin},
	{Procedure: api.StorageServiceAdoptValuesProcedure, Shows: Owned, Least: Admin},
	{Procedure: api.HostServiceGetVersionProcedure, Shows: Shared, Least: Viewer},
	{Procedure: api.HostServiceCheckHealthProcedure, Shows: Shared, Least: Viewer},
	{Procedure: api.HostServiceDiagnoseProcedure, Shows: Machines, Least: Operator},
}

// Routes returns the table.
func Routes() []Route { return append([]Route(nil), routes...) }

// Most is how many bytes a request may have.
func (r Route) Most() int64 {
	if r.most == 0 {
		return small
	}
	return r.most
}

// Streams reports whether answers go on for as long as their caller stays. It goes by
// the name, as the contract does (TestStreams).
func (r Route) Streams() bool { return r.named("Watch", "Stream") }

// Changes reports whether a call may change something: whatever is not known to show
// only.
func (r Route) Changes() bool {
	return !r.Streams() && !r.named("List", "Get", "Check", "Verify", "Diagnose")
}

// named reports whether the procedure's name begins with one of these verbs.
func (r Route) named(verbs ...string) bool {
	name := r.Procedure[strings.LastIndexByte(r.Procedure, '/')+1:]
	return slices.ContainsFunc(verbs, func(verb string) bool {
		_, ok := strings.CutPrefix(name, verb)
		return ok
	})
}

// MetricsPath is where numbers about the host are, as Prometheus reads them. It is no
// procedure of the contract; its row is here so that nothing is served without one.
const MetricsPath = "/metrics"

var metricsRoute = Route{Procedure: MetricsPath, Shows: Machines, Least: Viewer}

// RouteOf returns the row of a path.
func RouteOf(path string) (Route, bool) {
	for _, r := range routes {
		if r.Procedure == path {
			return r, true
		}
	}
	return Route{}, false
}

// guard lets through what the table has, to those who may.
//
// Security: it stands before everything that reads a request: what is not
// allowed is not parsed. A browser says where a page is from that makes it send
// something; only who has checked that it is from here says so (Caller.Page).
func (s *Server) guard(next http.Handler) http.Handler {
	refuse := connect.NewErrorWriter()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		route, ok := RouteOf(r.URL.Path)
		if r.URL.Path == MetricsPath {
			route, ok = metricsRoute, true
		}
		if !ok {
			http.NotFound(w, r)
			return
		}
		caller := callerOf(r.Context())
		var err error
		switch {
		case r.Header.Get("Origin") != "" && !caller.Page:
			err = connect.NewError(connect.CodePermissionDenied, errors.New("requests of web pages are not served"))
		case caller.Principal == "" || caller.Role == Nobody:
			err = connect.NewError(connect.CodeUnauthenticated, errors.New("nobody is known to have sent this"))
		case principal.Org(caller.Principal) != "" && route.Shows != Owned && route.Shows != Shared:
			err = connect.NewError(connect.CodePermissionDenied, errors.New("this is for who runs the machine, and for no organisation on it"))
		case caller.Role < route.Least:
			err = connect.NewError(connect.CodePermissionDenied, errors.New("the role "+caller.Role.String()+" may not call this; it takes "+route.Least.String()))
		}
		if err != nil {
			s.metrics.refused(route, err)
			s.calls.called(r.Context(), route, 0, err)
			_ = refuse.Write(w, r, err) // a caller that is gone has nobody to tell
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, route.Most())
		next.ServeHTTP(w, r)
	})
}
