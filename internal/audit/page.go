package audit

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"
)

// A Query says which records are wanted. The zero value wants all.
type Query struct {
	Before       uint64            // only records with a lower number; 0: all
	Since, Until time.Time         // only records from the one on and before the other; zero: all
	Hints        []string          // a record that is kept has each of these texts in its line
	Any          []string          // and one of these, if there are any
	Keep         func(Record) bool // nil: every one
}

// HintSession is what the line of every record of a session has in it.
func HintSession(id string) string { return string(appendString([]byte(`"session":`), id)) }

// HintKind is what the line of every record of a kind has in it.
func HintKind(k Kind) string { return string(appendString([]byte(`"kind":`), string(k))) }

// HintPack is what the line of every record of a pack has in it.
func HintPack(id string) string { return string(appendString([]byte(`"pack":`), id)) }

// HintOutcome is what the line of every record with an outcome has in it.
func HintOutcome(word string) string { return string(appendString([]byte(`"outcome":`), word)) }

// AnyCapability is what the line of a record has one of in it whose capability begins
// with a text.
func AnyCapability(begin string) []string {
	const field = `"capability":`
	if strings.Trim(begin, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 ./:_-*@,") != "" {
		return []string{field} // it may stand there in other letters
	}
	return []string{field + `"` + begin, field + "{"} // a Text that is no UTF-8 is an object
}

// Page returns the last n records that q wants, newest first, and whether there
// are more. It reads no more segments than it takes, and parses no line that is from another
// time or without the hints: what is filtered by these costs little more than
// reading the disk (BenchmarkPage).
func Page(dir string, n int, q Query) (page []Record, more bool, err error) {
	snap, err := takeSnapshot(dir)
	if err != nil {
		return nil, false, err
	}
	var buf []byte // one for all segments
	for i := range slices.Backward(snap.segments) {
		later, err := snap.beginsAt(i, q.Before)
		if err != nil {
			return nil, false, fmt.Errorf("read audit log: %w", err)
		}
		if later {
			continue
		}
		page, err = snap.page(i, page, n+1, q, &buf)
		if err != nil {
			return nil, false, fmt.Errorf("read audit log: %s: %w", segmentName(snap.segments[i]), err)
		}
		if len(page) > n {
			return page[:n], true, nil
		}
	}
	return page, false, nil
}

// beginsAt reports whether the i-th segment has only records from before on.
func (s snapshot) beginsAt(i int, before uint64) (later bool, err error) {
	if before == 0 {
		return false, nil
	}
	err = s.committed(i, func(_ int, line []byte) bool {
		r, bad := parseRecord(line)
		later, err = bad == nil && r.Seq >= before, bad
		return false
	})
	return later, err
}

// newestIn is how much of a segment is read first where the newest records are wanted.
const newestIn = 128 << 10

// page adds what q wants of the i-th segment, newest first, until there are most.
func (s snapshot) page(i int, page []Record, most int, q Query, buf *[]byte) ([]Record, error) {
	had := len(page)
	if q.Before == 0 && len(q.Hints)+len(q.Any) == 0 && s.sizes[i] > newestIn {
		all, err := s.pageOf(i, newestIn, page, most, q, buf)
		if err != nil || len(all) >= most {
			return all, err
		}
	}
	return s.pageOf(i, s.sizes[i], page[:had], most, q, buf)
}

// pageOf is page, of the last bytes of the segment.
func (s snapshot) pageOf(i int, last int64, page []Record, most int, q Query, buf *[]byte) ([]Record, error) {
	text, err := s.text(i, last, buf)
	if err != nil {
		return nil, err
	}
	for _, line := range slices.Backward(q.candidates(text)) {
		if len(page) >= most {
			break
		}
		r, err := parseRecord(line)
		if err != nil {
			return nil, err
		}
		if q.wants(r) {
			r.Body = bytes.Clone(r.Body) // the rest of the line is read over
			page = append(page, r)
		}
	}
	return page, nil
}

// wants reports whether a record is one that is asked for.
func (q Query) wants(r Record) bool {
	return (q.Before == 0 || r.Seq < q.Before) && (q.Since.IsZero() || !r.Time.Before(q.Since)) && (q.Until.IsZero() || r.Time.Before(q.Until)) &&
		(q.Keep == nil || q.Keep(r))
}

// candidates are the lines of a segment that may have what is asked for: to find them
// takes less than to parse one in twenty.
func (q Query) candidates(text []byte) (all [][]byte) {
	hints, any := finders(texts(q.Hints), text), finders(texts(q.Any), text)
	lacks := func(hint finder) bool { return hint.index(text) < 0 }
	if slices.ContainsFunc(hints, lacks) {
		return nil
	}
	if any = slices.DeleteFunc(any, lacks); len(any) == 0 && len(q.Any) > 0 {
		return nil
	}
	next := finder{at: -1} // each line has this
	if slices.SortFunc(hints, func(a, b finder) int { return len(b.want) - len(a.want) }); len(hints) > 0 {
		next = hints[0]
	} else if len(any) == 1 {
		next = any[0]
	}
	since, until := second(q.Since), second(q.Until)
	for {
		at := next.index(text)
		if at < 0 || len(text) == 0 {
			return all
		}
		begin := bytes.LastIndexByte(text[:at], '\n') + 1
		end := at + bytes.IndexByte(text[at:], '\n')
		line := text[begin:end]
		text = text[end+1:]
		if !bytes.HasPrefix(line, headPrefix) && inTime(line, since, until) && has(line, hints, any) {
			all = append(all, line)
		}
	}
}

// has reports whether a line has all of some texts, and one of others, if there are any.
func has(line []byte, all, any []finder) bool {
	in := func(hint finder) bool { return bytes.Contains(line, hint.want) }
	return !slices.ContainsFunc(all, func(hint finder) bool { return !in(hint) }) && (len(any) == 0 || slices.ContainsFunc(any, in))
}

func texts(list []string) (all [][]byte) {
	for _, text := range list {
		all = append(all, []byte(text))
	}
	return all
}

// second is the second of a time as lines begin with it; nil for none. In this form
// the later one is the greater text.
func second(t time.Time) []byte {
	if t.IsZero() {
		return nil
	}
	return t.UTC().AppendFormat(nil, secondForm)
}

const secondForm = "2006-01-02T15:04:05"

// inTime reports whether the time of a line may be between two, each of which may
// be none.
func inTime(line, since, until []byte) bool {
	if since == nil && until == nil {
		return true
	}
	const field = `,"time":"`
	i := bytes.Index(line[:min(len(line), 64)], []byte(field))
	if i < 0 || len(line) < i+len(field)+len(secondForm) {
		return true // whoever parses it says what is wrong with it
	}
	at := line[i+len(field):][:len(secondForm)]
	return bytes.Compare(at, since) >= 0 && (until == nil || bytes.Compare(at, until) <= 0)
}

// text is the whole lines among the last bytes of the i-th segment as far as a head follows,
// in the buffer.
func (s snapshot) text(i int, last int64, buf *[]byte) ([]byte, error) {
	text, err := s.raw(i, last, buf)
	if err != nil {
		return nil, err
	}
	whole := headed(text)
	if len(whole) < len(text) && i < len(s.segments)-1 {
		return nil, errors.New("the segment ends without a signed head")
	}
	if last < s.sizes[i] {
		whole = whole[bytes.IndexByte(whole, '\n')+1:] // of the first line the beginning lacks
	}
	return whole, nil
}

// raw is the last bytes of the i-th segment, in the buffer.
func (s snapshot) raw(i int, last int64, buf *[]byte) ([]byte, error) {
	f, err := openSegment(s.dir, s.segments[i], os.O_RDONLY)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	*buf = slices.Grow((*buf)[:0], int(last))[:last]
	if _, err := f.ReadAt(*buf, s.sizes[i]-last); err != nil && last > 0 {
		return nil, err
	}
	return *buf, nil
}

// headed is a text up to its last whole line that is a head.
func headed(text []byte) []byte {
	for len(text) > 0 {
		end := bytes.LastIndexByte(text, '\n')
		begin := bytes.LastIndexByte(text[:max(end, 0)], '\n') + 1
		if end >= 0 && bytes.HasPrefix(text[begin:], headPrefix) {
			return text[:end+1]
		}
		text = text[:begin]
	}
	return nil
}
