package decision

// Outcome is an answer. Every value but Ask and Allow is Deny.
type Outcome uint8

// The outcomes. Deny is the zero value.
const (
	Deny Outcome = iota
	Ask
	Allow
)

// String returns "deny", "ask" or "allow".
func (o Outcome) String() string {
	switch o {
	case Allow:
		return "allow"
	case Ask:
		return "ask"
	default:
		return "deny"
	}
}

// MarshalText returns String.
func (o Outcome) MarshalText() ([]byte, error) { return []byte(o.String()), nil }

// UnmarshalText reads any text but "ask" and "allow" as Deny.
func (o *Outcome) UnmarshalText(text []byte) error {
	switch string(text) {
	case "allow":
		*o = Allow
	case "ask":
		*o = Ask
	default:
		*o = Deny
	}
	return nil
}
