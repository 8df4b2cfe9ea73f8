package webhook

import "ambit.dev/ambit/internal/approval"

// Sign signs as the other side does.
func Sign(s Secret, of, time, nonce, body string) string {
	return s.sign(of, time, nonce, []byte(body))
}

// Decode reads an answer whose signature was right.
func Decode(body []byte, q approval.Question, nonce string) (approval.Answer, error) {
	return decode(body, q, nonce)
}
