package metric

import (
	"maps"
	"slices"
	"strconv"
	"strings"
)

// ContentType is that of what is written.
const ContentType = "text/plain; version=0.0.4; charset=utf-8"

// text is what is written.
// https://prometheus.io/docs/instrumenting/exposition_formats/
type text []byte

var (
	escapeHelp  = strings.NewReplacer(`\`, `\\`, "\n", `\n`)
	escapeValue = strings.NewReplacer(`\`, `\\`, "\n", `\n`, `"`, `\"`)
)

func (t *text) head(h head, kind string) {
	*t = append(*t, "# HELP "+h.name+" "+escapeHelp.Replace(strings.ToValidUTF8(h.help, "\ufffd"))+"\n# TYPE "+h.name+" "+kind+"\n"...)
}

func (t *text) sample(name string, labels, values []string, n float64) {
	b := append(*t, name...)
	for i, label := range labels {
		open := byte(',')
		if i == 0 {
			open = '{'
		}
		b = append(b, open)
		b = append(b, label+`="`+escapeValue.Replace(strings.ToValidUTF8(values[i], "\ufffd"))+`"`...)
	}
	if len(labels) > 0 {
		b = append(b, '}')
	}
	b = append(b, ' ')
	b = strconv.AppendFloat(b, n, 'g', -1, 64)
	*t = append(b, '\n')
}

// keyOf is another text for other values.
func keyOf(values []string) string {
	var b []byte
	for _, v := range values {
		b = strconv.AppendQuote(b, strings.ToValidUTF8(v, "\ufffd"))
	}
	return string(b)
}

func sorted[S any](series map[string]*S) []string { return slices.Sorted(maps.Keys(series)) }
