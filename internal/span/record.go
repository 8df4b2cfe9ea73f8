package span

import (
	"strings"
	"time"

	"ambit.dev/ambit/internal/audit"
	"ambit.dev/ambit/internal/core/principal"
	"ambit.dev/ambit/internal/core/trace"
)

// maxOpen bounds what is remembered of what has begun and not ended.
const maxOpen = 4096

// A Reader makes spans of records, as they are written.
type Reader struct {
	// Begun finds the record of a session's launch, where that was written before the
	// reader began; nil: it cannot be found.
	Begun func(session string) (audit.Record, bool)

	sessions recent[begun]        // by id
	asked    recent[audit.Record] // questions, by the id of their record
	entered  recent[audit.Record] // programs that were started in a session, by the same
}

// begun is what is remembered of a launch.
type begun struct {
	trace  trace.Parent
	launch audit.LaunchBody
}

// Spans are those of records that were committed together or one after the other.
func (r *Reader) Spans(records []audit.Record) (all []Span) {
	for _, rec := range records { // its decisions stand before it
		if rec.Kind == audit.SessionStart && rec.Trace.Sampled() {
			r.begins(rec)
		}
	}
	for _, rec := range records {
		if !rec.Trace.Sampled() {
			continue
		}
		body, err := rec.Decode()
		if err != nil {
			continue // a newer version wrote it
		}
		all = append(all, r.of(rec, body)...)
	}
	return all
}

func (r *Reader) begins(rec audit.Record) {
	if body, err := rec.Decode(); err == nil {
		if b, ok := body.(*audit.LaunchBody); ok {
			r.sessions.put(rec.Session, begun{rec.Trace, *b})
		}
	}
}

// session is what is known of the launch of a record's session.
func (r *Reader) session(rec audit.Record) (b begun, ok bool) {
	if rec.Session == "" {
		return b, false
	}
	if b, ok = r.sessions.get(rec.Session); ok || r.Begun == nil {
		return b, ok
	}
	found, ok := r.Begun(rec.Session)
	if !ok {
		r.sessions.put(rec.Session, begun{}) // it is not looked for again
		return b, true
	}
	r.begins(found)
	return r.sessions.get(rec.Session)
}

// under is the span that something of a record is under: that of its session, or of
// whoever had it done.
func (r *Reader) under(rec audit.Record) string {
	if b, ok := r.session(rec); ok && b.trace == rec.Trace {
		return IDOf("session", rec.Session)
	}
	return rec.Trace.Span()
}

// made is the span of a record that tells of something at once.
func (r *Reader) made(rec audit.Record, name string, more ...Attribute) Span {
	return Span{Trace: rec.Trace.Trace(), ID: IDOf(name, rec.ID+rec.Prev), Parent: r.under(rec), Name: name, Kind: Internal,
		Start: rec.Time, End: rec.Time, Attributes: append(common(rec), more...)}
}

func common(rec audit.Record) []Attribute {
	return []Attribute{text("ambit.record", rec.ID), text("ambit.session", rec.Session), text("ambit.pack", rec.Pack),
		text("ambit.organisation", principal.Org(rec.Principal))}
}

func text(name, value string) Attribute { return Attribute{Name: name, Text: value} }

func number(name string, n int64) Attribute { return Attribute{Name: name, Number: n} }

// of makes the spans of one record.
func (r *Reader) of(rec audit.Record, body audit.Body) []Span {
	switch b := body.(type) {
	case *audit.DecisionBody:
		return r.decision(rec, b)
	case *audit.EndBody:
		return r.end(rec, b)
	case *audit.EnterBody:
		r.entered.put(rec.ID, rec)
	case *audit.LeaveBody:
		return r.left(rec, b)
	case *audit.DenialBody:
		s := r.made(rec, "denial", text("ambit.capability", string(b.Capability)), text("ambit.tier", b.Layer))
		s.Failed = "not granted"
		return []Span{s}
	case *audit.FlowBody:
		if !b.Open {
			return []Span{r.flow(rec, b)}
		}
	case *audit.RequestBody:
		if !b.Open {
			s := r.made(rec, "request", text("server.address", string(b.To)), text("http.request.method", string(b.Method)), number("http.response.status_code", int64(b.Status)))
			s.Kind, s.Start, s.Failed = Client, rec.Time.Add(-b.Duration), b.End
			return []Span{s}
		}
	}
	return nil
}

func (r *Reader) flow(rec audit.Record, b *audit.FlowBody) Span {
	s := r.made(rec, "flow", text("ambit.capability", string(b.Capability)), text("server.address", string(b.Name)), text("network.peer.address", b.To),
		number("ambit.bytes.in", int64(b.In)), number("ambit.bytes.out", int64(b.Out)), text("ambit.end", b.End))
	s.Kind, s.Start = Client, rec.Time.Add(-b.Duration)
	if b.End != "done" {
		s.Failed = b.End
	}
	return s
}

// decision makes the span of a decision, and, where it is what came of a question, that
// of the time for which the question waited.
func (r *Reader) decision(rec audit.Record, b *audit.DecisionBody) []Span {
	what := []Attribute{text("ambit.capability", string(b.Capability)), text("ambit.outcome", b.Outcome)}
	if len(b.Reasons) > 0 {
		what = append(what, text("ambit.rule", b.Reasons[0].Rule))
	}
	s := r.made(rec, "decide", what...)
	if b.Outcome == "deny" {
		s.Failed = "denied"
	}
	if b.Outcome == "ask" {
		r.asked.put(rec.ID, rec)
	}
	_, rest, answers := strings.Cut(string(b.Why), "; asked as ")
	id, _, _ := strings.Cut(rest, ":")
	asked, ok := r.asked.get(id)
	if !answers || !ok || asked.Trace != rec.Trace || asked.Session != rec.Session {
		return []Span{s}
	}
	r.asked.drop(id)
	q := r.made(asked, "question", what...)
	q.End = rec.Time
	return []Span{s, q}
}

// end makes the spans of a session that has ended: of all of it, of the launch, of the
// row that built the sandbox, and of the program.
func (r *Reader) end(rec audit.Record, b *audit.EndBody) []Span {
	known, _ := r.session(rec)
	defer r.sessions.drop(rec.Session)
	s := r.made(rec, "session", text("ambit.program", string(known.launch.Program)), text("ambit.tier", known.launch.Tier),
		text("ambit.status", b.Status), number("ambit.exit", int64(b.Exit)), number("ambit.denials", int64(b.Denials)))
	begin := rec.Time.Add(-b.Duration)
	s.ID, s.Parent, s.State, s.Start = IDOf("session", rec.Session), rec.Trace.Span(), known.launch.TraceState, begin.Add(-b.Prepare)
	if b.Exit != 0 || b.Status != "exited" {
		s.Failed = b.Status
	}
	all := []Span{s}
	if b.Ready == 0 {
		return all // it did not begin, or nobody took the time
	}
	part := func(name string, from, to time.Time) {
		all = append(all, Span{Trace: s.Trace, ID: IDOf(name, rec.Session), Parent: s.ID, State: s.State, Name: name, Kind: Internal, Start: from, End: to,
			Attributes: []Attribute{text("ambit.session", rec.Session)}})
	}
	part("launch", s.Start, begin.Add(b.Ready))
	part("row", begin, begin.Add(b.Row))
	part("program", begin.Add(b.Ready), rec.Time)
	all[2].Parent = all[1].ID
	return all
}

// left makes the span of a program that was started in a session.
func (r *Reader) left(rec audit.Record, b *audit.LeaveBody) []Span {
	entered, ok := r.entered.get(b.Exec)
	if !ok {
		return nil
	}
	r.entered.drop(b.Exec)
	s := r.made(entered, "exec", number("ambit.exit", int64(b.Exit)))
	s.End = rec.Time
	if b.Exit != 0 || b.Error != "" {
		s.Failed = "exit"
	}
	return []Span{s}
}

// recent is what was put by a name, of which the oldest are forgotten.
type recent[T any] struct {
	all   map[string]T
	order []string
}

func (r *recent[T]) put(name string, v T) {
	if r.all == nil {
		r.all = map[string]T{}
	}
	if _, there := r.all[name]; !there {
		r.order = append(r.order, name)
	}
	r.all[name] = v
	for len(r.order) > maxOpen {
		delete(r.all, r.order[0])
		r.order = r.order[1:]
	}
}

func (r *recent[T]) get(name string) (T, bool) {
	v, ok := r.all[name]
	return v, ok
}

// drop forgets one; its place in the order is used up later.
func (r *recent[T]) drop(name string) { delete(r.all, name) }
