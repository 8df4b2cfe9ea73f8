package deno

import "context"

// Answer answers one line, without a connection.
func Answer(cfg Config, line []byte) (string, error) {
	m, err := parse(line)
	if err != nil {
		return "", err
	}
	return string(New(cfg).answer(context.Background(), 1, m).line(m)), nil
}
