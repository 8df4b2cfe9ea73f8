package binding_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"ambit.dev/ambit/internal/core/binding"
)

func TestValue(t *testing.T) {
	const text = "correct horse battery staple"
	v, err := binding.NewValue(text)
	if err != nil || v.Reveal() != text {
		t.Fatalf("%v", err)
	}
	in := struct {
		Value   binding.Value
		Pointer *binding.Value
	}{v, &v}
	shown := []string{v.String(), v.GoString()}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		shown = append(shown, fmt.Sprintf(verb, v), fmt.Sprintf(verb, &v), fmt.Sprintf(verb, in), fmt.Sprintf(verb, []binding.Value{v}))
	}
	encoded, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range append(shown, string(encoded)) {
		if strings.Contains(s, "horse") || strings.Contains(s, fmt.Sprintf("%x", "horse")) || strings.Contains(s, fmt.Sprint([]byte("horse"))) {
			t.Errorf("it shows %s", s)
		}
	}
	for _, text := range []string{"", "short", strings.Repeat("a", binding.MaxValue+1), "a null \x00 byte", "not \xff UTF-8", " a space before", "and after "} {
		if _, err := binding.NewValue(text); err == nil {
			t.Errorf("%q is taken", text)
		} else if len(text) > 5 && strings.Contains(err.Error(), text) {
			t.Errorf("the error shows it: %v", err)
		}
	}
}
